"""The filtered nonlinearity in one pass over the image, for separable filters on a CPU.

    filtered_lrelu   as its namesake in `stylegan.ops`, which calls it where it can be used

The mathematics is that of `stylegan.fused`: what interpolates and what decimates change places for
the gradient, and the derivative of the activation, found on the way forward, is a mask of two bits
a sample. Each job has as many channels of one image as a vector has numbers. It walks down the rows
and keeps in the cache what it needs: the few rows of x that the filter spans, and as many rows that
are decimated along W. Everything is summed in float32, and reads and writes float32 or bfloat16,
channels last.
Legend: N batch, C channels, H and W pixels; mid: between the filters.

Reference: Karras et al. 2021 (arXiv:2106.12423), App. D, for the idea of a single kernel.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from stylegan.activation import CLAMP, SLOPE, gain_and_bias
from stylegan.jit import Program, Value, num_lanes
from stylegan.threads import share

TAPS = 6  # of either filter for one of the few samples, along an axis
STEP = 4  # mid samples made at once, along an axis: both rates divide it
ROWS_IN = 8  # rows of x at hand, a power of 2
MOST_ACROSS = 32  # rows decimated along W at hand, at most
POINTERS = "x y mask gain bias seen sums inner outer room"
NUMBERS = "first last channels blocks in_size mid_size out_size origin offset steps"


class Kind(NamedTuple):
    """What a program is written for."""

    up: int
    down: int
    shift: int  # mid samples before those that y needs, so that every step begins alike
    half: bool  # bfloat16
    given: bool  # the mask is read, else it is found
    keep: bool  # what is found is written
    summed: bool  # y gets the gain, and before that it is summed, times `seen` and by itself


class _Writer:
    """Writes the program of a kind.

    Mid sample v, counted from the first of all steps, comes from the samples v // up + (0 ... 5) of
    x, counted from `origin`; sample i of y from mid samples i * down + shift + (0, 1, ...).
    """

    def __init__(self, kind: Kind):
        self.kind, self.f = kind, Program(POINTERS, NUMBERS)
        f, up, down = self.f, kind.up, kind.down
        self.length = TAPS * down  # taps of the filter that decimates
        self.new, self.done = STEP // up, STEP // down  # samples: of x that a step needs, of y
        self.low = -((kind.shift + self.length - 1) // down)  # first y of step 0; none if below 0
        self.high = (STEP - 1 - kind.shift) // down  # last y that step 0 adds to
        self.rows_across = 1 << (STEP - 1 - self.low * down - kind.shift).bit_length()
        self.columns, self.line = f.steps * self.new + (TAPS - 1), f.steps * self.done
        self.rows_x = f.room
        self.rows_mid = f.at(self.rows_x, self.columns * (ROWS_IN * f.lanes))
        self.rows_y = f.at(self.rows_mid, self.columns * (STEP * f.lanes))
        self.words = f.at(self.rows_y, self.line * (self.rows_across * f.lanes))
        self.inner = [f.load_same(f.inner, k) for k in range(TAPS * up)]
        self.outer = [f.load_same(f.outer, k) for k in range(self.length)]

    def write(self) -> Program:
        f, kind = self.f, self.kind
        self.totals = f.variables(2)
        with f.loop(f.first, f.last) as job:
            image = job // f.blocks
            start = (job - image * f.blocks) * f.lanes
            channel = start.least(f.channels - f.lanes)  # the last ones overlap
            self.x = image * (f.in_size * f.in_size * f.channels) + channel
            self.y = image * (f.out_size * f.out_size * f.channels) + channel
            self.mask = f.at(f.mask, job * (f.mid_size * f.mid_size))
            self.gain = f.load(f.gain, image * f.channels + channel)
            self.bias = None if kind.given else f.load(f.bias, channel)
            f.clear(self.rows_x, self.columns * (ROWS_IN * f.lanes))
            if kind.given:
                f.clear(self.words, f.steps * STEP)
            for total in self.totals:
                f.set(total, f.zeros())
            with f.loop(0, TAPS - 1) as row:
                self._take_row(row)
            with f.loop(0, f.steps) as step:
                for i in range(self.new):
                    self._take_row(step * self.new + (TAPS - 1 + i))
                self._interpolate_rows(step)
                with f.loop(0, STEP) as j:
                    self._take_across(step * STEP + j, j)
                self._finish_rows(step)
            if kind.summed:
                for k, total in enumerate(self.totals):
                    f.store(f.get(total), f.sums, (image * 2 + k) * f.channels + channel)
        return f

    def _row_x(self, row: Value) -> Value:
        return self.f.at(self.rows_x, (row & (ROWS_IN - 1)) * self.columns * self.f.lanes)

    def _row_y(self, row: Value) -> Value:
        return self.f.at(self.rows_y, (row & (self.rows_across - 1)) * self.line * self.f.lanes)

    def _take_row(self, row: Value) -> None:
        """Gain and bias for a row of x; outside of x there are zeros."""
        f, target, at = self.f, self._row_x(row), row + self.f.origin
        with f.either(at.within(f.in_size)) as (inside, outside):
            with outside:
                f.clear(target, self.columns * f.lanes)
            with inside:
                source = self.x + (at * f.in_size + f.origin) * f.channels
                left, right = (f.origin * -1).most(0), self.columns.least(f.in_size - f.origin)
                with f.loop(left, right) as i:
                    value = f.load(f.x, source + i * f.channels, half=self.kind.half)
                    if not self.kind.given:
                        value = value * self.gain + self.bias
                    f.store(value, target, i * f.lanes)

    def _interpolated(self, samples: list[Value], j: int) -> Value:
        """Mid sample j of a step."""
        up = self.kind.up
        taps = self.inner[up - 1 - j % up :: up]
        return _sum(x * tap for x, tap in zip(samples[j // up :], taps, strict=False))

    def _interpolate_rows(self, step: Value) -> None:
        """Along H: a step's rows, as wide as x still."""
        f = self.f
        heads = [self._row_x(step * self.new + i) for i in range(TAPS - 1 + self.new)]
        with f.loop(0, self.columns) as i:
            samples = [f.load(head, i * f.lanes) for head in heads]
            for j in range(STEP):
                f.store(
                    self._interpolated(samples, j), self.rows_mid, (self.columns * j + i) * f.lanes
                )

    def _take_across(self, row: Value, j: Value) -> None:
        """Along W, and the activation: mid row `row`, which is row j of its step."""
        f, kind, mid_row = self.f, self.kind, row + self.f.offset
        source = f.at(self.rows_mid, self.columns * j * f.lanes)
        target = self._row_y(row)
        first = f.offset.most(0)
        count = (f.offset + f.steps * STEP).least(f.mid_size) - first
        in_row = f.at(self.words, first - f.offset)
        in_mask = f.at(self.mask, mid_row * f.mid_size + first)
        if not kind.given:
            self._across(source, target)
            if kind.keep:
                with f.when(mid_row.within(f.mid_size)):
                    f.copy(in_mask, in_row, count)
            return
        with f.either(mid_row.within(f.mid_size)) as (inside, outside):
            with inside:
                f.copy(in_row, in_mask, count)
                self._across(source, target)
            with outside:
                f.clear(target, self.line * f.lanes)

    def _across(self, source: Value, target: Value) -> None:
        """A window of samples moves to the right, and so do the sums that are not complete."""
        f, down = self.f, self.kind.down
        window = f.variables(TAPS - 1)
        sums = f.variables(self.high - self.low + 1 - self.done)
        for k, variable in enumerate(window):
            f.set(variable, f.load(source, k * f.lanes))
        for variable in sums:
            f.set(variable, f.zeros())
        with f.loop(0, f.steps) as step:
            samples = [f.get(variable) for variable in window]
            for i in range(self.new):
                samples.append(f.load(source, (step * self.new + (TAPS - 1 + i)) * f.lanes))
            partial = [f.get(variable) for variable in sums] + [f.zeros()] * self.done
            for j in range(STEP):
                value = self._activated(self._interpolated(samples, j), step * STEP + j)
                for k in range(self.low, self.high + 1):
                    if 0 <= (t := j - self.kind.shift - k * down) < self.length:
                        partial[k - self.low] += value * self.outer[t]
            for k in range(self.done):
                f.store(partial[k], target, (step * self.done + k) * f.lanes)
            for variable, value in zip(window, samples[self.new :], strict=True):
                f.set(variable, value)
            for variable, value in zip(sums, partial[self.done :], strict=True):
                f.set(variable, value)

    def _activated(self, value: Value, column: Value) -> Value:
        f, kind = self.f, self.kind
        if kind.given:
            steep, bound = f.load_truths(self.words, column)
            return f.zeros().where(bound, value.where(steep, value * SLOPE))
        steep = value > 0.0
        if kind.keep:
            bound = (value >= CLAMP) | (value <= -CLAMP / SLOPE)
            f.store_truths(steep, bound, self.words, column)
        return value.where(steep, value * SLOPE).least(CLAMP).most(-CLAMP)

    def _finish_rows(self, step: Value) -> None:
        """Along H: the rows of y that this step completes, together if there are two."""
        f, row = self.f, step * self.done + self.low
        if self.done == 1:
            with f.when(row.within(f.out_size)):
                self._finish(row, 1)
            return
        valid = row.within(f.out_size), (row + 1).within(f.out_size)
        with f.either(valid[0] & valid[1]) as (both, one):
            with both:
                self._finish(row, 2)
            with one:
                for r in range(2):
                    with f.when(valid[r]):
                        self._finish(row + r, 1)

    def _finish(self, row: Value, count: int) -> None:
        f, kind, down = self.f, self.kind, self.kind.down
        first, margin = row * down + kind.shift, -self.low
        rows = self.length + (count - 1) * down
        heads = [f.at(self._row_y(first + t), margin * f.lanes) for t in range(rows)]
        with f.loop(0, f.out_size) as i:
            samples = [f.load(head, i * f.lanes) for head in heads]
            for r in range(count):
                taken = zip(samples[r * down :], self.outer, strict=False)
                value = _sum(x * tap for x, tap in taken)
                place = self.y + ((row + r) * f.out_size + i) * f.channels
                if kind.summed:
                    seen = f.load(f.seen, place, half=kind.half)
                    for total, part in zip(self.totals, (value * seen, value), strict=True):
                        f.set(total, f.get(total) + part)
                    value = value * self.gain
                f.store(value, f.y, place, half=kind.half)


def _sum(values: Iterable[Value]) -> Value:
    first, *others = values
    for value in others:
        first += value
    return first


@cache
def _program(kind: Kind) -> Callable[..., None]:
    return _Writer(kind).write().compiled()


class Band(NamedTuple):
    """Sample i of the few meets samples i * rate + first ... of the many, one per tap.

    `inner` has the taps to interpolate: those that mid sample 0 has from sample 0, -1, ... of the
    few. `outer` has the taps to decimate: those of sample 0 of the few.
    """

    rate: int
    first: int
    inner: Tensor
    outer: Tensor


def _apply(
    x: Tensor,
    mask: Tensor,
    inner: Band,
    outer: Band,
    mid_size: int,
    size: int,
    affine: tuple[Tensor, Tensor] | None = None,
    keep: bool = False,
    scaled: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """(N, C, size, size), and sums (N, 2, C) where `scaled`.

    With `affine`, gain (N, C) and bias (C,), the mask is found and, to `keep`, written. With
    `scaled`, an image and a gain, the sums are those of the result times that image and of the
    result alone; the result has the gain then.
    """
    num_images, channels, in_size, _ = x.shape
    x = x.contiguous(memory_format=torch.channels_last)
    shape = num_images, channels, size, size
    y = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
    before = inner.first + len(inner.inner) - 1
    shift = (outer.first - before - 1) % inner.rate
    offset = outer.first - shift
    origin = (offset - before - 1) // inner.rate + 1
    steps = -(-((size - 1) * outer.rate + shift + len(outer.outer)) // STEP)
    half, summed = x.dtype == torch.bfloat16, scaled is not None
    kind = Kind(inner.rate, outer.rate, shift, half, affine is None, keep, summed)
    nothing = x.new_empty(0)
    seen, gain = scaled or (nothing, nothing)
    gain, bias = affine or (gain if summed else torch.ones(num_images, channels), nothing)
    seen = seen.contiguous(memory_format=torch.channels_last) if summed else nothing
    sums = torch.empty((num_images, 2, channels) if summed else 0)
    run, blocks = _program(kind), -(-channels // num_lanes())
    columns = steps * STEP // inner.rate + TAPS - 1
    vectors = columns * (ROWS_IN + STEP) + steps * STEP // outer.rate * MOST_ACROSS + steps
    tensors = x, y, mask, gain, bias, seen, sums, inner.inner, outer.outer

    def work(first: int, last: int) -> None:
        room = torch.empty(vectors * num_lanes(), dtype=torch.float32)
        places = (t.data_ptr() for t in (*tensors, room))
        run(*places, first, last, channels, blocks, in_size, mid_size, size, origin, offset, steps)

    share(work, num_images * blocks)
    return y, sums


class _Masked(Function):
    """outer' (mask * (inner x inner')) outer, whose derivative is itself with bands exchanged."""

    @staticmethod
    def forward(ctx, x, mask, inner, outer, mid_size, size):
        ctx.save_for_backward(mask)
        ctx.rest = outer, inner, mid_size, x.shape[2]
        return _apply(x, mask, inner, outer, mid_size, size)[0]

    @staticmethod
    def backward(ctx, grad):
        return _Masked.apply(grad, *ctx.saved_tensors, *ctx.rest), *[None] * 5


class _FilteredLrelu(Function):
    """The mask is written here when `keep`, and from then on it is a constant."""

    @staticmethod
    def forward(ctx, x, gain, bias, up, down, mid_size, size, keep):
        words = x.shape[0] * -(-x.shape[1] // num_lanes()) * mid_size**2
        mask = torch.empty(words if keep else 0, dtype=torch.int32)
        ctx.save_for_backward(x, gain, mask)
        ctx.rest = down, up, mid_size, x.shape[2]
        return _apply(x, mask, up, down, mid_size, size, (gain, bias), keep)[0]

    @staticmethod
    def backward(ctx, grad):
        x, gain, mask = ctx.saved_tensors
        if not torch.is_grad_enabled():
            grad, sums = _apply(grad, mask, *ctx.rest, scaled=(x, gain))
            return grad, sums[:, 0], sums[:, 1].sum(dim=0), *[None] * 5
        grad = _Masked.apply(grad, mask, *ctx.rest)  # in steps that have derivatives themselves
        return (
            grad * gain.to(grad.dtype)[..., None, None],
            (grad * x).sum(dim=(2, 3), dtype=torch.float32),
            grad.sum(dim=(0, 2, 3), dtype=torch.float32),
            *[None] * 5,
        )


def suits(x: Tensor, up_taps: Tensor, down_taps: Tensor, up: int, down: int) -> bool:
    """Whether a program can be written for this: all layers of T, and the critical ones of R."""
    half_or_single = x.dtype in (torch.float32, torch.bfloat16)
    rates = up in (2, 4) and down in (2, 4)
    usual = up_taps.shape == (TAPS * up,) and down_taps.shape == (TAPS * down,)
    return half_or_single and rates and usual and x.shape[1] >= num_lanes()


def filtered_lrelu(
    x: Tensor,
    up_taps: Tensor,
    down_taps: Tensor,
    up: int,
    down: int,
    before: int,
    size: int,
    gain: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """See `stylegan.ops.filtered_lrelu`."""
    gain, bias = gain_and_bias(x, gain, bias)
    up_taps, down_taps = (up_taps.float() * up).contiguous(), down_taps.float().contiguous()
    up_band = Band(up, before - len(up_taps) + 1, up_taps, up_taps.flip(0))
    down_band = Band(down, 0, down_taps.flip(0), down_taps)
    mid_size = (size - 1) * down + len(down_taps)
    keep = torch.is_grad_enabled() and any(t.requires_grad for t in (x, gain, bias))
    return _FilteredLrelu.apply(x, gain, bias, up_band, down_band, mid_size, size, keep)
