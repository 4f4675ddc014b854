"""Between images, float (N, C, H, W) in [-1, 1], and pictures, uint8 (H, W, 3) RGB."""

import numpy as np
import torch
from torch import Tensor


def to_uint8(img: Tensor) -> np.ndarray:
    """Float (N, C, H, W), clipped to [-1, 1], to uint8 (N, H, W, 3); grey becomes RGB."""
    img = (img.float() * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
    return img.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def from_uint8(img: Tensor) -> Tensor:
    """Uint8 tensor of any shape to float32 in [-1, 1]."""
    return img.float() / 127.5 - 1


def image_grid(images: np.ndarray, columns: int) -> np.ndarray:
    """Pictures (N, H, W, 3) row by row in one picture; ValueError if the last row is not full."""
    n, height, width, channels = images.shape
    if n % columns:
        raise ValueError(f"{n} pictures do not fill rows of {columns}")
    rows = images.reshape(n // columns, columns, height, width, channels).swapaxes(1, 2)
    return rows.reshape(n // columns * height, columns * width, channels)
