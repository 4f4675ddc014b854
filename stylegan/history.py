"""The way of a training run: `history.jsonl`, one line of JSON per moment.

A moment has the thousands of images shown, the picture that the run drew then, and what was
measured then, if anything was: `{"kimg": 8.0, "grid": "samples/kimg-000008.png", "figures":
{"score": 61.3, ...}}`. Run folders have it, and repositories that a run was pushed to.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

HISTORY = "history.jsonl"
MOST_KIMG = 10**9


@dataclass(frozen=True)
class Moment:
    """`grid` is relative to the folder of the history; `figures` are those of evaluation."""

    kimg: float
    grid: str
    figures: dict[str, object] = field(default_factory=dict)

    def __post_init__(self):
        if not (isinstance(self.kimg, int | float) and 0 <= self.kimg <= MOST_KIMG):
            raise ValueError(f"kimg must be a number from 0 to {MOST_KIMG}, got {self.kimg!r}")
        path = PurePosixPath(self.grid) if isinstance(self.grid, str) else None
        if path is None or path.is_absolute() or ".." in path.parts:
            raise ValueError(f"grid must name a picture in the same folder, got {self.grid!r}")
        if not isinstance(self.figures, dict):
            raise ValueError(f"figures must be an object, got {self.figures!r}")


def whole_lines(path: Path) -> list[str]:
    """Lines of a file, none if there is no file; without the last one if a kill cut it short."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith("\n")]


def read_history(folder: str | Path) -> list[Moment]:
    """Moments in the order of time, none if the folder has no history.

    Raises: ValueError naming the file and the line that is no moment.
    """
    path, moments = Path(folder) / HISTORY, []
    for number, line in enumerate(whole_lines(path), 1):
        try:
            moments.append(Moment(**json.loads(line)))
        except (ValueError, TypeError, RecursionError) as e:
            raise ValueError(f"{path}, line {number}: {e}") from e
    return moments


def add_moment(folder: str | Path, moment: Moment) -> None:
    """Write another line."""
    with (Path(folder) / HISTORY).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(moment)) + "\n")
