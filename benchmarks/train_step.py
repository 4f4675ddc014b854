"""How long training takes and where the time goes: `python -m benchmarks.train_step`.

The trainer's own parts are timed one by one on pictures of noise in memory, so reading files is
left out. The variants of a preset and a batch take turns, each time with new random numbers and
pictures; first rounds only warm up. The table is printed, and a JSON file takes the medians of
what was measured so far:

    seconds_per_kimg   the parts, each times how often a step has it
    parts, inside      seconds per kimg if every step had it; what is inside adds nothing to the sum
    wall               on the clock, until the device is done
    cpu                of all threads of the process; on a GPU, until all work is queued
    gflops             operations counted by `training.cost`, in 10^9 per second on the clock
    peak_bytes         on a GPU what this setting took; on a CPU what the process took so far
"""

import argparse
import dataclasses
import gc
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # see training/train.py

import torch

from benchmarks.machine import machine, report_file, save_json
from benchmarks.trainer import INSIDE, VARIANTS, Noise, Trainer, per_step
from evaluation.dataset import ImageDataset
from stylegan.memory import keep_freed_memory
from training.config import PRESETS, TrainConfig, parse_args
from training.graphs import WARM_UP
from training.train import use_all_cores

NAME_WIDTH = 40  # of a row's name in the tables


class Times(NamedTuple):
    """Seconds; what they are is said above."""

    wall: float
    cpu: float


def timed(work: Callable[[], object], device: torch.device) -> Times:
    """Do the work once, with nothing else left to do before and after."""
    synchronize = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    cpu = time.process_time() - cpu
    synchronize()
    return Times(time.perf_counter() - wall, cpu)


def start_counting_memory() -> int:
    """Bytes that are none of the next peak's, which begins to be counted here."""
    if not torch.cuda.is_available():
        return 0
    torch.cuda.synchronize()  # also wakes the device up
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


def peak_memory() -> int:
    """Bytes; on a CPU of the process since it began."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # kB on Linux


def free_memory() -> None:
    """Give back to the GPU what nothing needs any more."""
    if torch.cuda.is_available():
        gc.collect()  # networks refer to themselves
        torch.cuda.empty_cache()


class Setting:
    """What to run, and what came of it so far."""

    def __init__(self, config: TrainConfig, variant: str):
        self.config, self.variant = config, variant
        self.rounds: list[dict[str, Times]] = []
        self.said = {"preset": config.preset, "batch": config.batch, "variant": variant}

    def take_turn(self, dataset: ImageDataset) -> None:
        """One round, unless one failed; the first builds the trainer and is not counted."""
        if "failure" in self.said:
            return
        try:
            if "peak_bytes" in self.said:
                self._round()
            else:
                before = start_counting_memory()
                self.trainer = Trainer(self.config, VARIANTS[self.variant], dataset)
                for _ in range(1 + WARM_UP if VARIANTS[self.variant].graphs else 1):
                    self._round()
                self.rounds.clear()
                self.said["peak_bytes"] = peak_memory() - before
        except Exception as e:  # whatever it was, the other settings are still worth measuring
            self.said["failure"] = f"{type(e).__name__}: {(str(e) or 'no reason').splitlines()[0]}"
            self.trainer = None
        if "failure" in self.said:
            free_memory()

    def _round(self) -> None:
        parts, device = self.trainer.parts(), self.trainer.device
        self.rounds.append({name: timed(work, device) for name, work in parts})

    def result(self) -> dict:
        """For the JSON file."""
        if "failure" in self.said:
            return self.said
        often, scale = per_step(self.config), 1000 / self.config.batch
        medians = {
            name: {
                kind: scale * statistics.median(getattr(r[name], kind) for r in self.rounds)
                for kind in Times._fields
            }
            for name in (*often, *INSIDE)
        }
        wall, cpu = (sum(medians[x][kind] * n for x, n in often.items()) for kind in Times._fields)
        each = [scale * sum(r[name].wall * n for name, n in often.items()) for r in self.rounds]
        return self.said | {
            "seconds_per_kimg": wall,
            "cpu_seconds_per_kimg": cpu,
            "each_round": each,
            "gflop_per_image": self.trainer.flops / 1e9,
            "gflops": self.trainer.flops * 1000 / wall / 1e9,
            "parts": {name: medians[name] | {"per_step": n} for name, n in often.items()},
            "inside": {name: medians[name] for name in INSIDE},
            "config": dataclasses.asdict(self.config),
        }


def in_turns(
    config: TrainConfig, variants: Sequence[str], dataset: ImageDataset, repeat: int
) -> list[dict]:
    """One config in every variant of VARIANTS."""
    settings = [Setting(config, variant) for variant in variants]
    for _ in range(1 + repeat):
        for setting in settings:
            setting.take_turn(dataset)
    return [setting.result() for setting in settings]


def measure(
    configs: Sequence[TrainConfig], variants: Sequence[str], *, resolution: int, repeat: int
) -> Iterator[dict]:
    """Every config in every variant, a config at a time, so that one after another fits."""
    dataset = Noise(resolution)
    for config in configs:
        yield from in_turns(config, variants, dataset, repeat)
        free_memory()


def table(title: str, results: Sequence[dict], cells: Callable[[dict], dict[str, float]]) -> str:
    """One row per result; the names of its cells head the columns."""
    header, rows = "", []
    for r in results:
        row = f"{r['preset']} {r['batch']} {r['variant']}".ljust(NAME_WIDTH)
        if "failure" in r:
            rows.append(f"{row}{r['failure']}")
            continue
        header = " " * NAME_WIDTH + "".join(f"{name:>12}" for name in cells(r))
        rows.append(row + "".join(f"{value:12.3f}" for value in cells(r).values()))
    return "\n".join([title, header, *rows])


def summary(results: Sequence[dict]) -> str:
    """Where the time goes, and below it how much it is."""

    def inside(r: dict) -> dict[str, float]:
        return {name: part["wall"] for name, part in r["inside"].items()}

    def parts(r: dict) -> dict[str, float]:
        return {name: part["wall"] * part["per_step"] for name, part in r["parts"].items()}

    def total(r: dict) -> dict[str, float]:
        times = {"s per kimg": r["seconds_per_kimg"], "cpu": r["cpu_seconds_per_kimg"]}
        spread = {"least": min(r["each_round"]), "most": max(r["each_round"])}
        return times | spread | {"GFLOP/s": r["gflops"], "peak MB": r["peak_bytes"] / 1e6}

    measured = [r for r in results if "failure" not in r]
    return "\n\n".join(
        [
            table("Seconds per kimg inside the parts, each once per step", measured, inside),
            table("Seconds per kimg of the parts, as often as a step has them", measured, parts),
            table("Their sum (preset, batch, variant)", results, total),
        ]
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write the file, print the table; exits with 1 if nothing could be measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--preset", nargs="+", choices=PRESETS, default=["tiny"])
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--batch", nargs="+", type=int, help="left out: as the preset says")
    parser.add_argument("--precision", nargs="+", choices=("no", "bf16"), default=["no", "bf16"])
    parser.add_argument("--repeat", type=int, default=5, help="rounds that count (default: 5)")
    parser.add_argument("--threads", type=int, help="left out: all cores")
    parser.add_argument(
        "--out", type=report_file, default=Path("benchmarks/results/train_step.json")
    )
    args = parser.parse_args(argv)
    for name in ("repeat", "threads"):
        if (value := getattr(args, name)) is not None and value < 1:
            parser.error(f"--{name} must be at least 1, got {value}")
    keep_freed_memory()
    if args.threads:
        torch.set_num_threads(args.threads)
    else:
        use_all_cores()
    torch.backends.cudnn.benchmark = True  # as in training
    batches = [[f"--batch={batch}"] for batch in args.batch or ()] or [[]]
    configs = [
        parse_args(["--data=.", "--out=.", f"--preset={preset}", *batch])
        for preset in args.preset
        for batch in batches
    ]
    variants = [
        name
        for name, variant in VARIANTS.items()
        if variant.precision in args.precision
        and (torch.cuda.is_available() or not variant.gpu_only)
    ]
    about = {"machine": machine(), "resolution": args.resolution, "repeat": args.repeat}
    results = []
    for result in measure(configs, variants, resolution=args.resolution, repeat=args.repeat):
        results.append(result)
        save_json(about | {"settings": results}, args.out)
    print(f"{machine()}\n\n{summary(results)}")
    if all("failure" in r for r in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
