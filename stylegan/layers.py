"""Layers with an equalized learning rate: weights are stored near N(0, 1) and scaled when used.

Reference: Karras et al. 2018 (arXiv:1710.10196), Sec. 4.1.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, distributed, nn

from stylegan.activation import GAIN, SLOPE
from stylegan.ops import convolve


def compute_dtype(weight: Tensor) -> torch.dtype:
    """The type that wide features take: autocast's where it is on, else that of the weights."""
    device = weight.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype


def precise_dtype(weight: Tensor) -> torch.dtype:
    """The type of steps that keep their precision: float32 for weights of half precision too."""
    return torch.promote_types(weight.dtype, torch.float32)


def exact_dtype(device: torch.device) -> torch.dtype:
    """The type of styles and Fourier features: float64 or, where there is none, float32.

    Some GPUs have none, among them Apple's. Graphs that are compiled or exported do without, as
    they may be for one of these.
    """
    if torch.compiler.is_compiling():
        return torch.float32
    try:
        return torch.empty((), dtype=torch.float64, device=device).dtype
    except Exception:  # each kind of device says it its way
        return torch.float32


def mean_over_processes(x: Tensor) -> Tensor:
    """The mean of x over the processes that train together; x itself where there is only one."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return x
    x = x / distributed.get_world_size()
    distributed.all_reduce(x)
    return x


def unit_second_moment(x: Tensor) -> Tensor:
    """Scale each sample of x (N, dim) to a mean square of 1."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def scaled_leaky_relu(x: Tensor) -> Tensor:
    """sqrt(2) * leaky_relu(x): keeps the second moment of a normal input."""
    return F.leaky_relu(x, SLOPE) * GAIN


class EqualizedLinear(nn.Module):
    """Affine map whose effective weight is `lr_multiplier / sqrt(in_dim)` times the stored one.

    Shapes: x (N, in_dim) -> (N, out_dim), computed in the type of x.
    """

    def __init__(
        self, in_dim: int, out_dim: int, *, lr_multiplier: float = 1.0, bias_init: float = 0.0
    ):
        super().__init__()
        self.lr_multiplier = lr_multiplier
        self.weight = nn.Parameter(torch.randn(out_dim, in_dim) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_dim,), bias_init))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.lr_multiplier / math.sqrt(self.weight.shape[1])
        bias = self.bias.to(x.dtype) * self.lr_multiplier
        return torch.addmm(bias, x, self.weight.to(x.dtype).T, alpha=scale)


class EqualizedConv2d(nn.Module):
    """Convolution whose effective weight is `gain / sqrt(fan_in)` times the stored one.

    Shapes: x (N, in_channels, H, W) -> (N, out_channels, H', W').
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: Tensor, gain: float = 1.0, *, stride: int = 1, padding: int = 0) -> Tensor:
        """`gain` multiplies the result, bias included."""
        weight = self.weight * (gain / math.sqrt(self.weight[0].numel()))
        bias = None if self.bias is None else (self.bias * gain).to(x.dtype)
        return convolve(x, weight.to(x.dtype), bias, stride=stride, padding=padding)


def embed_label(embed: EqualizedLinear, c: Tensor) -> Tensor:
    """Normalised embedding of labels c (N, c_dim), in `precise_dtype`."""
    return unit_second_moment(embed(c.to(precise_dtype(embed.weight))))
