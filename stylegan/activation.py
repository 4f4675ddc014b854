"""The activation of all networks, pixel by pixel: leaky ReLU, its gain and its bound.

Reference: Karras et al. 2021 (arXiv:2106.12423), App. B.
"""

import math

import torch.nn.functional as F
from torch import Tensor

SLOPE = 0.2  # of the leaky ReLU below zero
GAIN = math.sqrt(2)  # keeps the second moment through the leaky ReLU
CLAMP = 256.0  # bound of the activations


def gain_and_bias(x: Tensor, gain: Tensor | None, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """What a kernel multiplies x with and adds before the activation, 1 and 0 where it is None.

    Shapes: x (N, C, H, W), gain () or (N, C), bias (C,) -> (N, C) and (C,), float32.
    """
    num_images, channels = x.shape[:2]
    gain = x.new_ones(()) if gain is None else gain
    bias = x.new_zeros(channels) if bias is None else bias
    return gain.float().expand(num_images, channels).contiguous(), bias.float().contiguous()


def lrelu_clamp(x: Tensor, bound: float = CLAMP) -> Tensor:
    """clamp(leaky_relu(x), -bound, bound); x is overwritten where no gradient needs it.

    In this order neither step has to keep a copy for the gradient.
    """
    return lrelu(F.hardtanh(x, -bound / SLOPE, bound, inplace=not x.requires_grad))


def lrelu(x: Tensor) -> Tensor:
    """leaky_relu(x), written over x."""
    return F.leaky_relu_(x, SLOPE)
