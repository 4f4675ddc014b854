"""Generators of the Hub that visitors name.

Only public repositories are read, without the token that this machine may have; only weights,
JSON, the card and the pictures of the training history are fetched, none of them too large.
"""

import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import HFValidationError, httpx, validate_repo_id

from playground.mistake import Mistake
from stylegan.domains import DOMAINS
from stylegan.history import HISTORY, read_history
from stylegan.pretrained import CARD, CONFIG, METRICS, WEIGHTS, read_config

MEGABYTE = 1_000_000
MOST = {WEIGHTS: 400, CONFIG: 1, DOMAINS: 4, METRICS: 1, HISTORY: 4, CARD: 1}  # megabytes
PICTURES, PICTURE = 40, 2  # of a history: how many, megabytes of one
WIDEST = {  # of a network, so that no config asks for more memory than there is
    **dict(img_resolution=512, num_layers=32, channel_max=1024),
    **dict(z_dim=2048, w_dim=2048, mapping_layers=16),
}
LOG = logging.getLogger(__name__)
NAME = re.compile(r"[a-z0-9][\w.-]{0,95}/[a-z0-9][\w.-]{0,95}", re.ASCII | re.IGNORECASE)
REVISION = re.compile(r"[a-z0-9][\w./-]{0,99}", re.ASCII | re.IGNORECASE)


@contextmanager
def told_plainly(repo: str, revision: str) -> Iterator[None]:
    """Raises: Mistake for what the Hub answers, or if it does not."""
    try:
        yield
    except RepositoryNotFoundError as e:
        raise Mistake(f"There is no public model {repo} on the Hub.") from e
    except RevisionNotFoundError as e:
        raise Mistake(f"{repo} on the Hub has no revision {revision}.") from e
    except (OSError, httpx.HTTPError) as e:
        LOG.warning("The Hub cannot be reached: %s", e)
        raise Mistake("The Hub cannot be reached just now. Try again later.") from e


def problem_with_name(repo: str, revision: str) -> str:
    """Why nothing on the Hub can have this name or revision; empty if it can."""
    try:
        validate_repo_id(repo)
        fits = NAME.fullmatch(repo)
    except HFValidationError:
        fits = False
    if not fits:
        return "A model's name on the Hub looks like user/repository."
    if revision and (not REVISION.fullmatch(revision) or ".." in revision):
        return "A revision is a branch, a tag or a commit, such as main."
    return ""


class Copy:
    """Files of one commit in a folder of its own, which goes when this is let go.

    Without a revision it is the newest commit. What is added later is of the same.

    Raises: Mistake with a sentence.
    """

    def __init__(self, repo: str, revision: str = ""):
        if words := problem_with_name(repo, revision):
            raise Mistake(words)
        self.repo, self._api = repo, HfApi(token=False)
        with told_plainly(repo, revision):
            info = self._api.model_info(repo, revision=revision or None, files_metadata=True)
        self.commit = info.sha
        self._sizes = {file.rfilename: file.size for file in info.siblings}
        self._folder = tempfile.TemporaryDirectory(prefix="playground-model-")
        self.folder = Path(self._folder.name)

    def add(self, files: dict[str, int]) -> None:
        """Those of the files that there are; each may have so many megabytes."""
        for name in files.keys() & self._sizes.keys():
            if self._sizes[name] > files[name] * MEGABYTE:
                raise Mistake(
                    f"{name} of {self.repo} has {self._sizes[name] / MEGABYTE:.0f} MB, and this "
                    f"page takes {files[name]}. On your own machine: python app.py --model "
                    + self.repo
                )
            with told_plainly(self.repo, self.commit):
                self._api.hf_hub_download(
                    self.repo, name, revision=self.commit, local_dir=self.folder
                )


def check_size(folder: Path) -> None:
    """Raises ValueError if the network would take more memory than there may be."""
    if (folder / CONFIG).is_file():
        config = read_config(folder / CONFIG)
        for name, most in WIDEST.items():
            if getattr(config, name) > most:
                raise ValueError(f"{name} is {getattr(config, name)}, and this page takes {most}")


def history_pictures(folder: Path) -> list[str]:
    """Their names, from the beginning to the end of a history, some left out if there are many."""
    grids = [moment.grid for moment in read_history(folder) if moment.grid.endswith(".png")]
    return grids[:: -(-len(grids) // PICTURES) or 1]


def fetch(copy: Copy) -> None:
    """Add a generator and what is told of it.

    Raises: Mistake with a sentence; ValueError for a bad file.
    """
    copy.add(MOST)
    check_size(copy.folder)
    copy.add({name: PICTURE for name in history_pictures(copy.folder)})
