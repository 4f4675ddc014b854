"""How exactly a generator's picture follows its transform: tensors in, errors out.

    eq_t         moved by whole pixels
    eq_t_frac    moved by any distance
    eq_r         turned by any angle

They compare pictures drawn with a transform to the pictures drawn without, moved afterwards. Pixels
whose origin lies outside the picture do not count. `decibels` makes one number of many errors. All
is computed in main memory, in float64, which not every device has.
Legend: N batch, C channels, H pixels.

Reference: Karras et al. 2021 (arXiv:2106.12423), App. E.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

RADIUS = 3  # of the Lanczos window that limits the filters, in pixels


class Error(NamedTuple):
    """Sum of the squared differences, and of how many values."""

    squares: float
    values: int


def masked(difference: Tensor, mask: Tensor) -> Error:
    """Where the mask, of the same shape, is True."""
    return Error(difference[mask].double().square().sum().item(), int(mask.sum()))


def decibels(errors: Sequence[Error]) -> float:
    """Peak signal-to-noise ratio for a range of 2: an error of 0.02 everywhere is 40 dB."""
    squares, values = map(sum, zip(*errors, strict=True))
    return 10 * math.log10(4 * values / squares) if squares else math.inf


def eq_t(img: Tensor, moved: Tensor, shifts: Tensor) -> Error:
    """Equivariance to translation.

    Args:
        img: drawn without a transform.  moved: drawn with `translation(right / H, down / H)`.
        shifts: whole pixels to the right and down, (N, 2) of an integer type.
    Shapes: img, moved (N, C, H, H) in [-1, 1].
    """
    img, moved = img.cpu(), moved.cpu()
    expected, mask = torch.zeros_like(img), torch.zeros_like(img, dtype=torch.bool)
    height, width = img.shape[2:]
    for i, (right, down) in enumerate(shifts.tolist()):
        rows = slice(max(down, 0), height + min(down, 0))
        columns = slice(max(right, 0), width + min(right, 0))
        expected[i] = img[i].roll((down, right), dims=(1, 2))
        mask[i, :, rows, columns] = True  # where nothing came in from the other side
    return masked(moved - expected, mask)


def eq_t_frac(img: Tensor, moved: Tensor, shifts: Tensor) -> Error:
    """Equivariance to translation between pixels, where `img` is moved with a Lanczos filter.

    Args:
        img: drawn without a transform.  moved: drawn with `translation(right / H, down / H)`.
        shifts: pixels to the right and down, (N, 2).
    Shapes: img, moved (N, C, H, H) in [-1, 1].
    """
    size = img.shape[2]
    axis = torch.arange(size, dtype=torch.float64)
    origins = axis - shifts.cpu().double()[..., None]  # (N, 2, H)
    offsets = origins[..., None] - axis  # (N, 2, H, H): from each pixel of the moved to each of img
    weights = torch.sinc(offsets) * torch.sinc(offsets / RADIUS) * (offsets.abs() < RADIUS)
    inside = (origins >= RADIUS) & (origins <= size - 1 - RADIUS)
    weights = weights / weights.sum(dim=3, keepdim=True).where(inside[..., None], 1)
    across, down = weights[:, None].unbind(2)
    expected = down @ img.cpu().double() @ across.mT
    mask = inside[:, None, 1, :, None] & inside[:, None, 0, None, :]
    return masked(moved.cpu().double() - expected, mask.expand_as(expected))


def rotation_kernel(offsets: Tensor, angle: float) -> Tensor:
    """Low-pass for the frequencies that both the grid and the grid turned by `angle` can hold.

    Each grid holds a square of frequencies. What both hold is an octagon around the unit circle's
    half, whose inverse Fourier transform is a sum over its edges; a radial window limits it.

    Shapes: offsets (..., 2) in pixels -> (...), float64.
    """
    turned = angle % (math.pi / 2)
    gaps = [turned, math.pi / 2 - turned] * 4  # between the edges' directions
    square = offsets.square().sum(dim=-1)
    total = torch.zeros_like(square)
    for edge in range(8):
        direction = sum(gaps[:edge])
        normal = offsets.new_tensor([math.cos(direction), math.sin(direction)])
        tangent = offsets.new_tensor([-math.sin(direction), math.cos(direction)])
        ahead, behind = math.tan(gaps[edge] / 2) / 2, math.tan(gaps[edge - 1] / 2) / 2
        middle = normal / 2 + tangent * (ahead - behind) / 2
        length = ahead + behind
        wave = torch.sin(2 * math.pi * (offsets @ middle)) * torch.sinc(length * offsets @ tangent)
        total += length * (offsets @ normal) * wave
    area = sum(math.tan(gap / 2) for gap in gaps) / 4
    kernel = torch.where(square > 1e-12, total / (2 * math.pi * square.clamp_min(1e-12)), area)
    radius = square.sqrt() / RADIUS
    return kernel * torch.sinc(radius) * (radius < 1)


def eq_r(img: Tensor, moved: Tensor, angles: Tensor) -> Error:
    """Equivariance to rotation.

    `img` is turned with `rotation_kernel`, `moved` filtered with the same kernel in its own frame,
    so that both have lost the same frequencies.

    Args:
        img: drawn without a transform.  moved: drawn with `rotation(angle)`, clockwise.
        angles: radians, (N,).
    Shapes: img, moved (N, C, H, H) in [-1, 1].
    """
    size = img.shape[2]
    axis = torch.arange(size, dtype=torch.float64)
    points = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)  # (H, H, 2): x, y
    window = torch.arange(1 - RADIUS, RADIUS + 1, dtype=torch.float64)
    window = torch.stack(torch.meshgrid(window, window, indexing="xy"), dim=-1).reshape(-1, 2)
    inside = ((points >= RADIUS) & (points <= size - 1 - RADIUS)).all(dim=2)
    errors, masks = [], []
    for plain, turned, angle in zip(img.cpu().double(), moved.cpu().double(), angles, strict=True):
        cos, sin = math.cos(angle), math.sin(angle)
        back = torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)  # moved -> img
        centre = (size - 1) / 2
        origins = (points - centre) @ back.T + centre  # (H, H, 2)
        nearest = origins.floor()
        taps = nearest[:, :, None] + window  # (H, H, taps, 2)
        weights = rotation_kernel(taps - origins[:, :, None], angle.item())
        weights = weights / weights.sum(dim=2, keepdim=True)
        index = taps.long().clamp(0, size - 1)
        expected = (plain[:, index[..., 1], index[..., 0]] * weights).sum(dim=3)  # (C, H, H)

        kernel = rotation_kernel(window @ back.T, angle.item())
        kernel = (kernel / kernel.sum()).reshape(2 * RADIUS, 2 * RADIUS)[:-1, :-1]  # centred
        kernel = kernel.expand(len(turned), 1, -1, -1)
        filtered = F.conv2d(turned[None], kernel, padding=RADIUS - 1, groups=len(turned))[0]

        whole = (origins >= RADIUS) & (origins <= size - 1 - RADIUS)
        errors.append(filtered - expected)
        masks.append((whole.all(dim=2) & inside).expand_as(expected))
    return masked(torch.stack(errors), torch.stack(masks))
