"""The fused nonlinearity against the convolutions: `python -m benchmarks.fused`.

On a GPU the kernel is that of Triton, else that of llvmlite for a CPU. Both forms get the same
noise on the layers of a preset, in turns. A line per layer and type has the largest differences of
the values and of the gradients by x, gain and bias, over the largest value, and the medians in
milliseconds of a pass forward and of one forward and backward, on a CPU of CPU time. A JSON file
has the same. The first call of a layer compiles its kernel.
"""

import argparse
import importlib
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.machine import machine, report_file, save_json
from stylegan import ops
from stylegan.filters import lowpass
from stylegan.memory import keep_freed_memory
from stylegan.specs import LayerSpec, layer_specs
from training.config import PRESETS, parse_args

Nonlinearity = Callable[..., Tensor]
Works, Milliseconds = dict[str, Callable[[], object]], dict[str, float]


def gpu_ms(work: Callable[[], object]) -> float:
    """Between two events on the device."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    work()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)


def cpu_ms(work: Callable[[], object]) -> float:
    """Of all threads of this process."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def medians(works: Works, ms: Callable[[Callable[[], object]], float], repeat: int) -> Milliseconds:
    """In turns, after three rounds that only warm up."""
    times = {name: [] for name in works}
    for _ in range(3 + repeat):
        for name, work in works.items():
            times[name].append(ms(work))
    return {name: statistics.median(found[3:]) for name, found in times.items()}


def compare(
    forms: dict[str, Nonlinearity],
    spec: LayerSpec,
    x: Tensor,
    take_times: Callable[[Works], Milliseconds],
) -> dict[str, object]:
    """One layer, x (N, C, H, H): how far the second form is from the first, and both times."""
    up = lowpass(spec.up_taps, spec.in_cutoff, spec.in_half_width, spec.tmp_rate).to(x.device)
    down = lowpass(spec.down_taps, spec.out_cutoff, spec.out_half_width, spec.tmp_rate).to(x.device)
    gain = torch.rand(x.shape[:2], device=x.device) + 0.5
    leaves = x, gain, torch.randn(x.shape[1], device=x.device)
    for leaf in leaves:
        leaf.requires_grad_()
    filters = up, down, spec.up, spec.down, spec.padding[0], spec.out_size
    side = spec.out_size
    weight = torch.randn(*x.shape[:2], side, side, device=x.device, dtype=x.dtype)
    weight = weight.to(memory_format=torch.channels_last)
    found, works = [], {}
    for form, f in forms.items():
        y = f(x, *filters, *leaves[1:])
        found.append([y, *torch.autograd.grad(y, leaves, weight)])

        def one_way(f: Nonlinearity = f) -> None:
            with torch.no_grad():
                f(x, *filters, *leaves[1:])

        def both_ways(f: Nonlinearity = f) -> None:
            torch.autograd.grad(f(x, *filters, *leaves[1:]), leaves, weight)

        works |= {form: one_way, f"{form} with gradients": both_ways}
    ms = take_times(works)
    errors = [
        ((b.double() - a.double()).abs().max() / a.double().abs().max()).item()
        for a, b in zip(*found, strict=True)
    ]
    errors = dict(zip(("values", "x", "gain", "bias"), errors, strict=True))
    return {"layer": spec.name, "dtype": str(x.dtype)[6:], "error": errors, "ms": ms}


def main(argv: Sequence[str] | None = None) -> None:
    """Compare, print a line per layer, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--preset", choices=PRESETS, default="space")
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=20, help="rounds that count (default: 20)")
    parser.add_argument("--out", type=report_file, default=Path("benchmarks/results/fused.json"))
    args = parser.parse_args(argv)
    device, ms = ("cuda", gpu_ms) if torch.cuda.is_available() else ("cpu", cpu_ms)
    try:
        name = "stylegan.fused" if device == "cuda" else "stylegan.fused_cpu"
        fused = importlib.import_module(name)
    except ImportError as error:
        needed = "triton" if device == "cuda" else "llvmlite"
        parser.error(f"this comparison needs {needed}: pip install {needed} ({error})")
    keep_freed_memory()
    forms = {"convolutions": ops.convolved_lrelu, "fused": fused.filtered_lrelu}
    config = parse_args(["--data=.", "--out=.", f"--preset={args.preset}"])
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        for spec in layer_specs(config.generator(args.resolution, 0))[:-1]:
            side = spec.in_size + spec.kernel - 1
            x = torch.randn(args.batch, spec.out_channels, side, side, device=device, dtype=dtype)
            x = x.to(memory_format=torch.channels_last)
            results.append(compare(forms, spec, x, lambda works: medians(works, ms, args.repeat)))
            print(json.dumps(results[-1]), flush=True)
    report = {"machine": machine(), "preset": args.preset, "batch": args.batch}
    save_json(report | {"results": results}, args.out)


if __name__ == "__main__":
    main()
