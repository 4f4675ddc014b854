"""The generator as a textbook writes it, to compare with: slow, and easy to check by reading.

One kernel per sample in a grouped convolution, zeros between the samples that are interpolated,
depthwise filters in the usual memory format. It draws with the weights of a `stylegan.Generator`.

Reference: Karras et al. 2021 (arXiv:2106.12423), Sec. 3.2; Karras et al. 2020 (arXiv:1912.04958),
Sec. 2.2.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan import Generator
from stylegan.activation import CLAMP, GAIN, SLOPE
from stylegan.generator import OUTPUT_SCALE, SynthesisLayer


def filter_depthwise(x: Tensor, taps: Tensor, stride: int = 1) -> Tensor:
    """Correlate every channel of x (N, C, H, W) with taps (kh, kw)."""
    channels = x.shape[1]
    return F.conv2d(x, taps.expand(channels, 1, *taps.shape), stride=stride, groups=channels)


def filter_axes(x: Tensor, taps: Tensor, stride: int = 1) -> Tensor:
    """Taps (n,) along both axes, or taps (n, n) at once."""
    if taps.ndim == 2:
        return filter_depthwise(x, taps, stride)
    x = filter_depthwise(x, taps[None, :], (1, stride))
    return filter_depthwise(x, taps[:, None], (stride, 1))


def modulated_convolution(layer: SynthesisLayer, x: Tensor, w: Tensor) -> Tensor:
    """A kernel per sample; x (N, I, H, W), w (N, w_dim) -> (N, O, H + k - 1, W + k - 1)."""
    spec, weight, style = layer.spec, layer.weight, layer.affine(w)
    if spec.is_torgb:
        style = style / math.sqrt(weight[0].numel())
    kernels = weight * style[:, None, :, None, None]  # (N, O, I, k, k)
    if not spec.is_torgb:
        kernels = kernels * (kernels.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    kernels = kernels * layer.magnitude_ema.rsqrt()
    num_images, _, height, width = x.shape
    x = F.conv2d(
        x.reshape(1, -1, height, width),
        kernels.flatten(0, 1),
        padding=spec.kernel - 1,
        groups=num_images,
    )
    x = x.unflatten(1, (num_images, -1)).squeeze(0)
    return x + layer.bias[:, None, None]


def draw_layer(layer: SynthesisLayer, x: Tensor, w: Tensor) -> Tensor:
    """As `layer(x, w)`, always in the type of the weights."""
    spec = layer.spec
    x = modulated_convolution(layer, x.to(layer.weight.dtype), w)
    if spec.is_torgb:
        return x.clamp(-CLAMP, CLAMP)
    num_images, channels, size, _ = x.shape
    stuffed = x.new_zeros(num_images, channels, size * spec.up, size * spec.up)
    stuffed[:, :, :: spec.up, :: spec.up] = x
    x = filter_axes(F.pad(stuffed, spec.padding * 2), layer.up_filter * spec.up)
    x = (F.leaky_relu(x, SLOPE) * GAIN).clamp(-CLAMP, CLAMP)
    return filter_axes(x, layer.down_filter, spec.down)


@torch.no_grad()
def draw(G: Generator, ws: Tensor) -> Tensor:
    """As `G.synthesis(ws)`, float32; ws (N, num_ws, w_dim) -> (N, C, H, W)."""
    x = G.synthesis.input(ws[:, 0].double()).contiguous()
    for i, name in enumerate(G.synthesis.layer_names, start=1):
        x = draw_layer(G.synthesis.get_submodule(name), x, ws[:, i])
    return x * OUTPUT_SCALE
