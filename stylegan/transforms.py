"""Motions of the drawn image, as (3, 3) matrices for `SynthesisNetwork.forward`.

A matrix maps points of the wanted image back to where the unmoved one has them: x to the right, y
downwards, the image spanning [-0.5, 0.5]. A motion followed by another is `first @ second`.

Reference: Karras et al. 2021 (arXiv:2106.12423), App. F.
"""

import math

import torch
from torch import Tensor


def translation(dx: float, dy: float) -> Tensor:
    """Shift by fractions of the image: dx to the right, dy down."""
    return torch.tensor([[1.0, 0.0, -dx], [0.0, 1.0, -dy], [0.0, 0.0, 1.0]])


def rotation(angle: float) -> Tensor:
    """Turn clockwise around the image's centre; `angle` in radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
