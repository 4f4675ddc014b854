"""The tensor operations of the networks: pure functions of their arguments.

    filtered_lrelu     upsample, leaky ReLU, downsample: the alias-free nonlinearity
    modulate           convolution whose weights are scaled per sample by a style
    modulated_conv2d   the same with its gain and bias
    downsample_blur    the discriminator's [1, 3, 3, 1] low-pass

Resampling is polyphase: the upsampled signal is never interleaved but kept as one small image
per phase, each the result of short depthwise convolutions, so no zero is ever multiplied. Images
are best given in the channels_last memory format, where these convolutions are fastest. On a GPU
with Triton the nonlinearity is the one kernel of `stylegan.fused`, if the filters are separable.
Legend: N batch, C channels, H and W pixels.

Reference: Karras et al. 2021 (arXiv:2106.12423), Sec. 3.2 and App. B;
Karras et al. 2020 (arXiv:1912.04958), Sec. 2.2 for the modulation.
"""

import math
import warnings
from functools import cache
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor

SLOPE = 0.2  # of the leaky ReLU below zero
GAIN = math.sqrt(2)  # keeps the second moment through the leaky ReLU
CLAMP = 256.0  # bound of the activations


def depthwise(x: Tensor, taps: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """Correlate every channel of x (N, C, H, W) with the same taps (kh, kw)."""
    weight = taps.to(x.dtype).expand(x.shape[1], 1, *taps.shape)
    return F.conv2d(x, weight, stride=stride, padding=padding, groups=x.shape[1])


def along(taps: Tensor, dim: int) -> Tensor:
    """Taps (n,) as a column (n, 1) for dim 2 or a row (1, n) for dim 3."""
    return taps[:, None] if dim == 2 else taps[None, :]


def span(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    """x.narrow, but x itself when that is all of it: a narrow's backward pass fills and copies."""
    return x if start == 0 and length == x.shape[dim] else x.narrow(dim, start, length)


def upsample(x: Tensor, taps: Tensor, up: int, first: int, size: int) -> list[list[Tensor]]:
    """Interpolate both axes; entry [v][h] of the result holds samples v::up, h::up.

    Sample o of the interpolated axis is sum_i x[i] * taps[first + i * up - o]; `first` may be
    negative. `size` is the interpolated length; `up` divides the number of taps.
    """
    starts = [-((first - phase) // up) for phase in range(up)]
    counts = [len(range(phase, size, up)) for phase in range(up)]
    kernels = [taps[(first - phase) % up :: up] for phase in range(up)]
    num_taps = len(taps) // up
    before = max(0, -min(starts))
    after = max(
        0, max(s + c for s, c in zip(starts, counts, strict=True)) + num_taps - 1 - x.shape[2]
    )
    if before or after:
        x = F.pad(x, (before, after, before, after))

    def phases(x: Tensor, dim: int) -> list[Tensor]:
        return [
            depthwise(span(x, dim, start + before, count + num_taps - 1), along(kernel, dim))
            for start, count, kernel in zip(starts, counts, kernels, strict=True)
        ]

    return [phases(rows, 3) for rows in phases(x, 2)]


def _taps_for(taps: Tensor, phase: int, num_phases: int, shift: int) -> tuple[Tensor, int]:
    """Taps along dim 0 that meet `phase` when output sample 0 starts at `shift`, and their start.

    Tap k meets sample shift + k, which is sample (shift + k) // num_phases of its phase.
    """
    first = (phase - shift) % num_phases
    return taps[first::num_phases], (shift + first) // num_phases


def interleave(parts: list[Tensor], size: int, dim: int) -> Tensor:
    """One signal of `size` samples along dim 2 or 3 from its phases; the last may be shorter."""
    if len(parts) == 1:
        return parts[0]
    longest = parts[0].shape[dim]
    parts = [p if p.shape[dim] == longest else F.pad(p, (0, dim == 3, 0, dim == 2)) for p in parts]
    x = torch.stack([part.permute(0, 2, 3, 1) for part in parts], dim)  # channels stay last
    return span(x.flatten(dim - 1, dim).permute(0, 3, 1, 2), dim, 0, size)


def _downsample_axis(phases: list[Tensor], taps: Tensor, down: int, size: int, dim: int) -> Tensor:
    """Filter along `dim` with taps (n,) and keep every `down`-th sample, `size` of them."""
    num_parts = len(phases) // down
    parts = []
    for part in range(num_parts):
        count, total = len(range(part, size, num_parts)), None
        for phase, x in enumerate(phases):
            kernel, start = _taps_for(taps, phase, len(phases), part * down)
            x = depthwise(span(x, dim, start, count + len(kernel) - 1), along(kernel, dim))
            total = x if total is None else total.add_(x)
        parts.append(total)
    return interleave(parts, size, dim)


def _downsample_radial(grid: list[list[Tensor]], taps: Tensor, down: int, size: int) -> Tensor:
    """As two passes of `_downsample_axis`, for taps (n, n) that are not separable."""
    num_phases = len(grid)
    num_parts = num_phases // down
    rows = []
    for v_part in range(num_parts):
        v_count, columns = len(range(v_part, size, num_parts)), []
        for h_part in range(num_parts):
            h_count, total = len(range(h_part, size, num_parts)), None
            for v_phase, row in enumerate(grid):
                v_taps, v_start = _taps_for(taps, v_phase, num_phases, v_part * down)
                for h_phase, x in enumerate(row):
                    kernel, h_start = _taps_for(v_taps.T, h_phase, num_phases, h_part * down)
                    x = span(x, 2, v_start, v_count + kernel.shape[1] - 1)
                    x = span(x, 3, h_start, h_count + kernel.shape[0] - 1)
                    x = depthwise(x, kernel.T)
                    total = x if total is None else total.add_(x)
            columns.append(total)
        rows.append(interleave(columns, size, 3))
    return interleave(rows, size, 2)


def downsample(grid: list[list[Tensor]], taps: Tensor, down: int, size: int) -> Tensor:
    """Filter what `upsample` made and keep every `down`-th sample of both axes.

    Sample o is sum_k taps[k] * x[o * down + k]. Taps are (n,) or, not separable, (n, n); `down`
    divides the number of phases. Returns (N, C, size, size).
    """
    if taps.ndim == 2:
        return _downsample_radial(grid, taps, down, size)
    rows = [_downsample_axis(row, taps, down, size, dim=3) for row in grid]
    return _downsample_axis(rows, taps, down, size, dim=2)


@cache
def _fused() -> ModuleType | None:
    """stylegan.fused where Triton is installed and finds the C compiler that it needs."""
    try:
        import triton

        triton.runtime.driver.active.get_current_target()
        from stylegan import fused
    except Exception as error:  # of many kinds; the convolutions do the same, slower
        if not isinstance(error, ImportError):
            warnings.warn(f"Triton cannot be used: {error}", stacklevel=2)
        return None
    return fused


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
    if x.is_cuda and (fused := _fused()) and fused.suits(x, up_taps, down_taps, up, down):
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
    """`filtered_lrelu` by convolutions, for any device, type and filter."""
    if gain is not None:
        x = amplify(x, gain, bias)
    mid_size = (size - 1) * down + down_taps.shape[0]
    grid = upsample(x, up_taps * up, up, before, mid_size)
    grid = [[lrelu_clamp(phase) for phase in row] for row in grid]
    return downsample(grid, down_taps, down, size)


def lrelu_clamp(x: Tensor, bound: float = CLAMP) -> Tensor:
    """clamp(leaky_relu(x), -bound, bound); in this order neither step has to keep a copy."""
    return F.leaky_relu_(F.hardtanh(x, -bound / SLOPE, bound), SLOPE)


def amplify(x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    """gain * x + bias; gain () or (N, C), bias (C,)."""
    return torch.addcmul(bias.to(x.dtype)[:, None, None], x, gain.to(x.dtype)[..., None, None])


def modulate(
    x: Tensor, weight: Tensor, style: Tensor, gain: Tensor, *, demodulate: bool
) -> tuple[Tensor, Tensor]:
    """Full convolution with weight[o, i] * style[n, i], and the gain that it still has to get.

    One convolution serves the batch: the style scales its input, the demodulation, which brings
    each sample's outputs to the variance of its inputs, goes to the gain of its output.

    Shapes: x (N, I, H, W), weight (O, I, k, k), style (N, I), gain () -> (N, O, H + k - 1,
    W + k - 1) and the gain, (N, O) or ().
    """
    if demodulate:  # the two normalisations only keep the numbers in the range of half precision
        weight = weight * weight.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt()
        style = style * style.square().mean(dim=1, keepdim=True).rsqrt()
        power = style.square() @ weight.square().sum(dim=(2, 3)).T  # (N, O)
        gain = (power + 1e-8).rsqrt() * gain
    x = x * style.to(x.dtype)[:, :, None, None]
    return F.conv2d(x, weight.to(x.dtype), padding=weight.shape[2] - 1), gain


def modulated_conv2d(
    x: Tensor, weight: Tensor, bias: Tensor, style: Tensor, gain: Tensor, *, demodulate: bool
) -> Tensor:
    """As `modulate`, times the gain, plus bias[o]."""
    x, gain = modulate(x, weight, style, gain, demodulate=demodulate)
    return amplify(x, gain, bias)


@cache
def _blur_taps(device: torch.device) -> Tensor:
    """Copied to the device once."""
    with torch.inference_mode(False):  # kept, so it must suit any later caller
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        return taps.outer(taps).to(device)


def downsample_blur(x: Tensor, padding: int, stride: int) -> Tensor:
    """Low-pass x (N, C, H, W) with outer([1, 3, 3, 1]) / 64 after zero padding on all sides."""
    return depthwise(x, _blur_taps(x.device), stride, padding)
