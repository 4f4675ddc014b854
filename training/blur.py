"""Hiding fine detail from the discriminator while config R begins to learn.

Without it D soon judges details alone, and G follows before it has learned the faces.

Reference: Karras et al. 2021 (arXiv:2106.12423), App. F.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.ops import downsample

SIGMA = 2 / 64  # at the beginning, as a fraction of the image's width
FADE_KIMG = 200  # at batch 32; as many steps at any other


def blur_taps(img_resolution: int, batch: int, nimg: int) -> Tensor | None:
    """Weights 2^-(x / sigma)^2 of unit sum after `nimg` images, float32 (n,); None: no blur.

    There are as many taps at all times, enough for the beginning.
    """
    sigma = SIGMA * img_resolution * (1 - nimg / (1000 * FADE_KIMG * batch / 32))
    if sigma <= 0:
        return None
    radius = int(3 * SIGMA * img_resolution)
    x = torch.arange(-radius, radius + 1, dtype=torch.float64)
    taps = torch.exp2(-((x / sigma) ** 2))
    return (taps / taps.sum()).float()


def blur(images: Tensor, taps: Tensor) -> Tensor:
    """Low-pass images (N, C, H, W) along both axes, mirrored at their borders."""
    radius = len(taps) // 2
    images = F.pad(images, (radius,) * 4, mode="reflect")
    return downsample(images, taps, 1)
