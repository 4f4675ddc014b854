"""The discriminator's low-pass in one pass over the image, on a CPU.

    downsample_blur   as its namesake in `stylegan.ops`, which calls it where it can be used

A job is one row of the result: the rows that it needs are added up into a buffer, along H, and the
buffer along W. PyTorch would take images in bfloat16 through float32 and back. Images are float32
or bfloat16, channels last; sums are in float32.
Legend: N batch, C channels, H and W pixels.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.autograd import Function

from stylegan.jit import Program, Value
from stylegan.threads import share

TAPS = [1 / 8, 3 / 8, 3 / 8, 1 / 8]  # along an axis
MARGIN = len(TAPS) - 1  # zeros on either side of the buffer


def _met(
    f: Program, at: Value, stride: int, padding: int, spread: bool
) -> list[tuple[Value, Value]]:
    """Which samples along an axis make sample `at` of the result, and their weights.

    Sample i of the many meets sample o of the few at tap i + padding - o * stride. `spread`: the
    few make the many, as the gradient does, with a stride of 2.
    """
    if not spread:
        return [(at * stride + (t - padding), f.zeros() + tap) for t, tap in enumerate(TAPS)]
    at = at + padding
    odd, last = (at & 1) > 0, at // 2
    taps = [(f.zeros() + TAPS[t + 1]).where(odd, TAPS[t]) for t in (0, 2)]
    return [(last, taps[0]), (last - 1, taps[1])]


@cache
def _program(stride: int, padding: int, spread: bool, half: bool) -> Callable[..., None]:
    f = Program("x y room", "first last channels in_size out_size")
    line, inside = f.in_size * f.channels, f.at(f.room, f.channels * MARGIN)
    f.clear(f.room, f.channels * MARGIN)
    f.clear(f.at(inside, line), f.channels * MARGIN)
    with f.loop(f.first, f.last) as job:
        image = job // f.out_size
        rows = []
        for row, weight in _met(f, job - image * f.out_size, stride, padding, spread):
            nearest = row.most(0).least(f.in_size - 1)
            rows.append(
                ((image * f.in_size + nearest) * line, weight.where(row.within(f.in_size), 0.0))
            )
        with f.loop(0, (line + (f.lanes - 1)) // f.lanes) as vector:
            here = (vector * f.lanes).least(line - f.lanes)  # the last ones overlap
            total = f.zeros()
            for row, weight in rows:
                total += f.load(f.x, row + here, half=half) * weight
            f.store(total, inside, here)
        with f.loop(0, f.out_size) as column:
            met = _met(f, column, stride, padding, spread)
            places = [(f.at(inside, at * f.channels), weight) for at, weight in met]
            y = (job * f.out_size + column) * f.channels
            with f.loop(0, (f.channels + (f.lanes - 1)) // f.lanes) as vector:
                here = (vector * f.lanes).least(f.channels - f.lanes)
                total = f.zeros()
                for place, weight in places:
                    total += f.load(place, here) * weight
                f.store(total, f.y, y + here, half=half)
    return f.compiled()


def _apply(x: Tensor, padding: int, stride: int, size: int, spread: bool) -> Tensor:
    """(N, C, size, size)"""
    x = x.contiguous(memory_format=torch.channels_last)
    images, channels, in_size, _ = x.shape
    shape = images, channels, size, size
    y = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
    if spread and stride == 1:  # the taps are the same from both ends
        padding, spread = MARGIN - padding, False
    run = _program(stride, padding, spread, x.dtype == torch.bfloat16)

    def work(first: int, last: int) -> None:
        room = torch.empty((in_size + 2 * MARGIN) * channels)
        places = x.data_ptr(), y.data_ptr(), room.data_ptr()
        run(*places, first, last, channels, in_size, size)

    share(work, images * size)
    return y


class _Blur(Function):
    """Linear: its derivative is itself with the few and the many exchanged."""

    @staticmethod
    def forward(ctx, x, padding, stride, size, spread):
        ctx.rest = padding, stride, x.shape[2], not spread
        return _apply(x, padding, stride, size, spread)

    @staticmethod
    def backward(ctx, grad):
        return _Blur.apply(grad, *ctx.rest), *[None] * 4


def downsample_blur(x: Tensor, padding: int, stride: int) -> Tensor:
    """See `stylegan.ops.downsample_blur`; a stride of 1 or 2, a padding of at most 3."""
    size = (x.shape[2] + 2 * padding - len(TAPS)) // stride + 1
    return _Blur.apply(x, padding, stride, size, False)
