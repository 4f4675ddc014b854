"""How the time and memory of drawing grow on a CPU: `python -m benchmarks.growth`.

One size of a small network of config T is changed at a time, every setting in a process of its
own, on one thread. A row of the table is an axis, with the exponents fitted on log axes: of time
(process CPU time of a drawing, the median), of memory (the most that the first drawing takes above
the loaded weights) and of the operations of the convolutions, to compare with.
"""

import argparse
import math
import resource
import statistics
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from benchmarks.draw import convolution_flops
from benchmarks.machine import machine, report_file, save_json
from stylegan import Generator, GeneratorConfig, sample_z
from stylegan.memory import keep_freed_memory

BASE = {"resolution": 64, "batch": 1, "layers": 10, "channels": 64}
AXES = {
    "resolution": [64, 128, 256, 512, 1024],
    "batch": [1, 2, 4, 8, 16, 32],
    "layers": [6, 8, 10, 14, 20, 28],
    "channels": [16, 32, 64, 128, 256, 512],
}
KINDS = {"cpu_seconds": "seconds", "peak_mb": "MB", "gflop": "GFLOP of convolutions"}
PAGE_MB, KILOBYTE_MB = resource.getpagesize() / 1e6, 1024 / 1e6


@torch.inference_mode()
def draw_once(resolution: int, batch: int, layers: int, channels: int, repeat: int) -> dict:
    """Seconds, megabytes and operations of a drawing; to be called once per process."""
    torch.set_num_threads(1)
    keep_freed_memory()
    sizes = dict(num_layers=layers, channel_base=channels * resolution, channel_max=channels)
    G = Generator(GeneratorConfig.stylegan3_t(resolution, **sizes)).eval()
    ws = G.mapping(sample_z(range(batch), G.z_dim))
    before = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MB
    G.synthesis(ws)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE_MB
    times = []
    for _ in range(repeat):
        start = time.process_time()
        G.synthesis(ws)
        times.append(time.process_time() - start)
    return {
        "cpu_seconds": statistics.median(times),
        "peak_mb": peak - before,
        "gflop": batch * convolution_flops(G) / 1e9,
    }


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """b of the line log(value) = a + b log(size) through the points."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def measure(axes: dict[str, list[int]], repeat: int) -> list[dict]:
    """One result per axis: its sizes, what was measured at each, and the exponents."""
    results = []
    for axis, sizes in axes.items():
        points = []
        for size in sizes:
            with get_context("spawn").Pool(1) as pool:
                points.append(pool.apply(draw_once, kwds=BASE | {axis: size, "repeat": repeat}))
        columns = {kind: [point[kind] for point in points] for kind in KINDS}
        exponents = {kind: exponent(sizes, values) for kind, values in columns.items()}
        results.append({"axis": axis, "sizes": sizes, **columns, "exponents": exponents})
    return results


def table(results: Sequence[dict]) -> str:
    """A row per axis."""
    lines = [f"{'axis':12}{'from':>6}{'to':>6}" + "".join(f"{kind:>14}" for kind in KINDS)]
    for r in results:
        exponents = "".join(f"{r['exponents'][kind]:14.2f}" for kind in KINDS)
        lines.append(f"{r['axis']:12}{r['sizes'][0]:6}{r['sizes'][-1]:6}{exponents}")
    return "\n".join(lines)


def save_picture(results: Sequence[dict], path: Path) -> None:
    """A panel per axis, all quantities against the size, both on log axes."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    columns = math.ceil(len(results) / 2)
    figure, panels = pyplot.subplots(2, columns, figsize=(4.5 * columns, 7), squeeze=False)
    for r, axes in zip(results, panels.flat, strict=False):
        for kind, unit in KINDS.items():
            label = f"{unit}, exponent {r['exponents'][kind]:.2f}"
            axes.loglog(r["sizes"], r[kind], marker="o", label=label)
        axes.set_xticks(r["sizes"], r["sizes"])
        axes.minorticks_off()
        axes.set_xlabel(r["axis"])
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.savefig(path, bbox_inches="tight", dpi=80)
    pyplot.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write the files, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--axis", nargs="+", choices=AXES, default=list(AXES))
    parser.add_argument("--repeat", type=int, default=5, help="drawings that count (default: 5)")
    parser.add_argument("--out", type=report_file, default=Path("benchmarks/results/growth.json"))
    args = parser.parse_args(argv)
    if args.repeat < 1:
        parser.error("--repeat must be at least 1")
    if not Path("/proc/self/statm").exists():
        parser.error("memory is read from /proc, which only Linux has")
    results = measure({axis: AXES[axis] for axis in args.axis}, args.repeat)
    report = {"machine": machine() | {"threads": 1}, "base": BASE, "repeat": args.repeat}
    save_json(report | {"results": results}, args.out)
    save_picture(results, args.out.with_suffix(".png"))
    print(f"{report}\n\n{table(results)}")


if __name__ == "__main__":
    main()
