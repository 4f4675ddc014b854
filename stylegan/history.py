"""The way of a training run: `history.jsonl`, one line of JSON per moment.

A moment has the thousands of images shown, the picture that the run drew then, and what was
measured then, if anything was: `{"kimg": 8.0, "grid": "samples/kimg-000008.png", "figures":
{"score": 61.3, ...}}`. Run folders have it, and repositories that a run was pushed to.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from reprlib import repr as short
from typing import TypeVar

from stylegan.files import write_whole

HISTORY = "history.jsonl"
MOST_KIMG = 10**9
T = TypeVar("T")


@dataclass(frozen=True)
class Moment:
    """`grid` is relative to the folder of the history; `figures` are those of evaluation."""

    kimg: float
    grid: str
    figures: dict[str, object] = field(default_factory=dict)

    def __post_init__(self):
        if not (isinstance(self.kimg, int | float) and 0 <= self.kimg <= MOST_KIMG):
            raise ValueError(f"kimg must be a number from 0 to {MOST_KIMG}, got {short(self.kimg)}")
        path = PurePosixPath(self.grid) if isinstance(self.grid, str) else None
        if path is None or path.is_absolute() or ".." in path.parts:
            raise ValueError(f"grid must name a picture in the same folder, got {short(self.grid)}")
        if not isinstance(self.figures, dict):
            raise ValueError(f"figures must be an object, got {short(self.figures)}")


def as_moment(line: str) -> Moment:
    """Raises ValueError or TypeError for a line that is none."""
    return Moment(**json.loads(line))


def whole_lines(path: Path) -> list[str]:
    """Lines of a file, none if there is no file; without the last one if a kill cut it short."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    return [line for line in lines if line.endswith("\n")]


def parse_lines(path: Path, parse: Callable[[str], T]) -> Iterator[T]:
    """What the lines of a file mean.

    Raises: ValueError naming the file and the line that `parse` does not understand.
    """
    for number, line in enumerate(whole_lines(path), 1):
        try:
            yield parse(line)
        except (ValueError, TypeError, RecursionError) as e:
            raise ValueError(f"{path}, line {number}: {e}") from e


def read_history(folder: str | Path) -> list[Moment]:
    """Moments in the order of time, none if the folder has no history.

    Raises: ValueError naming the file and the line that is no moment.
    """
    return list(parse_lines(Path(folder) / HISTORY, as_moment))


def as_lines(moments: Sequence[Moment]) -> str:
    """What the file holds of moments."""
    return "".join(json.dumps(asdict(moment)) + "\n" for moment in moments)


def save_history(folder: str | Path, moments: Sequence[Moment]) -> None:
    """Write all moments, a line each.

    Raises: OSError naming the file if it cannot be written.
    """
    write_whole(Path(folder) / HISTORY, as_lines(moments))


def add_moment(folder: str | Path, moment: Moment) -> None:
    """Write another line; raises as `read_history` and `save_history`."""
    save_history(folder, [*read_history(folder), moment])
