"""Copies of Hub repositories, and what the Hub answers as one sentence."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx

from stylegan.layout import WEIGHTS, refuse_pickles


def _check_sum(path: Path, repo: str) -> None:
    """Raise OSError for a cached file that is not what the Hub has, and forget it.

    The link in the cache leads to a large file by its SHA-256, on some ways over another link.
    Where a disk has no links, nothing is checked.
    """
    told = path.readlink().name if path.is_symlink() else ""
    if len(told) != 64 or not set(told) <= set("0123456789abcdef"):
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != told:
        for stored in (path.resolve(), path.parent / path.readlink(), path):
            stored.unlink(missing_ok=True)
        raise OSError(
            f"{path.name} of {repo} is not what the Hub has: it was damaged on its way or on this "
            "disk, and is deleted here; load it again"
        )


def _names_on_hub(repo: str, revision: str | None, token: str | bool | None) -> list[str]:
    """Of all files of a repository; none if the Hub does not tell."""
    try:
        return HfApi(token=token).list_repo_files(repo, revision=revision)
    except (OSError, HfHubHTTPError, httpx.HTTPError):
        return []


def fetch(
    repo: str,
    revision: str | None,
    files: Sequence[str],
    *,
    token: str | bool | None,
    cache_dir: str | Path | None,
    local_files_only: bool,
    force_download: bool,
) -> Path:
    """The local copy of these files of one commit; options as huggingface_hub's functions take
    them.

    Raises: FileNotFoundError if there is none and the Hub is out of reach or has none; OSError for
    other answers of the Hub, or weights that are not what was sent; ValueError if there is no token
    or the weights are pickles.
    """
    options = dict(cache_dir=cache_dir, force_download=force_download, token=token)
    options |= dict(local_files_only=local_files_only, allow_patterns=list(files))
    try:
        found = Path(snapshot_download(repo, revision=revision, **options))
    except LocalEntryNotFoundError as e:
        why = "the Hub cannot be reached for it"
        if local_files_only:
            why = "local_files_only asks for a copy of an earlier download, of which there is none"
        raise FileNotFoundError(f"{repo} is no folder here, and {why}") from e
    except LocalTokenNotFoundError as e:
        raise ValueError("token=True needs a token on this machine: run `hf auth login`") from e
    except RevisionNotFoundError as e:
        raise FileNotFoundError(f"{repo} on the Hub has no revision {revision}") from e
    except RepositoryNotFoundError as e:
        raise FileNotFoundError(
            f"{repo} is no folder here, and no repository on the Hub that you may read"
        ) from e
    except httpx.HTTPError as e:
        reason = " ".join(str(e).split()) or type(e).__name__
        raise OSError(f"{repo} cannot be had from the Hub: {reason}") from e
    if (found / WEIGHTS).is_file():
        _check_sum(found / WEIGHTS, repo)
    elif not local_files_only:
        refuse_pickles(_names_on_hub(repo, revision, token), repo)
    return found
