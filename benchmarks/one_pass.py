"""One pass for each part of a step against PyTorch's own: `python -m benchmarks.one_pass`.

On a CPU with llvmlite, for what is neither convolution nor nonlinearity. Both forms get the same
noise, in the shapes of large layers of `tiny`, in turns. A line per operation and type has the
medians, in milliseconds of CPU time of one core, of a pass and its gradients. A JSON file has the
same.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.fused import Works, cpu_ms, medians
from benchmarks.machine import machine, report_file, save_json
from stylegan import kernels, ops
from stylegan.activation import CLAMP
from stylegan.memory import keep_freed_memory

CHANNELS, DRAWN, JUDGED = 64, 84, 64  # pixels of a layer of G, and of one of D
FORMS = {"separate": kernels.Programs, "one pass": kernels.compiled}


def noise(batch: int, side: int, dtype: torch.dtype) -> Tensor:
    """(batch, CHANNELS, side, side), channels last."""
    x = torch.randn(batch, CHANNELS, side, side).to(dtype, memory_format=torch.channels_last)
    return x.requires_grad_()


def operations(batch: int, dtype: torch.dtype) -> Works:
    """Each with its gradients, if it has any."""
    drawn, judged = noise(batch, DRAWN, dtype), noise(batch, JUDGED, dtype)
    style = (torch.rand(batch, CHANNELS) + 0.5).requires_grad_()

    def with_gradients(f: Callable[..., Tensor], leaves: list[Tensor]) -> Callable[[], object]:
        grad = torch.randn_like(f(*leaves))
        return lambda: torch.autograd.grad(f(*leaves), leaves, grad)

    return {
        "styles": with_gradients(ops.scale, [drawn, style]),
        "mean square": lambda: ops.mean_square(drawn),
        "leaky ReLU and clamp": with_gradients(lambda x: ops.activate(x, CLAMP), [judged]),
        "low-pass": with_gradients(lambda x: ops.downsample_blur(x, 2, 1), [judged]),
        "low-pass, every second sample": with_gradients(
            lambda x: ops.downsample_blur(x, 1, 2), [judged]
        ),
    }


def compare(work: Callable[[], object], repeat: int) -> dict[str, float]:
    """Milliseconds of each form."""

    def formed(form: Callable[[], kernels.Programs]) -> Callable[[], None]:
        def run() -> None:
            kernels.compiled = form
            work()

        return run

    before = kernels.compiled
    try:
        return medians({name: formed(form) for name, form in FORMS.items()}, cpu_ms, repeat)
    finally:
        kernels.compiled = before


def main(argv: Sequence[str] | None = None) -> None:
    """Compare, print a line per operation, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=20, help="rounds that count (default: 20)")
    parser.add_argument("--out", type=report_file, default=Path("benchmarks/results/one_pass.json"))
    args = parser.parse_args(argv)
    if kernels.compiled() == kernels.Programs():
        parser.error("this comparison needs llvmlite: pip install llvmlite")
    keep_freed_memory()
    torch.set_num_threads(1)
    results = []
    for dtype in (torch.bfloat16, torch.float32):
        for name, work in operations(args.batch, dtype).items():
            ms = compare(work, args.repeat)
            results.append({"operation": name, "dtype": str(dtype)[6:], "ms": ms})
            print(json.dumps(results[-1]), flush=True)
    save_json({"machine": machine(), "batch": args.batch, "results": results}, args.out)


if __name__ == "__main__":
    main()
