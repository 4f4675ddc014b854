"""The averaged generator, which is the one that is drawn with and shared.

Reference: Karras et al. 2018 (arXiv:1710.10196), App. A.
"""

import torch
from torch import nn


def ema_decay(num_images: int, half_life: float) -> float:
    """Decay for a step of `num_images`; the half-life is in images, too."""
    return 0.5 ** (num_images / max(half_life, 1e-8))


@torch.no_grad()
def update_ema(G_ema: nn.Module, G: nn.Module, decay: float) -> None:
    """Move the parameters of G_ema towards those of G; copy the buffers, which are averages."""
    torch._foreach_lerp_(list(G_ema.parameters()), list(G.parameters()), 1 - decay)
    for target, source in zip(G_ema.buffers(), G.buffers(), strict=True):
        target.copy_(source)
