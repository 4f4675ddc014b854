"""The tensor operations of the networks: pure functions of their arguments.

    filtered_lrelu     upsample, leaky ReLU, downsample: the alias-free nonlinearity
    activate           leaky ReLU and clamp, pixel by pixel
    convolve           F.conv2d in its fastest form on a CPU
    modulate           convolution whose weights are scaled per sample by a style
    modulated_conv2d   the same, its gain and bias applied
    mean_square        of an image
    downsample_blur    the discriminator's [1, 3, 3, 1] low-pass

Resampling is depthwise: a transposed convolution upsamples without multiplying the zeros between
samples, a strided one downsamples. Images are best given in the channels_last memory format, where
these convolutions are fastest. Where `stylegan.kernels` has one for an operation, it does the work.
Legend: N batch, C channels, H and W pixels.

Reference: Karras et al. 2021 (arXiv:2106.12423), Sec. 3.2 and App. B;
Karras et al. 2020 (arXiv:1912.04958), Sec. 2.2 for the modulation.
"""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan import kernels, winograd
from stylegan.activation import CLAMP, lrelu, lrelu_clamp
from stylegan.memory import in_parts

MOST_SAMPLES = 1 << 21  # between the filters at once, on a CPU
WIDE = 32  # channels on both sides of a convolution whose gradient is worth a copy of its input


def filter_dtype(x: Tensor) -> torch.dtype:
    """The type in which x is filtered: on a CPU float32 for a bfloat16 x too.

    Short filters gain nothing there from narrower numbers, and some of their gradients are slow.
    """
    return torch.promote_types(x.dtype, torch.float32) if x.device.type == "cpu" else x.dtype


def depthwise(
    x: Tensor, taps: Tensor, stride: int | tuple[int, int] = 1, padding: int = 0
) -> Tensor:
    """Correlate every channel of x (N, C, H, W) with the same taps (kh, kw)."""
    wide = x.to(filter_dtype(x))
    weight = taps.to(wide.dtype).expand(x.shape[1], 1, *taps.shape)
    return F.conv2d(wide, weight, None, stride, padding, groups=x.shape[1]).to(x.dtype)


def _axes(taps: Tensor) -> list[tuple[Tensor, int, int]]:
    """The passes of a filter: its kernel, then 1 or 0 for whether it runs along H and along W.

    Taps (n,) make a column (n, 1), then a row (1, n); taps (n, n) make one pass.
    """
    if taps.ndim == 2:
        return [(taps, 1, 1)]
    return [(taps[:, None], 1, 0), (taps[None, :], 0, 1)]


def upsample(x: Tensor, taps: Tensor, up: int, before: int, size: int) -> Tensor:
    """Interpolate both axes: sample o is sum_i x[i] * taps[before + i * up - o].

    That is a filter over the signal with `up - 1` zeros after each sample and `before` zeros in
    front, written as a transposed convolution, which multiplies no zeros and cuts both ends alike.

    Shapes: x (N, C, H, H), taps (n,) for both axes in turn or (n, n) -> (N, C, S, S) with S of
    `size` or a few more.
    """
    cut = len(taps) - 1 - before
    first = max(0, -(cut // up))  # zeros to put in front, where there is nothing to cut
    cut += first * up
    length = (x.shape[2] + first - 1) * up + len(taps) - 2 * cut
    last = max(0, -((length - size) // up))
    if first or last:
        x = F.pad(x, [first, last] * 2)
    taps = taps.flip(tuple(range(taps.ndim))).to(x.dtype)
    for kernel, v, h in _axes(taps):
        weight = kernel.expand(x.shape[1], 1, *kernel.shape)
        stride, padding = (up**v, up**h), (cut * v, cut * h)
        x = F.conv_transpose2d(x, weight, None, stride, padding, groups=x.shape[1])
    return x


def downsample(x: Tensor, taps: Tensor, down: int) -> Tensor:
    """Filter and keep every `down`-th sample: sample o is sum_k taps[k] * x[o * down + k].

    Shapes: x (N, C, H, H), taps (n,) for both axes in turn or, not separable, (n, n)
    -> (N, C, S, S) with S = (H - n) // down + 1.
    """
    for kernel, v, h in reversed(_axes(taps)):
        x = depthwise(x, kernel, (down**v, down**h))
    return x


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
    """clamp(leaky_relu(gain * x + bias)) at `up` times the rate, then back to 1 / `down` of that.

    Args:
        up_taps: (n_up,) with unit sum.  down_taps: (n_down,) or (n_down, n_down), unit sum.
        before: zeros before the zero-stuffed signal that is filtered; negative crops.
        size: side of the result; the padding after the signal follows from it.
        gain: () or (N, C), and bias: (C,), both or neither; the zeros around x have no bias.
    Shapes: x (N, C, H, H) -> (N, C, size, size).
    """
    arguments = x, up_taps, down_taps, up, down, before, size, gain, bias
    fused = None
    if x.is_cuda:
        fused = kernels.fused()
    elif x.is_cpu and not torch.compiler.is_compiling():  # an exported graph has the convolutions
        fused = kernels.compiled().fused
    if fused and fused.suits(x, up_taps, down_taps, up, down):
        return fused.filtered_lrelu(*arguments)
    return convolved_lrelu(*arguments)


def convolved_lrelu(
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
    """`filtered_lrelu` by convolutions, for any device, type and filter.

    On a CPU images take turns, and the channels of large ones, so that the interpolated signal, the
    largest of all, stays in the cache; and where nothing can reach the bound nothing is clamped. A
    graph that is compiled does the same whatever the values are.
    """
    if gain is not None:
        x = amplify(x, gain, bias)
    dtype, x, on_cpu = x.dtype, x.to(filter_dtype(x)), x.device.type == "cpu"
    in_turns = on_cpu and not torch.compiler.is_compiling()
    taps, mid_size = up_taps * up, (size - 1) * down + len(down_taps)
    activate = lrelu if in_turns and not may_clamp(x, taps, up) else lrelu_clamp

    def resampled(x: Tensor) -> Tensor:
        x = activate(upsample(x, taps, up, before, mid_size))
        return downsample(x, down_taps, down)[:, :, :size, :size]

    if not in_turns:
        return resampled(x).to(dtype)
    maps, channels = MOST_SAMPLES // mid_size**2, x.shape[1]
    images = maps // channels
    if images < 1:
        images, channels = 1, max(16, maps // 16 * 16)  # 16 fill a vector of the CPU
    return in_parts(lambda some: in_parts(resampled, some, channels, dim=1), x, images).to(dtype)


def may_clamp(x: Tensor, taps: Tensor, up: int) -> bool:
    """Whether `upsample` by taps (n,) could make a sample of x (N, C, H, W) larger than CLAMP.

    A sample is a sum of x over one phase of the taps, every `up`-th of them, along each axis: at
    most the largest |x| times the square of the largest sum of |taps| over a phase. Reads a value,
    for which an accelerator would be waited for.
    """
    phases = F.pad(taps.abs(), [0, -len(taps) % up]).view(-1, up).sum(dim=0)
    largest = x.detach().abs().amax(dim=(1, 2, 3)) * phases.amax() ** 2  # (N,)
    return bool((largest > CLAMP).any())


def activate(x: Tensor, bound: float) -> Tensor:
    """clamp(leaky_relu(x), -bound, bound), and x (N, C, H, W) may be overwritten."""
    pointwise = kernels.compiled_for(x).pointwise
    return pointwise.lrelu_clamp(x, bound) if pointwise else lrelu_clamp(x, bound)


def scale(x: Tensor, style: Tensor) -> Tensor:
    """Every channel of x (N, C, H, W) times its style (N, C)."""
    pointwise = kernels.compiled_for(x).pointwise
    return pointwise.scale(x, style) if pointwise else x * style.to(x.dtype)[:, :, None, None]


def mean_square(x: Tensor) -> Tensor:
    """Of all numbers of x (N, C, H, W), in float32 at least and without gradient: ()."""
    pointwise = kernels.compiled_for(x).pointwise
    if pointwise:
        return pointwise.mean_square(x)
    return x.detach().to(torch.promote_types(x.dtype, torch.float32)).square().mean()


def amplify(x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    """gain * x + bias; gain () or (N, C), bias (C,)."""
    return torch.addcmul(bias.to(x.dtype)[:, None, None], x, gain.to(x.dtype)[..., None, None])


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, padding: int = 0
) -> Tensor:
    """F.conv2d in its fastest form on a CPU."""
    if not x.is_cpu or torch.compiler.is_compiling():  # for whichever sizes and device
        return F.conv2d(x, weight, bias, stride, padding)
    conv_cpu = kernels.compiled().conv
    program = conv_cpu is not None and conv_cpu.pays(x, weight, stride, padding)
    least = winograd.LEAST_BESIDE_PROGRAM if program else winograd.LEAST
    if stride == 1 and winograd.pays(x, weight, padding, least):
        x = winograd.convolve(x, weight, padding)
        return x if bias is None else x + bias[:, None, None]
    if program:
        return conv_cpu.convolve(x, weight, bias, stride, padding)
    wide = min(weight.shape[:2]) >= WIDE
    if wide and weight.requires_grad and padding == 2:  # oneDNN is slow at the gradient of weights
        x, padding = F.pad(x, [1] * 4), 1
    return F.conv2d(x, weight, bias, stride, padding)


def modulate(
    x: Tensor, weight: Tensor, bias: Tensor, style: Tensor, gain: Tensor, *, demodulate: bool
) -> tuple[Tensor, *tuple[Tensor, ...]]:
    """Full convolution with weight[o, i] * style[n, i], then the gain and bias that it still needs.

    Demodulation brings each sample's outputs to the variance of its inputs. A single image without
    gradient takes it all into the weights, and needs nothing more. Otherwise one convolution serves
    the batch: the style scales its input, the demodulation goes to the gain of its output.

    Shapes: x (N, I, H, W), weight (O, I, k, k), bias (O,), style (N, I), gain () -> (N, O,
    H + k - 1, W + k - 1) and, or not, the gain, (N, O) or (), and the bias.
    """
    padding = weight.shape[2] - 1
    if demodulate:  # this only keeps the numbers in the range of half precision
        style = style * style.square().mean(dim=1, keepdim=True).rsqrt()
    power = weight.square().mean(dim=(1, 2, 3))  # (O,)
    learns = torch.is_grad_enabled() and any(t.requires_grad for t in (x, weight, bias, style))
    if not learns and not torch.compiler.is_compiling() and len(x) == 1:
        weight = weight * style[0, :, None, None]
        if demodulate:
            gain = gain * (weight.square().sum(dim=(1, 2, 3)) + 1e-8 * power).rsqrt()
        weight = weight * gain[..., None, None, None]
        return (convolve(x, weight.to(x.dtype), bias.to(x.dtype), padding=padding),)
    if demodulate:  # and so does this
        weight = weight * power.rsqrt()[:, None, None, None]
        power = style.square() @ weight.square().sum(dim=(2, 3)).T  # (N, O)
        gain = gain * (power + 1e-8).rsqrt()
    x = scale(x, style)
    return convolve(x, weight.to(x.dtype), padding=padding), gain, bias


def modulated_conv2d(
    x: Tensor, weight: Tensor, bias: Tensor, style: Tensor, gain: Tensor, *, demodulate: bool
) -> Tensor:
    """As `modulate`, complete: (N, O, H + k - 1, W + k - 1)."""
    x, *affine = modulate(x, weight, bias, style, gain, demodulate=demodulate)
    return amplify(x, *affine) if affine else x


@cache
def _blur_taps(device: torch.device) -> Tensor:
    """Copied to the device once."""
    with torch.inference_mode(False):  # kept, so it must suit any later caller
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        return taps.outer(taps).to(device)


def downsample_blur(x: Tensor, padding: int, stride: int) -> Tensor:
    """Low-pass x (N, C, H, W) with outer([1, 3, 3, 1]) / 64 after zero padding on all sides."""
    blur = kernels.compiled_for(x).blur
    if blur:
        return blur.downsample_blur(x, padding, stride)
    return depthwise(x, _blur_taps(x.device), stride, padding)
