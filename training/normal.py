"""Numbers of a normal distribution in place of others, moved as little as may be.

    normal         the numbers that ranks would have in a normal distribution
    white          z that vary alike along all directions
    moved          z that lie elsewhere along one direction
    telling        the directions of z that tell most of something else
    gaussianized   z whose numbers along a few directions are normal together

Legend: M faces, K z_dim.
"""

import numpy as np
import torch
from torch import Tensor

FLAT = 0.01  # a variance of z below which nothing is stretched to 1
TURNS = 30  # rotations after which numbers along few directions are normal together


def normal(x: Tensor) -> Tensor:
    """What the numbers of each column would be, by their ranks, in a normal distribution.

    Shapes: x (M, K) -> (M, K).
    """
    order = x.argsort(dim=0)
    shares = (torch.arange(len(x), device=x.device, dtype=torch.float64) + 0.5) / len(x)
    numbers = torch.special.ndtri(shares).to(x.dtype)
    return torch.empty_like(x).scatter_(0, order, numbers[:, None].expand_as(x).contiguous())


def white(z: Tensor) -> Tensor:
    """z (M, K), stretched along their principal directions until they vary alike along all.

    Random directions alone would hardly see that one of many numbers varies too much.
    """
    variances, directions = torch.linalg.eigh(z.T @ z / len(z))  # about 0, where they are to lie
    return z @ (directions * variances.clamp(min=FLAT).rsqrt()) @ directions.T


def moved(z: Tensor, axis: Tensor, to: Tensor) -> Tensor:
    """z (M, K), along the axis (K,) where `to` (M,) says, else where they are."""
    return z + (to - z @ axis).to(z.dtype)[:, None] * axis


def rotation(size: int, random: np.random.Generator, device: torch.device) -> Tensor:
    """Random orthonormal directions, (size, size)."""
    numbers = random.standard_normal((size, size), dtype=np.float32)
    return torch.linalg.qr(torch.from_numpy(numbers).to(device))[0]


def telling(z: Tensor, axis: Tensor, looks: Tensor) -> Tensor:
    """Orthonormal directions (K, 1 + L): the axis, and those along which z (M, K) change with the
    numbers (M, L) of what faces look like, which have means of 0. An axis of 0 gives any direction
    in its place."""
    return torch.linalg.qr(torch.cat([axis[:, None], z.T @ looks], dim=1))[0]


def gaussianized(z: Tensor, directions: Tensor, random: np.random.Generator) -> Tensor:
    """z (M, K), normal along the orthonormal directions (K, L) and all between them, moved only
    there.

    Reference: Laparra et al. 2011 (arXiv:1602.00229), Sec. II: rotation-based Gaussianization.
    """
    x = before = z @ directions
    for _ in range(TURNS):
        turn = rotation(x.shape[1], random, z.device)
        x = normal(x @ turn) @ turn.T
    return z + (x - before) @ directions.T
