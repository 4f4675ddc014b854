"""Generators of the Hub that visitors name.

Only public repositories are read, without the token that this machine may have; only weights (of
the generator and its encoder), JSON, the card and the pictures of the training history are fetched,
none of them too large.
"""

import hashlib
import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import HFValidationError, httpx, validate_repo_id

from playground.limits import MEGABYTE, MOST, PICTURE, PICTURES, check_config
from playground.mistake import Mistake
from stylegan.config_file import read_config
from stylegan.history import read_history
from stylegan.layout import CONFIG

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
        raise Mistake("The Hub cannot be reached just now. Try again in a minute.") from e


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
        self._sums = {file.rfilename: file.lfs.sha256 for file in info.siblings if file.lfs}
        self._folder = tempfile.TemporaryDirectory(prefix="playground-model-")
        self.folder = Path(self._folder.name)

    @property
    def key(self) -> str:
        """What `playground.model.Models` finds it by."""
        return f"{self.repo}@{self.commit}"

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
            self._check(name)

    def _check(self, name: str) -> None:
        """Raise Mistake for a large file that is not what the Hub has."""
        if told := self._sums.get(name):
            with (self.folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != told:
                raise Mistake(f"{name} of {self.repo} was damaged on its way here. Try again.")


def history_pictures(folder: Path) -> list[str]:
    """Their names, from the beginning to the end of a history, some left out if there are many;
    none of a history that cannot be read, of which `playground.told` tells."""
    try:
        found = read_history(folder)
    except ValueError:
        return []
    grids = [moment.grid for moment in found if moment.grid.endswith(".png")]
    return grids[:: -(-len(grids) // PICTURES) or 1]


def fetch(copy: Copy) -> None:
    """Add a generator and what is told of it; the config first, which says whether it can be shown.

    Raises: Mistake with a sentence; ValueError for a config that asks for too much.
    """
    copy.add({CONFIG: MOST[CONFIG]})
    if (copy.folder / CONFIG).is_file():
        check_config(read_config(copy.folder / CONFIG))
    copy.add({name: most for name, most in MOST.items() if name != CONFIG})
    copy.add({name: PICTURE for name in history_pictures(copy.folder)})
