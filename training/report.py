"""What a run says while it goes on."""

import json
import time
from pathlib import Path

from training.config import TrainConfig
from training.steps import Stats

REPORT_SECONDS = 10.0


class Reporter:
    """Averages statistics between reports; prints one line and logs one JSON line per report."""

    def __init__(self, config: TrainConfig, nimg: int):
        self.path, self.total = Path(config.out) / "log.jsonl", 1000 * config.total_kimg
        self.sums, self.counts = {}, {}
        self.nimg, self.time = nimg, time.monotonic()

    def add(self, stats: Stats) -> None:
        """Tensors are added up where they live; nothing waits for the device."""
        for name, value in stats.items():
            self.sums[name] = self.sums.get(name, 0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def due(self) -> bool:
        return time.monotonic() - self.time > REPORT_SECONDS

    def report(self, nimg: int) -> None:
        """Say and record what happened since the last report."""
        if nimg == self.nimg:
            return
        now = time.monotonic()
        pace = (now - self.time) / (nimg - self.nimg) * 1000  # seconds per kimg
        means = {name: float(value) / self.counts[name] for name, value in self.sums.items()}
        minutes = round(pace * max(self.total - nimg, 0) / 60_000)
        print(
            f"kimg {nimg / 1000:.2f}/{self.total / 1000:g}  {pace:.1f} s/kimg  "
            f"loss G {means['loss/G']:.3f} D {means['loss/D']:.3f}  "
            f"left {minutes // 60} h {minutes % 60:02d} min",
            flush=True,
        )
        record = {"kimg": nimg / 1000, "sec_per_kimg": pace, "time": time.time(), **means}
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")
        self.sums, self.counts, self.nimg, self.time = {}, {}, nimg, now
