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


def rounded(img: Tensor) -> Tensor:
    """As a file keeps it, with 256 values in [-1, 1]; gradients pass as if nothing was done.

    Else a critic finds, and G hides, what no picture can show.
    """
    kept = (img * 127.5 + 127.5).round().clamp(0, 255) / 127.5 - 1
    return img + (kept - img).detach()


class Percept(nn.Module):
    """Compares faces by what `Trunk` finds in every place, as a direction, and in coarse pixels.

    It sees faces as files keep them. Each of the trunk's channels counts in parts of its deviation
    over `reals`.

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
        img = rounded(img.float()).expand(-1, 3, -1, -1)
        x = F.interpolate(img, size=(SIDE, SIDE), **how)
        return [x.float() / s for x, s in zip(self.trunk(x), self.scale, strict=True)]

    def unlike(self, drawn: Tensor, img: Tensor, maps: list[Tensor], of: list[Tensor]) -> Tensor:
        """`maps` and `of` were found in `drawn` and `img`."""
        coarse = (F.adaptive_avg_pool2d(x.float(), COARSE) for x in (drawn, img))
        return feature_distance(maps, of) + PIXELS * pyramid_distance(*coarse)

    def forward(self, drawn: Tensor, img: Tensor) -> Tensor:
        with torch.no_grad():
            of = self.maps(img)
        return self.unlike(drawn, img, self.maps(drawn), of)
