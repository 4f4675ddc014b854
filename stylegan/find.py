"""Where a folder of weights is: on this disk, in a training run, or on the Hub."""

import time
from collections.abc import Sequence
from pathlib import Path

from stylegan.checks import check_hub_options
from stylegan.files import older_of
from stylegan.hub import fetch
from stylegan.layout import CONFIG, WEIGHTS

REPLACING_SECONDS = 0.5  # in which the second of two renamings has come, unless there was a kill


def newest_weights(run: Path) -> Path | None:
    """The last generator that a training run has saved; None if the folder holds none."""
    saved = (run / "weights").glob(f"kimg-*/{WEIGHTS}")
    return max((path.parent for path in saved), default=None)


def has_none_yet(run: Path) -> str:
    """A clause on a training run that has saved no generator yet; empty for any other folder."""
    if not (run / "state").is_dir() or newest_weights(run):
        return ""
    return f"the run {run} has saved none yet; wait for its first, minutes after it begins to train"


def find_pretrained(
    folder_or_repo: str | Path,
    revision: str | None = None,
    also: Sequence[str] = (),
    *,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    force_download: bool = False,
) -> Path:
    """The folder itself, or the local copy of one commit of a Hub repository.

    Where a link leads now is returned: files read there belong together, even if it leads elsewhere
    a moment later, as `best` of a run does. On a disk without links `best` is a folder, replaced in
    two steps: between them it is waited for, but files read while it is replaced may be of both its
    versions. Of a repository only the generator's files are copied, and those named in `also`. What
    follows is for the Hub, as huggingface_hub's functions take it; a folder needs none of it.

    Raises: FileNotFoundError if there is neither, or no copy here and the Hub out of reach; OSError
    for other answers of the Hub, or weights that are not what was sent; ValueError if the name
    cannot be one, there is no token, or the weights are pickles; TypeError for an option of another
    kind.
    """
    check_hub_options(revision, token, cache_dir)
    repo = str(folder_or_repo)
    if repo and (older := older_of(Path(repo))).is_dir() and not Path(repo).is_dir():
        time.sleep(REPLACING_SECONDS)
        if not Path(repo).is_dir() and older.is_dir():  # it was killed between the steps
            return older.resolve()
    if repo and Path(repo).is_dir():
        return Path(repo).resolve()
    if newest := newest_weights(Path(repo).parent):
        what = "the run has measured none yet" if Path(repo).name == "best" else "there is none"
        raise FileNotFoundError(f"{repo} is no folder of weights ({what}); take {newest}")
    if words := has_none_yet(Path(repo).parent):
        raise FileNotFoundError(f"{repo} is no folder of weights: {words}")
    owner, _, name = repo.partition("/")
    if not (owner.strip(".") and name and "/" not in name):
        words = "is no folder here and no user/repository name; check how it is written"
        raise FileNotFoundError(f"{repo!r} {words}")
    options = dict(token=token, cache_dir=cache_dir, force_download=force_download)
    files = [CONFIG, WEIGHTS, *also]
    return fetch(repo, revision, files, local_files_only=local_files_only, **options)
