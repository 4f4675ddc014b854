"""The filtered nonlinearity as one Triton kernel, for separable filters on a GPU.

    filtered_lrelu   as its namesake in `stylegan.ops`, which calls it where it can be used

Per axis both filters are banded matrices from few samples to the many between them, U with the
taps that interpolate and D with those that decimate; with the activation's derivative as a mask M,

    y = D' act(U x U') D        dx = U' (M * (D dy D')) U        ddy = D' (M * (U ddx U')) D

so one kernel does all: the second is the third with its two bands exchanged. M is kept as two bits
a sample, eight samples of a row in a word.

One thread has one channel of one strip of columns, eight samples wide between the filters, and
walks down its rows with everything it needs in registers: the few rows of x that its filter spans
and the rows of y that are not complete yet. What leaves the registers is x, y and M. Neighbouring
threads have neighbouring channels, so channels_last is the format to give; others are correct.
Legend: N batch, C channels, H and W pixels.

Reference: Karras et al. 2021 (arXiv:2106.12423), App. D, for the idea of a single kernel.
"""

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd import Function

from stylegan import activation

SPAN = 8  # samples between the filters that a thread has, and two bits of each in a word
SLOPE, CLAMP = tl.constexpr(activation.SLOPE), tl.constexpr(activation.CLAMP)
BLOCK = 64  # threads that a program has
THREADS = 1 << 16  # enough of them to fill a GPU: below that the rows are divided as well
MIN_ROWS = 32  # between the filters, that a thread has at least


class Band(NamedTuple):
    """Sample i of the few meets samples i * rate + first ... of the many, one per tap."""

    taps: Tensor
    rate: int
    first: int
    mirrored: bool  # the last tap comes first, and all are scaled by the rate


@triton.jit
def _zeros(COUNT: tl.constexpr, BLOCK: tl.constexpr):
    values = ()
    for _ in tl.static_range(COUNT):
        values = values + (tl.full([BLOCK], 0.0, tl.float32),)
    return values


@triton.jit
def _load_row(
    window,
    x,
    row,
    size,
    column,
    scale,
    shift,
    live,
    row_stride,
    column_stride,
    COLUMNS: tl.constexpr,
    AFFINE: tl.constexpr,
):
    """Append COLUMNS samples of a row to the window, zeros where there is no such row or column."""
    for i in tl.static_range(COLUMNS):
        inside = live & (row >= 0) & (row < size) & (column + i >= 0) & (column + i < size)
        value = tl.load(x + row * row_stride + (column + i) * column_stride, inside, 0.0)
        value = value.to(tl.float32)
        if AFFINE:
            value = value * scale + tl.where(inside, shift, 0.0)
        window = window + (value,)
    return window


@triton.jit
def _load_taps(taps, COUNT: tl.constexpr, RATE: tl.constexpr, MIRRORED: tl.constexpr):
    values = ()
    for k in tl.static_range(COUNT):
        if MIRRORED:
            values = values + (tl.load(taps + (COUNT - 1 - k)) * RATE,)
        else:
            values = values + (tl.load(taps + k),)
    return values


SIZES = (
    *("lanes", "channels", "strips", "chunks", "groups", "rows", "steps"),
    *("in_size", "mid_size", "out_size", "x_batch", "x_row", "x_column"),
    *("y_batch", "y_row", "y_column"),
)


@triton.jit(do_not_specialize=SIZES)  # or it would be compiled again for sizes of another kind
def _filter_kernel(
    x,
    y,
    mask,
    gain,
    bias,
    inner_taps,
    outer_taps,
    lanes,
    channels,
    strips,
    chunks,
    groups,
    rows,
    steps,
    in_size,
    mid_size,
    out_size,
    x_batch,
    x_channel,
    x_row,
    x_column,
    y_batch,
    y_channel,
    y_row,
    y_column,
    UP: tl.constexpr,
    DOWN: tl.constexpr,
    INNER: tl.constexpr,
    OUTER: tl.constexpr,
    MIRRORED: tl.constexpr,
    FIRST: tl.constexpr,
    OFFSET: tl.constexpr,
    PHASE: tl.constexpr,
    STEP: tl.constexpr,
    GIVEN: tl.constexpr,
    KEEP: tl.constexpr,
    SPAN: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One block of threads, each from the first row of its chunk to the last.

    `inner` interpolates by UP, `outer` decimates by DOWN; what lies between them is called mid.
    Counted from where the thread begins, mid sample o meets sample m of x at inner tap
    PHASE + o - m * UP and sample i of y at outer tap o - i * DOWN, on both axes. A step is STEP
    rows of mid. GIVEN: the mask is read, else found and, to KEEP, written.
    """
    WIDTH: tl.constexpr = SPAN // DOWN  # columns of y
    MID: tl.constexpr = SPAN - DOWN + OUTER  # columns between the filters
    COLUMNS: tl.constexpr = (PHASE + MID - 1) // UP + 1  # of x
    HEIGHT: tl.constexpr = (PHASE + STEP - 1) // UP + 1  # rows of x that a step needs
    NEW_IN: tl.constexpr = STEP // UP
    NEW_OUT: tl.constexpr = STEP // DOWN
    LATE: tl.constexpr = (OUTER - 1) // DOWN  # rows of y that stay incomplete
    GROUP: tl.constexpr = FIRST // SPAN
    WORDS: tl.constexpr = (FIRST + MID - 1) // SPAN - GROUP + 1

    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = lane < lanes
    channel = lane % channels
    strip = lane // channels % strips
    chunk = lane // (channels * strips) % chunks
    image = (lane // (channels * strips * chunks)).to(tl.int64)
    x += image * x_batch + channel * x_channel
    y += image * y_batch + channel * y_channel
    mask += image * mid_size * groups * channels + channel
    scale, shift = 1.0, 0.0
    if not GIVEN:
        scale = tl.load(gain + image * channels + channel, live, 0.0)
        shift = tl.load(bias + channel, live, 0.0)
    row = chunk * (rows * DOWN // UP) + OFFSET
    column = strip * (SPAN // UP) + OFFSET
    left = mid_size - strip * SPAN
    valid = tl.where(left >= SPAN, -1, (1 << (2 * left)) - 1)  # bits of a group that mean a sample

    a = _load_taps(inner_taps, INNER, UP, MIRRORED)
    b = _load_taps(outer_taps, OUTER, DOWN, not MIRRORED)
    window = _zeros((HEIGHT - NEW_IN) * COLUMNS, BLOCK)
    for _above in range(HEIGHT - NEW_IN):
        window = _load_row(
            window, x, row, in_size, column, scale, shift, live, x_row, x_column, COLUMNS, not GIVEN
        )[COLUMNS:]
        row += 1
    sums = _zeros((LATE + NEW_OUT) * WIDTH, BLOCK)

    step = 0
    while step < steps:  # for Triton's interpreter, which has no range() of an argument
        for _ in tl.static_range(NEW_IN):
            window = _load_row(
                window,
                x,
                row,
                in_size,
                column,
                scale,
                shift,
                live,
                x_row,
                x_column,
                COLUMNS,
                not GIVEN,
            )
            row += 1
        for j in tl.static_range(STEP):
            line = ()
            for i in tl.static_range(COLUMNS):
                value = tl.full([BLOCK], 0.0, tl.float32)
                for m in tl.static_range(HEIGHT):
                    if PHASE + j - m * UP >= 0 and PHASE + j - m * UP < INNER:
                        value += a[PHASE + j - m * UP] * window[m * COLUMNS + i]
                line = line + (value,)
            mid_row = chunk * rows * DOWN + FIRST + step * STEP + j
            words = ()
            if GIVEN:
                for g in tl.static_range(WORDS):
                    group = strip + GROUP + g
                    inside = live & (mid_row >= 0) & (mid_row < mid_size)
                    inside = inside & (group >= 0) & (group < groups)
                    words = words + (
                        tl.load(mask + (mid_row * groups + group) * channels, inside, 0),
                    )
            word = tl.full([BLOCK], 0, tl.int32)
            across = _zeros(WIDTH, BLOCK)
            for o in tl.static_range(MID):
                value = tl.full([BLOCK], 0.0, tl.float32)
                for m in tl.static_range(COLUMNS):
                    if PHASE + o - m * UP >= 0 and PHASE + o - m * UP < INNER:
                        value += a[PHASE + o - m * UP] * line[m]
                if GIVEN:
                    bits = words[(FIRST + o) // SPAN - GROUP].to(tl.int32) >> (
                        2 * ((FIRST + o) % SPAN)
                    )
                    steep = value
                    value = tl.where(bits & 1 != 0, SLOPE * value, 0.0)
                    value = tl.where(bits & 2 != 0, steep, value)
                else:
                    if KEEP and o < SPAN:
                        bits = tl.where(value > 0, 2, 1)
                        bits = tl.where((value >= CLAMP) | (value <= -CLAMP / SLOPE), 0, bits)
                        word = word | (bits << (2 * o))
                    value = tl.where(value > 0, value, SLOPE * value)
                    value = tl.where(value > CLAMP, CLAMP, value)  # keeps what is not a number
                    value = tl.where(value < -CLAMP, -CLAMP, value)
                new = ()
                for i in tl.static_range(WIDTH):
                    if o - i * DOWN >= 0 and o - i * DOWN < OUTER:
                        new = new + (across[i] + b[o - i * DOWN] * value,)
                    else:
                        new = new + (across[i],)
                across = new
            if KEEP:
                inside = live & (step * STEP + j < rows * DOWN) & (mid_row < mid_size)
                tl.store(mask + (mid_row * groups + strip) * channels, word & valid, inside)
            new = ()
            for i in tl.static_range(LATE + NEW_OUT):
                for k in tl.static_range(WIDTH):
                    if LATE * DOWN + j - i * DOWN >= 0 and LATE * DOWN + j - i * DOWN < OUTER:
                        new = new + (
                            sums[i * WIDTH + k] + b[LATE * DOWN + j - i * DOWN] * across[k],
                        )
                    else:
                        new = new + (sums[i * WIDTH + k],)
            sums = new
        for i in tl.static_range(NEW_OUT):
            done = step * NEW_OUT - LATE + i
            out_row = chunk * rows + done
            inside = live & (done >= 0) & (done < rows) & (out_row < out_size)
            for k in tl.static_range(WIDTH):
                out = strip * WIDTH + k
                tl.store(
                    y + out_row * y_row + out * y_column,
                    sums[i * WIDTH + k],
                    inside & (out < out_size),
                )
        window = window[NEW_IN * COLUMNS :]
        sums = sums[NEW_OUT * WIDTH :] + _zeros(NEW_OUT * WIDTH, BLOCK)
        step += 1


def variant(inner: Band, outer: Band, given: bool, keep: bool) -> dict[str, int]:
    """What the kernel is compiled for, besides types."""
    up, down, num_inner = inner.rate, outer.rate, len(inner.taps)
    offset = -((inner.first + num_inner - 1 - outer.first) // up)  # of the first sample of x
    return dict(
        UP=up,
        DOWN=down,
        INNER=num_inner,
        OUTER=len(outer.taps),
        MIRRORED=inner.mirrored,
        FIRST=outer.first,
        OFFSET=offset,
        PHASE=outer.first - inner.first - offset * up,
        STEP=max(up, down),
        GIVEN=given,
        KEEP=keep,
        SPAN=SPAN,
        BLOCK=BLOCK,
    )


def _apply(
    x: Tensor,
    mask: Tensor,
    inner: Band,
    outer: Band,
    mid_size: int,
    size: int,
    affine: tuple[Tensor, Tensor] | None = None,
    keep: bool = False,
) -> Tensor:
    """With `affine`, gain (N, C) and bias (C,), the mask is found and, to `keep`, written."""
    num_images, channels, in_size, _ = x.shape
    memory_format = torch.channels_last if x.stride(1) == 1 else torch.contiguous_format
    y = torch.empty(
        (num_images, channels, size, size),
        dtype=x.dtype,
        device=x.device,
        memory_format=memory_format,
    )
    down, groups, step = outer.rate, -(-mid_size // SPAN), max(inner.rate, outer.rate)
    rows = -(-mid_size // down) if keep else size  # of y; who writes the mask covers all of it
    strips = groups if keep else -(-size * down // SPAN)
    lanes = num_images * strips * channels
    chunks = max(1, min(THREADS // lanes, rows * down // MIN_ROWS))
    rows_each = -(-rows * down // (chunks * step)) * step // down
    chunks = -(-rows // rows_each)
    lanes *= chunks
    late = (len(outer.taps) - 1) // down  # rows that are begun before the last is complete
    steps = -(-(rows_each + late) * down // step)
    gain, bias = affine or (x, x)
    with torch.cuda.device_of(x):
        _filter_kernel[(triton.cdiv(lanes, BLOCK),)](
            *(x, y, mask, gain, bias, inner.taps, outer.taps),
            *(lanes, channels, strips, chunks, groups),
            *(rows_each, steps, in_size, mid_size, size, *x.stride(), *y.stride()),
            **variant(inner, outer, affine is None, keep),
            num_warps=2,
        )
    return y


class _Masked(Function):
    """outer' (mask * (inner x inner')) outer, whose derivative is itself with bands exchanged."""

    @staticmethod
    def forward(ctx, x, mask, inner, outer, mid_size, size):
        ctx.save_for_backward(mask)
        ctx.rest = outer, inner, mid_size, x.shape[2]
        return _apply(x, mask, inner, outer, mid_size, size)

    @staticmethod
    def backward(ctx, grad):
        return _Masked.apply(grad, *ctx.saved_tensors, *ctx.rest), *[None] * 5


class _FilteredLrelu(Function):
    """The mask is written here when `keep`, and from then on it is a constant."""

    @staticmethod
    def forward(ctx, x, gain, bias, up, down, mid_size, size, keep):
        shape = x.shape[0], mid_size, -(-mid_size // SPAN), x.shape[1]
        mask = torch.empty(shape if keep else 1, dtype=torch.int16, device=x.device)
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, gain, mask)
        ctx.rest = down, up, mid_size, x.shape[2]
        return _apply(x, mask, up, down, mid_size, size, (gain, bias), keep)

    @staticmethod
    def backward(ctx, grad):
        x, gain, mask = ctx.saved_tensors
        need_x, need_gain, need_bias, *_ = ctx.needs_input_grad
        grad = _Masked.apply(grad, mask, *ctx.rest)
        return (
            grad * gain.to(grad.dtype)[..., None, None] if need_x else None,
            (grad * x).sum(dim=(2, 3), dtype=torch.float32) if need_gain else None,
            grad.sum(dim=(0, 2, 3), dtype=torch.float32) if need_bias else None,
            *[None] * 5,
        )


def suits(x: Tensor, up_taps: Tensor, down_taps: Tensor, up: int, down: int) -> bool:
    """Whether the kernel is made for this: all layers of T, and the critical ones of R."""
    half_or_single = x.dtype in (torch.float32, torch.bfloat16, torch.float16)
    separable = up_taps.ndim == down_taps.ndim == 1
    return half_or_single and separable and up in (1, 2, 4) and down in (1, 2, 4)


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
    gain, bias = activation.gain_and_bias(x, gain, bias)
    up_band = Band(up_taps, up, before - len(up_taps) + 1, True)
    down_band = Band(down_taps, down, 0, False)
    mid_size = (size - 1) * down + len(down_taps)
    keep = torch.is_grad_enabled() and any(t.requires_grad for t in (x, gain, bias))
    return _FilteredLrelu.apply(x, gain, bias, up_band, down_band, mid_size, size, keep)
