"""How long drawing takes on a CPU: `python -m benchmarks.draw`.

Networks of random weights draw the same styles, one after another; each in turns ours in float32
and bfloat16, and the textbook formulation of `benchmarks.plain`. Each is timed on one core as
process CPU time, which a busy machine hardly disturbs, and on two as time on the clock. A first
round only warms up. The table and a picture come last; a JSON file has the medians so far:

    cpu_ms          per image, one thread, process CPU time
    wall_ms         per image, two threads, on the clock
    gemm_gflops     matrix products in that type, on one core in the same rounds
    gemm_fraction   of that rate, counting the multiplications of convolutions as their formula has
    of_plain        cpu_ms over that of the textbook formulation
    psnr            of the first images against ours in float32, in dB, black to white 2
    error           largest difference from ours in float32, over its largest value
"""

import argparse
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import plain
from benchmarks.machine import gemm_gflops, machine, report_file, save_json
from stylegan import Generator, GeneratorConfig, sample_z
from stylegan.memory import keep_freed_memory
from stylegan.precision import draw

T, R = GeneratorConfig.stylegan3_t, GeneratorConfig.stylegan3_r
NETWORKS = {
    "T 14 layers 4096/128": (T, dict(channel_base=4096, channel_max=128)),
    "T 14 layers 4096/256": (T, dict(channel_base=4096, channel_max=256)),
    "T 14 layers 16384/256": (T, dict(channel_base=16384, channel_max=256)),
    "T 10 layers 8192/128": (T, dict(num_layers=10, channel_base=8192, channel_max=128)),
    "T 10 layers 2048/64": (T, dict(num_layers=10, channel_base=2048, channel_max=64)),
    "R 14 layers 8192/256": (R, dict(channel_base=8192, channel_max=256)),
}


FORMS = {
    "float32": (partial(draw, dtype=torch.float32), torch.float32),
    "bfloat16": (partial(draw, dtype=torch.bfloat16), torch.bfloat16),
    "plain": (plain.draw, torch.float32),
}


def convolution_flops(G: Generator) -> int:
    """Of one image; a multiply-add is two."""
    total = 0
    for name in G.synthesis.layer_names:
        spec = G.synthesis.get_submodule(name).spec
        side = spec.in_size + spec.kernel - 1
        total += 2 * spec.out_channels * spec.in_channels * spec.kernel**2 * side**2
    return total


@dataclass(frozen=True)
class Setting:
    """A network and a batch, what its rounds took and how fast matrix products were meanwhile."""

    network: str
    resolution: int
    batch: int
    G: Generator
    ws: Tensor
    times: dict[tuple[str, int], list[float]]  # by form and number of threads
    rates: dict[torch.dtype, list[float]]

    @torch.inference_mode()
    def take_turn(self) -> None:
        """Draw once in every form, on one thread and on two."""
        torch.set_num_threads(1)
        for dtype in {dtype for _, dtype in FORMS.values()}:
            self.rates.setdefault(dtype, []).append(gemm_gflops(dtype))
        for threads, clock in ((1, time.process_time), (2, time.perf_counter)):
            torch.set_num_threads(threads)
            for form, (form_draws, _) in FORMS.items():
                start = clock()
                form_draws(self.G, self.ws)
                seconds = clock() - start
                self.times.setdefault((form, threads), []).append(1000 * seconds / self.batch)

    @torch.inference_mode()
    def results(self) -> list[dict]:
        """One per form, without the first round."""
        cpu, wall = (
            {form: statistics.median(self.times[form, threads][1:]) for form in FORMS}
            for threads in (1, 2)
        )
        gflop, expected, results = convolution_flops(self.G) / 1e9, self.G.synthesis(self.ws), []
        for form, (form_draws, dtype) in FORMS.items():
            difference = form_draws(self.G, self.ws) - expected
            noise, gemm = difference.square().mean().item(), statistics.median(self.rates[dtype])
            results.append(
                {
                    **dict(network=self.network, resolution=self.resolution, batch=self.batch),
                    **dict(form=form, cpu_ms=cpu[form], wall_ms=wall[form], gemm_gflops=gemm),
                    "gemm_fraction": gflop / (cpu[form] / 1000) / gemm,
                    "of_plain": cpu[form] / cpu["plain"],
                    "psnr": 10 * math.log10(4 / noise) if noise else None,
                    "error": (difference.abs().max() / expected.abs().max()).item(),
                }
            )
        return results


def calibrated(config: GeneratorConfig) -> Generator:
    """Random weights whose layers know the magnitude of their inputs, as trained ones do."""
    torch.manual_seed(0)
    G = Generator(config).eval()
    ws = G.mapping(sample_z(range(4), G.z_dim))
    with torch.no_grad():
        for _ in range(len(G.synthesis.layer_names)):
            G.synthesis(ws, ema_images=10**6)
    return G


def measure(
    networks: Sequence[str], resolutions: Sequence[int], batches: Sequence[int], repeat: int
) -> Iterator[list[dict]]:
    """Results of each setting, one after another."""
    for network in networks:
        preset, sizes = NETWORKS[network]
        for resolution in resolutions:
            G = calibrated(preset(resolution, **sizes))
            for batch in batches:
                with torch.inference_mode():
                    ws = G.mapping(sample_z(range(batch), G.z_dim))
                setting = Setting(network, resolution, batch, G, ws, {}, {})
                for _ in range(1 + repeat):
                    setting.take_turn()
                yield setting.results()


def table(results: Sequence[dict]) -> str:
    """A row per setting and form."""
    lines = [
        f"{'network':24}{'px':>5}{'batch':>6}  {'form':10}{'cpu ms':>9}{'wall ms':>9}"
        f"{'of GEMM':>9}{'of plain':>9}{'PSNR':>7}{'error':>10}"
    ]
    for r in results:
        psnr = f"{r['psnr']:7.1f}" if r["psnr"] else "      -"
        lines.append(
            f"{r['network']:24}{r['resolution']:5}{r['batch']:6}  {r['form']:10}{r['cpu_ms']:9.1f}"
            f"{r['wall_ms']:9.1f}{r['gemm_fraction']:9.2f}{r['of_plain']:9.2f}{psnr}{r['error']:10.1e}"
        )
    return "\n".join(lines)


def save_picture(results: Sequence[dict], path: Path) -> None:
    """Milliseconds of process CPU time per image, a group of bars per setting."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    groups = list(dict.fromkeys((r["network"], r["resolution"], r["batch"]) for r in results))
    figure, axes = pyplot.subplots(figsize=(8, 1 + 0.45 * len(groups)))
    for i, form in enumerate(FORMS):
        values = [r["cpu_ms"] for r in results if r["form"] == form]
        rows = [n + 0.25 * (i - 1) for n in range(len(groups))]
        axes.bar_label(axes.barh(rows, values, 0.25, label=form), fmt=" %.0f", fontsize=7)
    axes.set_yticks(range(len(groups)), [f"{n}, {px} px, batch {b}" for n, px, b in groups])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("process CPU time per image on one core, ms")
    axes.legend()
    figure.savefig(path, bbox_inches="tight", dpi=100)
    pyplot.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write the files, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--resolution", nargs="+", type=int, default=[64])
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 8, 25])
    parser.add_argument("--repeat", type=int, default=7, help="rounds that count (default: 7)")
    parser.add_argument("--out", type=report_file, default=Path("benchmarks/results/draw.json"))
    args = parser.parse_args(argv)
    for name in ("resolution", "batch", "repeat"):
        value = getattr(args, name)
        if min(value if isinstance(value, list) else [value]) < 1:
            parser.error(f"--{name} must be at least 1")
    keep_freed_memory()
    report, results = {"machine": machine(), "repeat": args.repeat}, []
    for found in measure(args.network, args.resolution, args.batch, args.repeat):
        results += found
        save_json(report | {"results": results}, args.out)
    save_picture(results, args.out.with_suffix(".png"))
    print(f"{report}\n\n{table(results)}")


if __name__ == "__main__":
    main()
