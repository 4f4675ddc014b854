"""The fused nonlinearity against the convolutions, on a GPU: `python -m benchmarks.fused`.

Both get the same noise on the layers of preset `space`. A line per layer and type has the largest
differences of the values and of the gradients by x, gain and bias, over the largest value, and the
medians in milliseconds of a pass forward and of one forward and backward; a JSON file has the same.
The first call of a layer compiles its kernel, for some seconds.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.machine import machine, report_file, save_json
from stylegan import ops
from stylegan.filters import lowpass
from stylegan.specs import LayerSpec, layer_specs
from training.config import TrainConfig

Nonlinearity = Callable[..., Tensor]


def median_ms(work: Callable[[], object], repeat: int) -> float:
    """Between two events on the device, after three rounds that only warm up."""
    times = []
    for _ in range(3 + repeat):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times[3:])


def compare(
    forms: dict[str, Nonlinearity], spec: LayerSpec, x: Tensor, time: Callable[..., float]
) -> dict[str, object]:
    """One layer, x (N, C, H, H): the second form's distance from the first, and `time` of both."""
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
    found, ms = [], {}
    for form, f in forms.items():
        y = f(x, *filters, *leaves[1:])
        found.append([y, *torch.autograd.grad(y, leaves, weight)])

        def both_ways(f: Nonlinearity = f) -> None:
            torch.autograd.grad(f(x, *filters, *leaves[1:]), leaves, weight)

        with torch.no_grad():
            ms[form] = time(lambda f=f: f(x, *filters, *leaves[1:]))
        ms[f"{form} with gradients"] = time(both_ways)
    errors = [
        ((b.double() - a.double()).abs().max() / a.double().abs().max()).item()
        for a, b in zip(*found, strict=True)
    ]
    errors = dict(zip(("values", "x", "gain", "bias"), errors, strict=True))
    return {"layer": spec.name, "dtype": str(x.dtype)[6:], "error": errors, "ms": ms}


def main(argv: Sequence[str] | None = None) -> None:
    """Compare, print a line per layer, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=20, help="rounds that count (default: 20)")
    parser.add_argument("--out", type=report_file, default=Path("benchmarks/results/fused.json"))
    args = parser.parse_args(argv)
    if not torch.cuda.is_available():
        parser.error("this comparison needs a GPU with CUDA, and there is none")
    from stylegan import fused

    forms = {"convolutions": ops.convolved_lrelu, "fused": fused.filtered_lrelu}
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        for spec in layer_specs(TrainConfig(data=".", out=".").generator(args.resolution, 0))[:-1]:
            side = spec.in_size + spec.kernel - 1
            x = torch.randn(args.batch, spec.out_channels, side, side, device="cuda", dtype=dtype)
            x = x.to(memory_format=torch.channels_last)
            results.append(compare(forms, spec, x, lambda work: median_ms(work, args.repeat)))
            print(json.dumps(results[-1]), flush=True)
    report = {"machine": machine(), "batch": args.batch, "results": results}
    save_json(report, args.out)


if __name__ == "__main__":
    main()
