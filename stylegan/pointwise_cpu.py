"""What is done to each number of an image, in one pass over memory, on a CPU.

    scale         every channel of every image times its style; both gradients in one pass, too
    lrelu_clamp   as its namesake in `stylegan.activation`
    mean_square   of an image

PyTorch takes a pass for each step of these, and with bfloat16 more: through float32 and back.
Images are float32 or bfloat16, channels last; sums are in float32.
Legend: N batch, C channels, H and W pixels.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.autograd import Function

from stylegan.activation import SLOPE
from stylegan.jit import Program, Value, num_lanes
from stylegan.threads import share

MOST_VECTORS = 8  # of channels that one job has, with their styles and sums in registers
PART = 1 << 14  # numbers that are summed up for themselves


def _is_half(x: Tensor) -> bool:
    return x.dtype == torch.bfloat16


@cache
def _scaling(vectors: int, half: bool, backward: bool) -> Callable[..., None]:
    """y = x * style and, backward, dx = dy * style, with the sums of dy * x over all pixels."""
    f = Program("x style y dy sums", "first last channels groups pixels")
    totals = f.variables(vectors)
    with f.loop(f.first, f.last) as job:
        image = job // f.groups
        start = (job - image * f.groups) * (vectors * f.lanes)
        channels = [(start + k * f.lanes).least(f.channels - f.lanes) for k in range(vectors)]
        styles = [f.load(f.style, image * f.channels + channel) for channel in channels]
        for total in totals:
            f.set(total, f.zeros())
        with f.loop(0, f.pixels) as pixel:
            here = (image * f.pixels + pixel) * f.channels
            for channel, style, total in zip(channels, styles, totals, strict=True):
                value = f.load(f.x, here + channel, half=half)
                if backward:
                    slope = f.load(f.dy, here + channel, half=half)
                    f.set(total, f.get(total) + slope * value)
                    value = slope
                f.store(value * style, f.y, here + channel, half=half)
        if backward:
            for channel, total in zip(channels, totals, strict=True):
                f.store(f.get(total), f.sums, image * f.channels + channel)
    return f.compiled()


@cache
def _activation(bound: float, half: bool, backward: bool) -> Callable[..., None]:
    """y = clamp(leaky_relu(x), -bound, bound) and, backward, dx from dy and that y."""
    f = Program("x y dy", "first last count")

    def written(value: Value) -> Value:
        steep = value > 0.0
        if not backward:
            return value.where(steep, value * SLOPE).least(bound).most(-bound)
        slope = f.load(f.dy, place, half=half)
        inside = (value < bound) & (value > -bound)
        return slope.where(steep, slope * SLOPE).where(inside, 0.0)

    with f.loop(f.first, f.last) as vector:
        place = (vector * f.lanes).least(f.count - f.lanes)  # the last ones overlap
        f.store(written(f.load(f.x, place, half=half)), f.y, place, half=half)
    return f.compiled()


@cache
def _squares(half: bool) -> Callable[..., None]:
    """Sums of squares of parts, a vector each."""
    f = Program("x sums", "first last vectors")
    (total,) = f.variables(1)
    with f.loop(f.first, f.last) as part:
        f.set(total, f.zeros())
        with f.loop(part * f.vectors, (part + 1) * f.vectors) as vector:
            value = f.load(f.x, vector * f.lanes, half=half)
            f.set(total, f.get(total) + value * value)
        f.store(f.get(total), f.sums, part * f.lanes)
    return f.compiled()


def _scale(x: Tensor, style: Tensor, dy: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """x * style or, with dy, dy * style and the sums of dy * x, (N, C)."""
    images, channels, height, width = x.shape
    y, sums = torch.empty_like(x), torch.empty_like(style)
    vectors = min(MOST_VECTORS, -(-channels // num_lanes()))
    groups = -(-channels // (vectors * num_lanes()))
    run = _scaling(vectors, _is_half(x), dy is not None)
    places = [t.data_ptr() for t in (x, style, y, x if dy is None else dy, sums)]
    sizes = channels, groups, height * width
    share(lambda first, last: run(*places, first, last, *sizes), images * groups)
    return y, sums


class _Scale(Function):
    @staticmethod
    def forward(ctx, x, style):
        ctx.save_for_backward(x, style)
        return _scale(x, style)[0]

    @staticmethod
    def backward(ctx, grad):
        x, style = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return _scale(x, style, grad.contiguous(memory_format=torch.channels_last))
        dx = grad * style.to(grad.dtype)[:, :, None, None]  # in steps that have derivatives
        return dx, (grad * x).sum(dim=(2, 3), dtype=torch.float32)


def _activate(x: Tensor, bound: float, dy: Tensor | None = None) -> Tensor:
    y = torch.empty_like(x)
    run = _activation(bound, _is_half(x), dy is not None)
    places = [t.data_ptr() for t in (x, y, x if dy is None else dy)]
    count = x.numel()
    share(lambda first, last: run(*places, first, last, count), -(-count // num_lanes()))
    return y


class _LreluClamp(Function):
    @staticmethod
    def forward(ctx, x, bound):
        y = _activate(x, bound)
        ctx.save_for_backward(y)
        ctx.bound = bound
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        if not torch.is_grad_enabled():
            grad = grad.contiguous(memory_format=torch.channels_last)
            return _activate(y, ctx.bound, grad), None
        slope = torch.where(y > 0, 1.0, SLOPE).where(y.abs() < ctx.bound, 0.0)
        return grad * slope.to(grad.dtype), None


def suits(x: Tensor) -> bool:
    """Whether there are programs for this image (N, C, H, W)."""
    known = x.dtype in (torch.float32, torch.bfloat16) and x.shape[1] >= num_lanes()
    return known and x.numel() > 0 and x.is_contiguous(memory_format=torch.channels_last)


def scale(x: Tensor, style: Tensor) -> Tensor:
    """x (N, C, H, W) times style (N, C), which is float32 inside."""
    return _Scale.apply(x, style.float().contiguous())


def lrelu_clamp(x: Tensor, bound: float) -> Tensor:
    """See `stylegan.activation.lrelu_clamp`; the bound is rounded to the type of x."""
    return _LreluClamp.apply(x, float(torch.tensor(bound, dtype=x.dtype)))


def mean_square(x: Tensor) -> Tensor:
    """Of all numbers of x, float32: ()."""
    flat = x.detach().permute(0, 2, 3, 1).reshape(-1)
    parts, rest = divmod(len(flat), PART)
    sums = torch.empty(parts, num_lanes())
    run, places = _squares(_is_half(x)), (flat.data_ptr(), sums.data_ptr())
    share(lambda first, last: run(*places, first, last, PART // num_lanes()), parts)
    total = sums.sum() + flat[len(flat) - rest :].float().square().sum()
    return total / len(flat)
