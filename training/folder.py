"""The folder of a run: who may write there, one at a time, and what is left if nothing comes of it.

A run takes a folder that is new or empty, or goes on in its own, which its config.json or its card
tells. Whatever else a folder holds is somebody's.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stylegan.files import check_out
from stylegan.history import HISTORY, whole_lines
from stylegan.layout import CARD
from training.checkpoint import RECORD, has_state, read_record
from training.config import TrainConfig
from training.snapshot import RUN_CARD
from training.verify import VERIFIED

LOCK, STATE = ".lock", "state"
FIRST = {VERIFIED, RECORD, CARD}  # what a run writes before it begins to work
CLAIM_SECONDS = 30


def contents(out: Path) -> set[str]:
    """Names in a folder, without those that a run leaves which was killed before its record."""
    names = {path.name for path in out.iterdir()} if out.exists() else set()
    begun = STATE in names and any((out / STATE).iterdir())
    return names - {LOCK, f".{RECORD}.new"} - (set() if begun else {STATE})


def is_run(out: Path) -> bool:
    """Whether the folder is one of a run, by its record or, if that is damaged, by its card."""
    try:
        if read_record(out):
            return True
    except ValueError:  # told when it is read for its flags
        pass
    card, title = out / CARD, RUN_CARD.partition("\n")[0]
    return card.is_file() and card.read_text(encoding="utf-8", errors="replace").startswith(title)


def check_folder(config: TrainConfig) -> None:
    """Refuse a folder that is not for this run, before anything is written.

    A run that is killed before its first state is begun anew; it leaves an empty state/ and one
    snapshot at most.

    Raises: ValueError naming the folder and what to type instead.
    """
    out = check_out(config.out, config.data)
    if contents(out) and not is_run(out):
        raise ValueError(f"--out {config.out} is not empty and holds no run; name a new folder")
    if has_state(config) or not whole_lines(out / HISTORY):
        return
    state, snapshots = out / STATE, list((out / "weights").glob("kimg-*"))
    if not state.is_dir() or any(state.iterdir()) or len(snapshots) > 1:
        raise ValueError(
            f"{config.out} holds the {HISTORY} of a run and no state to go on from; name another "
            f"--out, and --init-from {config.out}/best or one of its weights/ to begin with them, "
            f"or delete {config.out} to begin anew"
        )
    print(f"{config.out} has no state yet, so the run begins anew", file=sys.stderr)


@contextmanager
def claim(config: TrainConfig) -> Iterator[None]:
    """Hold the run folder, made if need be. What ends in an error before there is something to keep
    leaves no folder behind.

    A run that was just told to stop may still be saving, so half a minute is waited for it.

    Raises: ValueError for a folder that is not for this run, or if another process holds it still.
    """
    check_folder(config)
    out = Path(config.out)
    made = [folder for folder in (out, *out.parents) if not folder.exists()]  # innermost first
    was_free = not contents(out)
    out.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(out / LOCK).acquire(timeout=CLAIM_SECONDS)
    except Timeout as e:
        raise ValueError(f"--out {config.out} is in use by a run that has not ended") from e
    with lock:
        try:
            (out / STATE).mkdir(exist_ok=True)
            yield
        except BaseException:
            if was_free and contents(out) <= FIRST:
                _withdraw(out, made)
            raise


def _withdraw(out: Path, made: list[Path]) -> None:
    """Delete what a run has written before it began to work, and the folders made for it."""
    for name in {LOCK, *FIRST}:
        (out / name).unlink(missing_ok=True)
    (out / STATE).rmdir()
    for folder in made:
        if not any(folder.iterdir()):
            folder.rmdir()
