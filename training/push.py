"""A run on the Hub: `python -m training.push RUN USER/REPOSITORY`.

Each snapshot of `weights/` becomes one commit, with a tag of its name such as kimg-000400: all its
files, the history up to then and the pictures of it. What a run saved between, after its first
steps or when it was stopped, is sent only as long as it is the newest. What the Hub has already is
not sent again, so the same command goes on with what was cut short, and sends a run that was never
pushed. Training does the same with `--push-to-hub`, in a process of its own: a Hub that is slow,
refuses or dies never stops it, and the files wait in the run's folder.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock, Timeout
from huggingface_hub import CommitOperationAdd, HfApi, ModelCard, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx

from preprocessing.hub import HUB_NAME, in_one_line, reason
from stylegan.history import HISTORY, as_lines, read_history
from stylegan.layout import CARD, WEIGHTS
from training.card import MARK, licence_words
from training.checkpoint import read_record
from training.config import TrainConfig
from training.folder import is_run
from training.snapshot import sum_of

ROOT = Path(__file__).resolve().parents[1]
LOCK = ".push.lock"
PATIENCE = 3600  # seconds after which a push is given up and begun anew
FAILURES = OSError, RuntimeError, HfHubHTTPError, httpx.HTTPError  # of the client


def open_repository(api: HfApi, repo: str, *, private: bool) -> None:
    """Create the repository unless it exists.

    Raises: ValueError if it should be private and is not; what huggingface_hub raises.
    """
    api.create_repo(repo, private=private or None, exist_ok=True)
    if private and not api.model_info(repo).private:
        raise ValueError(f"{repo} is public already; make it private in its settings first")


def check_repository(repo: str, *, private: bool) -> None:
    """Open it before the training, so that a missing token or a wrong name shows. A Hub that is
    away is told only.

    Raises: ValueError with the Hub's reason.
    """
    try:
        open_repository(HfApi(), repo, private=private)
    except HfHubHTTPError as e:
        if e.response.status_code >= 500:
            tell(f"--push-to-hub {repo}: {reason(e)}; snapshots wait until it answers")
        else:
            raise ValueError(f"--push-to-hub {repo} cannot be written: {reason(e)}") from e
    except (httpx.TransportError, OfflineModeIsEnabled) as e:
        tell(f"--push-to-hub {repo}: {reason(e)}; snapshots wait until it answers")
    except (OSError, httpx.HTTPError) as e:
        raise ValueError(f"--push-to-hub {repo} cannot be written: {reason(e)}") from e


def tell(words: str) -> None:
    """On the screen."""
    print(words, file=sys.stderr, flush=True)


def kimg_of(folder: Path) -> float:
    """When a snapshot was made."""
    return float(folder.name.removeprefix("kimg-"))


def snapshots(out: Path, every: float) -> list[Path]:
    """Folders of a run's snapshots, oldest first: the first after each `every` kimg, and the last;
    0 is as often as the run is to save them."""
    found = sorted((out / "weights").glob("kimg-*"), key=kimg_of)
    every = every or read_record(out).get("snapshot_kimg", 0.0)
    if not every:  # nobody knows any more
        return found
    steps = [0, *(round(1000 * kimg_of(folder)) // (1000 * every) for folder in found)]
    return [f for i, f in enumerate(found) if steps[i + 1] > steps[i] or f is found[-1]]


def is_there(api: HfApi, repo: str, folder: Path) -> bool:
    """Whether the Hub has these weights under the snapshot's tag."""
    try:
        (found,) = api.get_paths_info(repo, WEIGHTS, revision=folder.name)
    except (RevisionNotFoundError, ValueError):  # no such tag, or no such file there
        return False
    return found.lfs is not None and found.lfs.sha256 == sum_of(folder / WEIGHTS)


def waiting(folders: list[Path], there: Callable[[Path], bool]) -> list[Path]:
    """Those after the newest that is there, and the last one in any case: it may have been
    measured since."""
    for i in reversed(range(len(folders))):
        if there(folders[i]):
            return folders[i + 1 :] or folders[-1:]
    return folders


def card_there(repo: str, head: str) -> str:
    """The text of the repository's card; empty without one."""
    try:
        path = hf_hub_download(repo, CARD, revision=head)
    except EntryNotFoundError:
        return ""
    return Path(path).read_text(encoding="utf-8", errors="replace")


def with_licence(text: str, licence: str) -> str:
    """A card that names a licence, in place of the one it named."""
    card = ModelCard(text, ignore_metadata_errors=True)
    before, card.data.license = card.data.license, licence
    return str(card).replace(licence_words(before), licence_words(licence))


def operations(out: Path, folder: Path, card: str, licence: str | None) -> list[CommitOperationAdd]:
    """What a snapshot's commit adds; a card on the Hub that somebody made their own stays."""
    files: dict[str, Path | bytes]
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    moments = [moment for moment in read_history(out) if moment.kimg <= kimg_of(folder)]
    files |= {moment.grid: out / moment.grid for moment in moments}
    files = {name: path for name, path in files.items() if path.is_file()}
    files[HISTORY] = as_lines(moments).encode()
    if card and MARK not in card:
        files.pop(CARD, None)
    elif licence and CARD in files:
        files[CARD] = with_licence((folder / CARD).read_text(encoding="utf-8"), licence).encode()
    return [CommitOperationAdd(name, content) for name, content in files.items()]


def send(api: HfApi, repo: str, out: Path, folder: Path, licence: str | None) -> None:
    """One commit of a snapshot, and its tag; raises what huggingface_hub raises."""
    head = api.model_info(repo).sha
    added = operations(out, folder, card_there(repo, head), licence)
    message = f"Weights at {folder.name}"
    commit = api.create_commit(repo, added, commit_message=message, parent_commit=head).oid
    tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo).tags}
    if folder.name in tags and commit != head:  # of another run, or before it was measured
        api.delete_tag(repo, tag=folder.name)
    api.create_tag(repo, tag=folder.name, revision=commit, exist_ok=True)


def push(
    out: Path, repo: str, *, private: bool = False, licence: str | None = None, every: float = 0
) -> list[str]:
    """Send the snapshots of a run that wait; returns their names.

    Raises: ValueError for a folder of no run or without snapshots, a repository that is public and
    should not be, or if another push of the run goes on; what huggingface_hub raises.
    """
    if not is_run(out):
        raise ValueError(f"{out} is no folder of a training run")
    folders = snapshots(out, every)
    if not folders:
        raise ValueError(f"{out} has no snapshot in weights/ yet")
    try:
        lock = FileLock(out / LOCK).acquire(timeout=0)
    except Timeout as e:
        raise ValueError(f"another push of {out} goes on") from e
    with lock:
        api = HfApi()
        open_repository(api, repo, private=private)
        new = waiting(folders, lambda folder: is_there(api, repo, folder))
        for folder in new:
            send(api, repo, out, folder, licence)
        return [folder.name for folder in new]


class Pusher:
    """Pushes of a run that goes on, each in a process of its own, one at a time."""

    def __init__(self, config: TrainConfig):
        self.config, self.out = config, str(Path(config.out).resolve())
        self.command = [sys.executable, "-m", "training.push", self.out, config.push_to_hub]
        self.command += ["--every", str(config.hub_every)]
        self.command += ["--private"] if config.hub_private else []
        self.command += ["--license", config.license] if config.license else []
        self.how = dict(
            cwd=ROOT,
            env=os.environ | {"HF_HUB_DISABLE_PROGRESS_BARS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self.running, self.begun = None, 0.0

    def start(self) -> None:
        """Send what waits, unless that goes on already; a failure is told, and the files wait."""
        if self.running and self.running.poll() is None:
            if time.monotonic() - self.begun < PATIENCE:
                return
            self.running.kill()
            self.running.wait()
            tell(f"pushing to {self.config.push_to_hub} takes too long and begins anew")
        self.running, self.begun = subprocess.Popen(self.command, **self.how), time.monotonic()

    def finish(self) -> None:
        """Send what waits at the end of the run.

        Raises: OSError with the reason and what to type.
        """
        try:
            if self.running:
                self.running.wait(PATIENCE)
            done = subprocess.run(
                self.command, **self.how, stderr=subprocess.PIPE, text=True, timeout=PATIENCE
            )
            last = done.stderr.strip().rpartition("\n")[2]
            words = last.removeprefix("error: ") if done.returncode else ""
        except subprocess.TimeoutExpired:
            if self.running.poll() is None:
                self.running.kill()
            words = f"pushing to {self.config.push_to_hub} failed: it takes too long"
        if words:
            again = f"python -m training.push {self.config.out} {self.config.push_to_hub}"
            raise OSError(f"{words}; this tries again: {again}")


def main(argv: Sequence[str] | None = None) -> None:
    """Push as the command line says, or end with one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m training.push", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a training run")
    parser.add_argument("repo", metavar="USER/REPOSITORY", help="on the Hub, made if need be")
    parser.add_argument(
        "--every", metavar="KIMG", type=float, default=0.0, help="0: as often as the run saves them"
    )
    parser.add_argument("--private", action="store_true", help="make it for yourself only")
    parser.add_argument("--license", help="what others may do with the weights: cc-by-4.0, ...")
    args = parser.parse_args(argv)
    if not HUB_NAME.fullmatch(args.repo):
        parser.error(f"{args.repo} is no name on the Hub, which looks like user/repository")
    try:
        how = dict(private=args.private, licence=args.license, every=args.every)
        sent = push(args.run, args.repo, **how)
    except ValueError as e:
        sys.exit(f"error: pushing to {args.repo} failed: {in_one_line(e)}")
    except FAILURES as e:
        sys.exit(f"pushing to {args.repo} failed: {reason(e)}; what waits is kept")
    print(f"{args.repo} has {', '.join(sent)}")


if __name__ == "__main__":
    main()
