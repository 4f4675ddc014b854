"""What several windows decide on the faces of one dataset, and how each of them takes it back.

`decisions.jsonl` is all there is to know: the state is what its lines lead to, read one by one, so
it survives a kill and is the same in every program that reads them. A line of a window carries

    "window": its name    "act": the number of what it did, rising
    "undo" or "redo": the act that this one takes back or does again

A window takes back its own acts only. Where another window has decided on the face since, the
decision of the other stays.
"""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from preprocessing.listing import DECISIONS, append_decisions, decisions_in

Keep = bool | None  # None leaves the face to preparation


@dataclass(frozen=True)
class Decision:
    """On one face, and by which window; preparation's own is by nobody."""

    keep: Keep = None
    window: str | None = None


@dataclass
class Act:
    """A window's decisions at one time: face -> what stood before, and what it decided."""

    number: int
    faces: dict[int, tuple[Decision, Decision]] = field(default_factory=dict)


@dataclass
class Window:
    """What one window did, and took back, in this order."""

    last: int = -1  # the number of its last act, undo and redo included
    done: list[Act] = field(default_factory=list)
    undone: list[Act] = field(default_factory=list)


class Decisions:
    """Decisions on the faces of a folder, which are numbered as `files` lists them.

    Every method reads first what other programs have written meanwhile.
    """

    def __init__(self, folder: Path, files: list[str]):
        self.folder, self.files = folder, files
        self.numbers = {file: number for number, file in enumerate(files)}
        self.lock = threading.RLock()
        self.forget()

    def forget(self) -> None:
        """Be as if no line had been read."""
        self.read = 0  # bytes of the file
        self.windows: dict[str, Window] = {}
        self.now = [Decision()] * len(self.files)
        self.lines: list[tuple[int, Keep]] = []  # face and decision, one a line

    def refresh(self) -> None:
        """Follow the lines that are new; a file that is shorter than before is another one."""
        path = self.folder / DECISIONS
        with self.lock:
            size = path.stat().st_size if path.exists() else 0
            if size < self.read:
                self.forget()
            if size == self.read:
                return
            with path.open("rb") as file:
                file.seek(self.read)
                content = file.read()
            content = content[: content.rfind(b"\n") + 1]  # the rest is still being written
            self.read += len(content)
            for row in decisions_in(content):
                self.follow(row)

    def follow(self, row: dict[str, object]) -> None:
        """Take in one line."""
        face = self.numbers.get(row["file"])
        if face is None:  # of a face that the listing no longer has
            return
        self.lines.append((face, row["keep"]))
        name, number = row.get("window"), row.get("act")
        before, after = self.now[face], Decision(row["keep"], None)
        if isinstance(name, str) and type(number) is int:
            window = self.windows.setdefault(name, Window())
            after = Decision(row["keep"], name)
            taken = row.get("undo", row.get("redo"))
            if taken is None:
                if not window.done or window.last != number:
                    window.done.append(Act(number))
                    window.undone.clear()
                window.done[-1].faces.setdefault(face, (before, after))
            else:
                stacks = window.done, window.undone
                act = move(taken, *(stacks if "undo" in row else stacks[::-1]))
                if act and "undo" in row and face in act.faces:
                    after = act.faces[face][0]  # with the window whose decision it was
            window.last = number
        self.now[face] = after

    def decide(self, window: str, act: int, wanted: dict[int, Keep]) -> None:
        """Write what is not decided so already; an act that was written already is not repeated.

        Raises: OSError if it cannot be written, as `undo` and `redo` do.
        """
        with self.lock:
            self.refresh()
            if act > self.last(window):
                new = {face: keep for face, keep in wanted.items() if self.now[face].keep != keep}
                self.write(new, window=window, act=act)

    def undo(self, window: str, act: int) -> list[int]:
        """Take back the last act of this window that still stands; returns its faces."""
        return self.take(window, act, "undo")

    def redo(self, window: str, act: int) -> list[int]:
        """Do again what `undo` took back last; returns its faces."""
        return self.take(window, act, "redo")

    def take(self, name: str, number: int, way: str) -> list[int]:
        with self.lock:
            self.refresh()
            window = self.windows.get(name, Window())
            if number <= window.last:
                return []
            for act in reversed(window.done if way == "undo" else window.undone):
                wanted = {}
                for face, (before, after) in act.faces.items():
                    here, there = (after, before) if way == "undo" else (before, after)
                    if self.now[face] == here:
                        wanted[face] = there.keep
                if wanted:
                    self.write(wanted, window=name, act=number, **{way: act.number})
                    return list(wanted)
            return []

    def last(self, window: str) -> int:
        """The number of what this window did last."""
        return self.windows.get(window, Window()).last

    def write(self, wanted: dict[int, Keep], **more) -> None:
        if wanted:
            by_file = {self.files[face]: keep for face, keep in wanted.items()}
            append_decisions(self.folder, by_file, **more)
            self.refresh()


def move(number: int, source: list[Act], target: list[Act]) -> Act | None:
    """Move the act of that number from stack to stack, unless it was moved already.

    Acts above it, of which nothing was left to take, are dropped.
    """
    while not (target and target[-1].number == number):
        if not source:
            return None
        act = source.pop()
        if act.number == number:
            target.append(act)
    return target[-1]
