"""The folder `.work` of a dataset that is being made: what a stopped run goes on from.

    .work/plan.jsonl     the settings, then a line for every unit of pictures and every film
    .work/units/...      a file for every unit that was searched: its rows

The plan is written once, before anything else, so that a run which goes on searches the same
pictures under the same numbers. It is deleted when the dataset is whole, the rest after it.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from preprocessing.listing import LISTING, read_listing, whole_file

WORK = ".work"


class Work:
    """The `.work` of one dataset folder.

    `state` is "new", "begun" (`head` is the plan's first line) or "complete".

    Raises: ValueError if the folder is somebody else's, or of another line.
    """

    def __init__(self, out: Path, settings: dict):
        self.out, self.folder, self.settings = out, out / WORK, settings
        self.plan = self.folder / "plan.jsonl"
        self.head = {}
        self.state = self._state()

    def _state(self) -> str:
        settings = self.settings
        if self.plan.exists():
            self.head = next(self.lines())
            check_same(self.head.get("settings"), settings, f"{self.out} is half made")
            return "begun"
        if (self.out / LISTING).exists():
            was = read_listing(self.out).settings
            check_same(was, settings, f"{self.out} holds a dataset that was made")
            return "complete"
        if self.out.exists() and any(path.name != WORK for path in self.out.iterdir()):
            raise ValueError(f"--out {self.out} is not empty; name a new folder or empty it first")
        return "new"

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Hold the folder, made if need be, so that no other run writes there.

        Raises: ValueError if another one does, OSError if there can be no folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = FileLock(self.folder / "lock").acquire(timeout=2)
        except Timeout as e:
            raise ValueError(f"--out {self.out} is in use by a run that has not ended") from e
        with lock:
            if self._state() != self.state:
                raise ValueError(f"--out {self.out} was in use by another run until now")
            yield

    def begin(self, lines: Iterable[dict]) -> None:
        """Write the plan, whose first line is its head."""
        with whole_file(self.plan) as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
        self.state = self._state()

    def lines(self) -> Iterator[dict]:
        """The plan, line by line; the first one is its head."""
        with self.plan.open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    def unit(self, name: str) -> Path:
        """The file of a unit's rows; it is there when the unit is done."""
        return self.folder / "units" / f"{name}.jsonl"

    def rows(self, name: str) -> list[dict]:
        """The rows of a unit that is done."""
        with self.unit(name).open(encoding="utf-8") as file:
            return list(map(json.loads, file))

    def end(self) -> None:
        """Delete all of it; the dataset is whole."""
        self.plan.unlink(missing_ok=True)  # from here on nothing is left to do
        shutil.rmtree(self.folder, ignore_errors=True)


def write_unit(path: Path, rows: list[dict]) -> None:
    """Write the rows of a unit, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def check_same(was: object, now: dict, what: str) -> None:
    """Refuse to go on with other flags than before, telling which differ."""
    was = was if isinstance(was, dict) else {}
    now = json.loads(json.dumps(now))
    differ = [name for name in now if was.get(name) != now[name]]
    if not differ:
        return
    told = ", ".join(
        f"{flag(name)} {words(was[name])} and not {words(now[name])}" if name in was else flag(name)
        for name in differ
    )
    raise ValueError(f"{what} with other flags ({told}); give those, or name a new folder")


def flag(name: str) -> str:
    """The flag of a setting, as it is typed."""
    return "INPUT" if name == "inputs" else f"--{name.replace('_', '-')}"


def words(value: object) -> str:
    """A setting's value, as it is typed."""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def synced(path: Path, content: bytes) -> None:
    """Write a file and return when the disk holds it; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as e:
        raise OSError(f"{path} cannot be saved: {e.strerror}") from e
