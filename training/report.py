"""What a run says while it goes on: a line on the screen, and what accelerate's trackers get."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.tracking import GeneralTracker

from stylegan.files import write_whole
from stylegan.history import whole_lines
from stylegan.layers import mean_over_processes
from training.steps import Stats


def kimg_of(line: str) -> float:
    """When a report of `log.jsonl` was made; raises ValueError, TypeError or KeyError for none."""
    return float(json.loads(line)["kimg"])


def pace_of(line: str) -> float:
    """Seconds per thousand images that a report of `log.jsonl` tells; 0 if it is none."""
    try:
        return float(json.loads(line)["sec_per_kimg"])
    except (ValueError, TypeError, KeyError):
        return 0.0


def time_left(pace: float, nimg: float, total: float) -> str:
    """Of a run that takes `pace` seconds for a thousand images, in hours and minutes."""
    minutes = round(pace * max(total - nimg, 0) / 60_000)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def forget_after(path: Path, nimg: int, when: Callable[[str], float]) -> None:
    """Drop from a file of lines those of steps that will be taken again.

    Lines of which `when` cannot tell the kimg are told and dropped; the file as it was then stays
    beside it, as `NAME.damaged`.
    """
    if not path.exists():
        return
    kept, wrong = [], []
    for number, line in enumerate(whole_lines(path), 1):
        try:
            if when(line) <= nimg / 1000:
                kept.append(line)
        except (ValueError, TypeError, KeyError) as e:
            wrong.append(f"line {number} is none: {e}")
    if wrong:
        aside = path.with_name(f"{path.name}.damaged")
        write_whole(aside, path.read_bytes())
        words = f"{path} is damaged, {wrong[0]} ({len(wrong)} such lines are dropped)"
        print(f"{words}; as it was it is {aside}", file=sys.stderr)
    write_whole(path, "".join(kept))


class JsonLines(GeneralTracker):
    """`log.jsonl`: one JSON object per report.

    A run that goes on at `nimg` drops the reports of steps that it will take again.
    """

    name, requires_logging_directory, main_process_only = "jsonl", False, True

    def __init__(self, path: Path, nimg: int):
        super().__init__()
        self.path = path
        forget_after(path, nimg, kimg_of)

    @property
    def tracker(self) -> Path:
        return self.path

    def log(self, values: dict, step: int | None = None, **_) -> None:
        """Raises OSError naming the file if it cannot be written."""
        try:
            with self.path.open("a") as file:
                file.write(json.dumps(values) + "\n")
        except OSError as e:
            raise OSError(f"{self.path} cannot be written: {e.strerror}") from e


def adversaries(means: dict[str, float]) -> str:
    """The figures of G and D that are said."""
    words = f"loss G {means['loss/G']:.3f} D {means['loss/D']:.3f}"
    return f"{words}  ADA p {means['ada/p']:.2f}"


class Reporter:
    """Collects statistics on the device; a report averages them over steps and processes, and says
    what `tell` makes of them."""

    def __init__(
        self,
        accelerator: Accelerator,
        total: float,
        nimg: int,
        tell: Callable[[dict[str, float]], str] = adversaries,
    ):
        self.accelerator, self.total, self.tell = accelerator, total, tell
        self.steps: list[tuple[int, Stats]] = []
        self.nimg = nimg
        self.pace = 0.0  # seconds per kimg, of the last report
        self.go_on()

    def add(self, nimg: int, stats: Stats) -> None:
        """Note the statistics of the step that began at image `nimg`; waits for nothing."""
        self.steps.append((nimg, stats))

    def _means(self) -> dict[str, float]:
        """Raises FloatingPointError naming the first term that is no number, and its step."""
        names, rows = [], []
        for nimg, stats in self.steps:
            for name, value in stats.items():
                names.append((nimg, name))
                rows.append(value if value.ndim else torch.stack([value, torch.ones_like(value)]))
        table = mean_over_processes(torch.stack(rows)).cpu()  # (rows, 2): sums and counts
        for (nimg, name), (value, _) in zip(names, table.tolist(), strict=True):
            if not np.isfinite(value):
                raise FloatingPointError(
                    f"{name} is {value} in the step that began at kimg {nimg / 1000:.3f}"
                )
        totals = {}
        for (_, name), row in zip(names, table, strict=True):
            totals[name] = totals.get(name, 0) + row
        return {name: (row[0] / row[1]).item() for name, row in totals.items() if row[1]}

    def report(self, nimg: int) -> None:
        """Say and record what happened since the last report; for all processes to call."""
        if not self.steps:
            return
        means = self._means()
        self.pace = pace = (time.monotonic() - self.time) / (nimg - self.nimg) * 1000
        self.accelerator.print(
            f"kimg {nimg / 1000:.2f}/{self.total / 1000:g}  {pace:.1f} s/kimg  "
            f"{self.tell(means)}  left {time_left(pace, nimg, self.total)}",
            flush=True,
        )
        values = {"kimg": nimg / 1000, "sec_per_kimg": pace, "unix_time": time.time(), **means}
        self.accelerator.log(values, step=nimg)
        self.steps, self.nimg = [], nimg
        self.go_on()

    def foresee(self) -> None:
        """Say how long the rest of the run takes by the last report."""
        self.accelerator.print(
            f"at this speed {time_left(self.pace, self.nimg, self.total)} are left to --total-kimg "
            f"{self.total / 1000:g}; Ctrl-C stops at any time and keeps what is learned",
            flush=True,
        )

    def go_on(self) -> None:
        """Leave out of the pace what was not training since the report."""
        self.time = time.monotonic()


def log_pictures(accelerator: Accelerator, pictures: dict[str, np.ndarray], nimg: int) -> None:
    """Hand pictures, uint8 (H, W, 3), to the trackers that show them."""
    for tracker in accelerator.trackers:
        for name, picture in pictures.items():
            if tracker.name == "tensorboard":
                tracker.log_images({name: picture[None]}, step=nimg, dataformats="NHWC")
            elif tracker.name == "wandb":
                tracker.log_images({name: [picture]}, step=nimg)
            elif tracker.name == "trackio":
                import trackio

                tracker.log({name: trackio.Image(picture)}, step=nimg)
