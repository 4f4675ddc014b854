"""How unlike faces are, to a network that knows pictures of all kinds.

Reference: Zhang et al. 2018 (arXiv:1801.03924), without learnt weights.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluation.trunk import Trunk
from stylegan.projection import feature_distance, pyramid_distance

SIDE = 128  # pixels to which faces are enlarged, or made smaller, for the network
COARSE = 16  # pixels at which pixels count; finer ones would ask for the mean of all hairs
PIXELS = 6.0  # weight of their distance, beside that of what the network finds


class Percept(nn.Module):
    """Compares faces by what `Trunk` finds in every place, as a direction, and in coarse pixels.

    Each of its channels counts in parts of its deviation over `reals`.

    Shapes: reals (M, C, H, H) in [-1, 1]; drawn, img (N, C, H, H) -> (N,).
    """

    def __init__(self, reals: Tensor):
        super().__init__()
        self.trunk = Trunk().to(reals.device)
        self.scale = [1.0] * 4
        with torch.no_grad():
            found = self.maps(reals)
        self.scale = [x.std(dim=(0, 2, 3), keepdim=True).clamp(min=1e-3) for x in found]

    def maps(self, img: Tensor) -> list[Tensor]:
        """What the network finds, four maps (N, C, S, S)."""
        how = dict(mode="bilinear", align_corners=False, antialias=img.shape[2] > SIDE)
        x = F.interpolate(img.expand(-1, 3, -1, -1), size=(SIDE, SIDE), **how)
        return [x.float() / s for x, s in zip(self.trunk(x), self.scale, strict=True)]

    def forward(self, drawn: Tensor, img: Tensor) -> Tensor:
        with torch.no_grad():
            target = self.maps(img)
        coarse = (F.adaptive_avg_pool2d(x.float(), COARSE) for x in (drawn, img))
        return feature_distance(self.maps(drawn), target) + PIXELS * pyramid_distance(*coarse)
