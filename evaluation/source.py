"""Where pictures come from: what `--data` names is a folder, a zip file or a data set on the Hub.

A folder is used as it is. A zip is unpacked (see unpack.py), a data set of the Hub downloaded, once
each; afterwards neither needs the network. A folder wins over a data set of the same name.
"""

from pathlib import Path
from typing import NamedTuple

from filelock import FileLock
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    IncompleteSnapshotError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx

from evaluation.dataset import ImageDataset
from evaluation.unpack import cache, unpacked
from preprocessing.hub import HUB_NAME, in_one_line
from preprocessing.listing import DECISIONS, LISTING, METADATA
from preprocessing.read import SUFFIXES

# What is downloaded: an image folder, and what preparation knows of one.
PATTERNS = [f"*{suffix}" for end in SUFFIXES for suffix in (end, end.upper())]
PATTERNS += [METADATA, LISTING, DECISIONS]


class Found(NamedTuple):
    """A folder of pictures and, of a data set on the Hub, which commit it is."""

    folder: Path
    commit: str | None = None


def on_hub(data: str) -> bool:
    """Whether a name is one of the Hub: that of no folder or file here.

    Raises: ValueError if it can be none.
    """
    if Path(data).exists() and data:
        return False
    if not HUB_NAME.fullmatch(data):
        words = "no folder, no zip file and no user/name of a data set on the Hub"
        raise ValueError(f"--data {data or '(empty)'} is {words}")
    return True


def find_data(data: str, commit: str | None = None) -> Found:
    """The folder of what `--data` names; of a data set on the Hub the newest commit, or the given.

    Raises: ValueError or OSError with a sentence that says why there is none.
    """
    if on_hub(data):
        return downloaded(data, commit)
    return Found(Path(data) if Path(data).is_dir() else unpacked(Path(data)))


def downloaded(repo: str, commit: str | None) -> Found:
    """A data set of the Hub, whole; one process downloads, others wait for it.

    Without the Hub, what was downloaded last. A private one needs the user's token.

    Raises: ValueError or OSError with a sentence that says why it cannot be had.
    """
    hub = f"--data {repo} is no folder here, and"
    try:
        with FileLock(cache() / f".{repo.replace('/', '--')}.lock"):
            found = snapshot_download(
                repo, repo_type="dataset", revision=commit, allow_patterns=PATTERNS
            )
    except IncompleteSnapshotError as e:
        raise OSError(f"{hub} a part of it is missing that the Hub cannot be reached for") from e
    except LocalEntryNotFoundError as e:
        why = "cannot be reached for it"
        if isinstance(e.__cause__, HfHubHTTPError):
            why = f"does not give it: {in_one_line(e.__cause__)}"
        raise OSError(f"{hub} the Hub {why}") from e
    except RevisionNotFoundError as e:
        raise ValueError(f"--data {repo} on the Hub has no commit {commit} any more") from e
    except RepositoryNotFoundError as e:
        words = "no data set on the Hub that you may read; a private one needs `hf auth login`"
        raise ValueError(f"{hub} {words}") from e
    except (HfHubHTTPError, httpx.HTTPError, OSError) as e:
        raise OSError(f"--data {repo} cannot be had from the Hub: {in_one_line(e)}") from e
    if not Path(found).is_dir():
        raise ValueError(
            f"--data {repo} on the Hub holds no picture files, as an image folder does"
        )
    return Found(Path(found), Path(found).name)


def open_dataset(data: str, commit: str | None = None) -> ImageDataset:
    """The pictures of what `--data` names.

    Raises: ValueError or OSError as `find_data` and `ImageDataset`.
    """
    found = find_data(data, commit)
    return ImageDataset(found.folder, data, found.commit)
