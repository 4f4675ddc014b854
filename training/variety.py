"""Fixed augmentation of what the critic on features sees: colour, place and a hole.

Every image gets its own; reals and fakes alike, and differentiable by the images.

Reference: Zhao et al. 2020 (arXiv:2006.10738), Sec. 3, "color + translation + cutout".
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SHIFT, HOLE = 1 / 8, 1 / 2  # most translation and the hole's side, in sides of an image


def vary(images: Tensor, numbers: Tensor) -> Tensor:
    """Brightness by up to 0.5, saturation by 0 to 2, contrast by 0.5 to 1.5, then a translation
    that leaves zeros behind it, then a hole of zeros.

    Shapes: images (N, C, H, H) in [-1, 1], numbers (N, K), the first seven of each row uniform in
    [0, 1) -> (N, C, H, H).
    """
    size = images.shape[2]
    u = numbers[:, :7, None, None, None].float()  # (N, 7, 1, 1, 1)
    x = images + (u[:, 0] - 0.5)
    grey = x.mean(dim=1, keepdim=True)
    x = grey + (x - grey) * (2 * u[:, 1])
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = mean + (x - mean) * (u[:, 2] + 0.5)

    most, places = round(size * SHIFT), torch.arange(size, device=x.device)
    shifts = (numbers[:, 3:5] * (2 * most + 1)).long() - most  # (N, 2): right, down
    columns, rows = (places - shifts[:, i, None] + most for i in (0, 1))  # (N, H), in the padded
    x = F.pad(x, [most] * 4)
    x = x.gather(2, rows[:, None, :, None].expand(-1, x.shape[1], -1, x.shape[3]))
    x = x.gather(3, columns[:, None, None, :].expand(-1, x.shape[1], size, -1))

    hole = round(size * HOLE)
    first = (numbers[:, 5:7] * (size + 1)).long() - hole // 2  # (N, 2); may lie half outside
    inside = (places >= first[..., None]) & (places < first[..., None] + hole)  # (N, 2, H)
    return x * ~(inside[:, 0, None, None, :] & inside[:, 1, None, :, None])
