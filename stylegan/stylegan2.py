"""The synthesis network of StyleGAN2, as its ADA version has it, behind the interface of StyleGAN3.

    ModulatedLayer     3x3 convolution steered by a style, noise, leaky ReLU; it may double the size
    ToRGB              features to colours, steered by a style
    Block              one resolution: layers, and colours added to those of the resolution before
    StyleGAN2Synthesis ws -> image

What differs from StyleGAN3: features start from a learned constant, so that no transform can move
them; noise is added pixel by pixel; colours are summed over resolutions and not scaled at the end.
Styles and colours are float32, the layers run in the type of autocast or else of the weights.
Legend: N batch, C channels, H and W pixels.

Reference: Karras et al. 2020 (arXiv:1912.04958), Sec. 2 and 4.1, App. B; Karras et al. 2020
(arXiv:2006.06676), App. D, for the bound of the activations.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.activation import GAIN, lrelu, lrelu_clamp
from stylegan.checks import check_noise, check_tensor
from stylegan.config import GeneratorConfig
from stylegan.layers import EqualizedLinear, compute_dtype, precise_dtype
from stylegan.ops import convolve, depthwise, upsample

KERNEL = 3
FIRST = 4  # pixels of the constant


def blur_filter() -> Tensor:
    """(4, 4), with unit sum."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    return taps.outer(taps)


class ModulatedLayer(nn.Module):
    """clamp(sqrt(2) * leaky_relu(convolution + noise + bias)), its variance kept by demodulation.

    Shapes: x (N, in_channels, H, H), w (N, w_dim), noise (size, size) or None -> (N, out_channels,
    size, size) in the type of x, where size is H or, with `up`, 2 H.
    """

    def __init__(
        self, w_dim: int, in_channels: int, out_channels: int, size: int, *, up: bool, clamp: int
    ):
        super().__init__()
        self.up, self.clamp = up, clamp
        self.affine = EqualizedLinear(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, KERNEL, KERNEL))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.randn(size, size))
        if up:
            self.register_buffer("resample_filter", blur_filter(), persistent=False)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        dtype = precise_dtype(self.weight)
        fan_in = self.weight[0].numel()
        style = self.affine(w)  # (N, I)
        weight = self.weight.to(dtype) / math.sqrt(fan_in)  # a scale that suits half precision
        power = style.square() @ weight.square().sum(dim=(2, 3)).T  # (N, O)
        gain = (power + 1e-8 / fan_in).rsqrt() * GAIN
        x, weight = x * style.to(x.dtype)[:, :, None, None], weight.to(x.dtype)
        if self.up:  # zeros between the samples, convolved and then blurred
            x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            x, gain = depthwise(x, self.resample_filter, padding=1), gain * 4
        else:
            x = convolve(x, weight, padding=KERNEL // 2)
        shift = self.bias.to(dtype)[:, None, None] * GAIN  # (O, 1, 1)
        if noise is not None:
            shift = shift + noise.to(dtype) * self.noise_strength.to(dtype) * GAIN  # (O, H, W)
        x = torch.addcmul(shift.to(x.dtype), x, gain.to(x.dtype)[:, :, None, None])
        return lrelu_clamp(x, self.clamp) if self.clamp else lrelu(x)


class ToRGB(nn.Module):
    """A 1x1 convolution, not demodulated: x (N, C, H, W), w (N, w_dim) -> (N, img_channels, H, W)
    in float32."""

    def __init__(self, w_dim: int, in_channels: int, img_channels: int, clamp: int):
        super().__init__()
        self.clamp = clamp
        self.affine = EqualizedLinear(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(img_channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        dtype = precise_dtype(self.weight)
        style = self.affine(w) / math.sqrt(self.weight.shape[1])  # (N, C)
        x = x * style.to(x.dtype)[:, :, None, None]
        x = F.conv2d(x, self.weight.to(x.dtype)).to(dtype) + self.bias.to(dtype)[:, None, None]
        return x.clamp(-self.clamp, self.clamp) if self.clamp else x


class Block(nn.Module):
    """One resolution of `size` pixels; the first begins with the constant.

    Shapes: x (N, in_channels, size / 2, size / 2) and img (N, img_channels, size / 2, size / 2), or
    None and None -> both at `size`. Of ws (N, 2 or 3, w_dim), a style for each layer and one for
    the colours.
    """

    def __init__(self, config: GeneratorConfig, size: int):
        super().__init__()
        clamp, channels = config.conv_clamp, config.channels(size)
        shape = dict(size=size, clamp=clamp)
        if size == FIRST:
            self.const = nn.Parameter(torch.randn(channels, FIRST, FIRST))
        else:
            before = config.channels(size // 2)
            self.conv0 = ModulatedLayer(config.w_dim, before, channels, up=True, **shape)
            self.register_buffer("resample_filter", blur_filter(), persistent=False)
        self.conv1 = ModulatedLayer(config.w_dim, channels, channels, up=False, **shape)
        self.torgb = ToRGB(config.w_dim, channels, config.img_channels, clamp)

    def layers(self) -> list[str]:
        """Names of its convolutions, which take a style each."""
        return ["conv1"] if hasattr(self, "const") else ["conv0", "conv1"]

    def forward(
        self,
        x: Tensor | None,
        img: Tensor | None,
        ws: Tensor,
        noises: list[Tensor | None],
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor]:
        if x is None:
            x = self.const.to(dtype).repeat(ws.shape[0], 1, 1, 1)
        for i, name in enumerate(self.layers()):
            x = self.get_submodule(name)(x, ws[:, i], noises[i])
        colours = self.torgb(x, ws[:, -1])
        if img is not None:
            taps = self.resample_filter.to(img.dtype) * 4  # zeros take three quarters of the mean
            colours = colours + upsample(img, taps, 2, 2, x.shape[2])
        return x, colours


class StyleGAN2Synthesis(nn.Module):
    """Draw images from styles.

    Style i is that of convolution i, and of the colours before it; the last is that of the last
    colours.

    Shapes: ws (N, num_ws, w_dim) -> img (N, img_channels, img_resolution, img_resolution), about
    [-1, 1] and not clipped.
    Raises: TypeError or ValueError naming an argument of another kind or shape; ValueError for a
    transform.
    """

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        self.w_dim, self.num_ws = config.w_dim, config.num_ws
        self.sizes = [2**i for i in range(2, config.img_resolution.bit_length())]
        for size in self.sizes:
            self.add_module(f"b{size}", Block(config, size))
        self.layer_names = [
            f"b{size}.{name}"
            for size in self.sizes
            for name in self.get_submodule(f"b{size}").layers()
        ]

    def affine_at(self, place: int) -> EqualizedLinear:
        """What the style at that place of ws goes through first."""
        return self.get_submodule([*self.layer_names, f"b{self.sizes[-1]}.torgb"][place]).affine

    def _noises(self, noise: str | int) -> list[Tensor | None]:
        """Of every layer, (size, size)."""
        if noise == "none":
            return [None] * len(self.layer_names)
        fixed = [self.get_submodule(name).noise_const for name in self.layer_names]
        if noise == "constant":
            return fixed
        random = torch.Generator().manual_seed(noise)
        return [torch.randn(x.shape, generator=random).to(x.device) for x in fixed]

    def forward(
        self, ws: Tensor, transform: None = None, *, noise: str | int = "constant"
    ) -> Tensor:
        """`noise` is "constant", which is part of the weights, "none", or a seed for another one,
        the same for all images. There is no transform: only StyleGAN3 can move its image.
        """
        check_tensor("ws", ws, self.num_ws, self.w_dim)
        check_noise(noise)
        if transform is not None:
            raise ValueError("StyleGAN2 cannot move its image: leave transform out")
        const = self.get_submodule(f"b{FIRST}").const
        dtype, noises, first = compute_dtype(const), self._noises(noise), 0
        with torch.autocast(ws.device.type, enabled=False):
            ws, x, img = ws.to(precise_dtype(const)), None, None
            for size in self.sizes:
                block = self.get_submodule(f"b{size}")
                last = first + len(block.layers())
                x, img = block(x, img, ws[:, first : last + 1], noises[first:last], dtype)
                first = last
        return img
