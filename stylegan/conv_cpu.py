"""The gradient of a 3x3 convolution's weights in one pass over the image, on a CPU in float32.

    convolve   as F.conv2d; its backward pass has the program here

Without AVX-512, oneDNN takes this gradient at a small part of the speed of the convolution itself,
above all for large images with few channels. Here a block of weights stays in the registers while
the program walks along a row: for a few outputs, a vector of inputs and the three taps of a row.
Legend: N batch, C, I and O channels, H and W pixels.
"""

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from stylegan.jit import Program, num_lanes
from stylegan.threads import share

_backward = torch.ops.aten.convolution_backward
TAPS = 3  # along an axis
LEAST_CHANNELS, LEAST_COLUMNS = 16, 12  # on either side, and of the result
POINTERS = "x grad sums"
NUMBERS = "first last all_blocks blocks images in_rows in_columns rows columns"


def _outputs() -> int:
    """In a block: with three taps each they fill the registers, 16 or 32."""
    return num_lanes() // 2


@cache
def _program(stride: int) -> Callable[..., None]:
    """Adds up blocks first ... last - 1 of outputs, for x and grad as `_gradient` packs them."""
    f, outputs = Program(POINTERS, NUMBERS), _outputs()
    sums = f.variables(outputs * TAPS)
    with f.loop(0, f.images * f.rows) as row:
        image = row // f.rows
        top = image * f.in_rows + (row - image * f.rows) * stride
        with (
            f.loop(f.first, f.last) as block,
            f.loop(0, TAPS) as tap,
            f.loop(0, f.blocks) as inputs,
        ):
            grad = f.at(f.grad, (row * f.all_blocks + block) * f.columns * outputs)
            x = f.at(f.x, ((top + tap) * f.blocks + inputs) * f.in_columns * f.lanes)
            place = ((block * TAPS + tap) * f.blocks + inputs) * (len(sums) * f.lanes)
            for k, variable in enumerate(sums):
                f.set(variable, f.load(f.sums, place + k * f.lanes))
            with f.loop(0, f.columns) as column:
                samples = [f.load(x, (column * stride + t) * f.lanes) for t in range(TAPS)]
                here = f.at(grad, column * outputs)
                for o in range(outputs):
                    g = f.load_same(here, o)
                    for t, sample in enumerate(samples):
                        variable = sums[o * TAPS + t]
                        f.set(variable, f.get(variable) + g * sample)
            for k, variable in enumerate(sums):
                f.store(f.get(variable), f.sums, place + k * f.lanes)
    return f.compiled()


def _packed(x: Tensor, size: int, padding: int = 0) -> Tensor:
    """(N, C, H, W) -> (N, H + 2 padding, C / size, W + 2 padding, size), filled up with zeros."""
    num_images, channels, height, width = x.shape
    blocks = -(-channels // size)
    x = x.permute(0, 2, 3, 1)
    if channels % size:
        x = F.pad(x, [0, blocks * size - channels])
    y = x.new_empty(num_images, height + 2 * padding, blocks, width + 2 * padding, size)
    if padding:
        for edge in (slice(padding), slice(-padding, None)):
            y[:, edge] = y[:, :, :, edge] = 0
    inside = y[:, padding : padding + height, :, padding : padding + width]
    inside.copy_(x.unflatten(3, (blocks, size)).transpose(2, 3))
    return y


def _gradient(x: Tensor, grad: Tensor, stride: int, padding: int) -> Tensor:
    """Of the weights, (O, I, 3, 3), for x (N, I, H, W) and the gradient of the result."""
    outputs, lanes = _outputs(), num_lanes()
    channels = grad.shape[1], x.shape[1]
    x, grad = _packed(x, lanes, padding), _packed(grad, outputs)
    images, in_rows, blocks, in_columns, _ = x.shape
    _, rows, all_blocks, columns, _ = grad.shape
    sums = x.new_zeros(all_blocks, TAPS, blocks, outputs, TAPS, lanes)
    run, places = _program(stride), [t.data_ptr() for t in (x, grad, sums)]
    sizes = all_blocks, blocks, images, in_rows, in_columns, rows, columns
    share(lambda first, last: run(*places, first, last, *sizes), all_blocks)
    weight = sums.permute(0, 3, 2, 5, 1, 4).flatten(2, 3).flatten(0, 1)  # (O.., I.., 3, 3)
    return weight[: channels[0], : channels[1]]


class _Convolution(Function):
    @staticmethod
    def forward(ctx, x, weight, bias, stride, padding):
        ctx.save_for_backward(x, weight)
        ctx.geometry = stride, padding
        return F.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        stride, padding = ctx.geometry
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]
        again = torch.is_grad_enabled()  # in steps that have derivatives themselves
        geometry = [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1
        dx = dw = None
        needed = [of_x, of_weight and again, False]
        if any(needed):
            dx, dw, _ = _backward(grad, x, weight, None, *geometry, needed)
        if of_weight and not again:
            dw = _gradient(x, grad, stride, padding)
        db = grad.sum(dim=(0, 2, 3)) if of_bias else None  # oneDNN's has dw beside it
        return dx, dw, db, None, None


def pays(x: Tensor, weight: Tensor, stride: int, padding: int) -> bool:
    """Whether the weights learn, and the program is the faster way to their gradient.

    Shapes: x (N, I, H, W), weight (O, I, k, k).
    """
    learns = torch.is_grad_enabled() and weight.requires_grad
    usual = x.dtype == weight.dtype == torch.float32 and weight.shape[2:] == (TAPS, TAPS)
    columns = (x.shape[3] + 2 * padding - TAPS) // stride + 1
    return learns and usual and min(weight.shape[:2]) >= LEAST_CHANNELS and columns >= LEAST_COLUMNS


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    """F.conv2d(x, weight, bias, stride, padding), as often differentiable.

    Shapes: x (N, I, H, W), weight (O, I, 3, 3), bias (O,) -> (N, O, H', W') with
    H' = (H + 2 padding - 3) // stride + 1. All are float32 on a CPU.
    """
    return _Convolution.apply(x, weight, bias, stride, padding)
