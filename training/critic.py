"""A critic on frozen features: what a trained network sees in a picture is judged, not its pixels.

    MapCritic.mixed     a trunk's maps -> mixed features, frozen
    MapCritic           mixed features -> logits: the heads, which learn
    FeatureCritic.see   images -> mixed features, differentiable by the images

The features of four scales are mixed by fixed random convolutions, across channels and from coarse
to fine, so that no head can do with a few of them. Each head judges one scale, 16 places and the
whole picture. What differs from the paper: the trunk; features are normalised image by image, where
statistics of a batch would hide that its fakes are alike; and the judgement of the whole picture
knows how much a group of images varies, as in a StyleGAN discriminator.
Legend: N batch, C channels, S pixels.

Reference: Sauer et al. 2021 (arXiv:2111.01007), Sec. 3; Miyato et al. 2018 (arXiv:1802.05957) for
spectral normalisation.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from evaluation.trunk import CHANNELS, STRIDES, Trunk
from stylegan.discriminator import minibatch_deviation

SIDE = 128  # pixels to which smaller pictures are enlarged
WIDTHS = (64, 64, 128, 256)  # of the mixed features, fine to coarse
HEAD_WIDTH = 64
GROUP = 4  # images whose variation is measured
NORM_GROUPS = 4  # of channels that are normalised together
PLACES = 16  # logits of a head for places; the one for the whole counts as much as all of these


def _conv(n_in: int, n_out: int, kernel: int, stride: int = 1, *, bias: bool) -> nn.Conv2d:
    """With a weight of spectral norm 1."""
    padding = (kernel - 1) // 2 if kernel < 4 or stride > 1 else 0
    return spectral_norm(nn.Conv2d(n_in, n_out, kernel, stride, padding, bias=bias))


def _layer(n_in: int, n_out: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A convolution, normalised and activated."""
    convolution = _conv(n_in, n_out, kernel, stride, bias=False)
    return [convolution, nn.GroupNorm(NORM_GROUPS, n_out), nn.LeakyReLU(0.2)]


class Head(nn.Module):
    """Judge the features of one scale.

    Shapes: x (N, C, S, S), S a power of two from 4, direction (N, 2 HEAD_WIDTH) or None
    -> logits (N, 2 PLACES).
    Raises: ValueError for more than GROUP images that make no whole groups.
    """

    def __init__(self, channels: int, size: int):
        super().__init__()
        layers = []
        while size > 4:
            width = HEAD_WIDTH if size > 8 else 2 * HEAD_WIDTH
            layers += _layer(channels, width, kernel=4, stride=2)
            channels, size = width, size // 2
        if not layers:
            layers, channels = _layer(channels, 2 * HEAD_WIDTH, kernel=3), 2 * HEAD_WIDTH
        self.body = nn.Sequential(*layers)
        self.places = _conv(channels, 1, 3, bias=True)
        self.whole = _conv(channels + 1, 1, 4, bias=True)

    def forward(self, x: Tensor, direction: Tensor | None = None) -> Tensor:
        x = self.body(x)
        places = self.places(x).flatten(1)  # (N, PLACES)
        whole = self.whole(minibatch_deviation(x.float(), GROUP)).flatten(1)  # (N, 1)
        if direction is not None:
            whole = whole + (x.mean(dim=(2, 3)) * direction).sum(dim=1, keepdim=True)
        return torch.cat([places, whole.expand(-1, PLACES)], dim=1).float()


class MapCritic(nn.Module):
    """Judge the maps that a `Trunk` found in images of `side` pixels, once they are mixed.

    With labels the logits for the whole picture get the projection of a head's features on the
    label's direction (Miyato and Koyama 2018, arXiv:1802.05637, Sec. 3).

    Shapes: four maps (N, C, s, s) -> mixed -> four maps (N, C, s, s) -> forward -> logits
    (N, 8 PLACES).
    """

    def __init__(self, side: int, c_dim: int = 0):
        super().__init__()
        random = torch.Generator().manual_seed(0)  # the same mixing for every run

        def fixed(n_in: int, n_out: int, kernel: int) -> Tensor:
            weight = torch.randn(n_out, n_in, kernel, kernel, generator=random)
            return weight / math.sqrt(n_in * kernel**2)

        for i, (n_in, n_out) in enumerate(zip(CHANNELS, WIDTHS, strict=True)):
            self.register_buffer(f"across_channels{i}", fixed(n_in, n_out, 1))
        for i in range(3):
            self.register_buffer(f"across_scales{i}", fixed(WIDTHS[i + 1], WIDTHS[i], 3))
        self.register_buffer("gain_in", torch.ones(4))
        self.register_buffer("gain_out", torch.ones(4))
        self.heads = nn.ModuleList(
            Head(width, side // stride) for width, stride in zip(WIDTHS, STRIDES, strict=True)
        )
        self.c_dim = c_dim
        self.embed = spectral_norm(nn.Linear(c_dim, 2 * HEAD_WIDTH, bias=False)) if c_dim else None

    def _features(self, maps: list[Tensor]) -> list[Tensor]:
        """Fine to coarse, in one channel count per scale, before they meet."""
        return [F.conv2d(x, getattr(self, f"across_channels{i}")) for i, x in enumerate(maps)]

    def _mix(self, features: list[Tensor]) -> list[Tensor]:
        """Let each scale see the coarser ones."""
        mixed = [features[3] * self.gain_in[3]]
        for i in (2, 1, 0):
            coarse = F.conv2d(mixed[0], getattr(self, f"across_scales{i}"), padding=1)
            coarse = F.interpolate(coarse, scale_factor=2, mode="bilinear")
            mixed.insert(0, (features[i] * self.gain_in[i] + coarse) * math.sqrt(0.5))
        return mixed

    def mixed(self, maps: list[Tensor]) -> list[Tensor]:
        """What the heads judge."""
        mixed = self._mix(self._features(maps))
        return [x * self.gain_out[i] for i, x in enumerate(mixed)]

    @torch.no_grad()
    def calibrate(self, maps: list[Tensor]) -> None:
        """Let what is found in some images have a mean square of 1, before and after mixing."""
        features = self._features(maps)
        self.gain_in.copy_(torch.stack([x.float().square().mean().rsqrt() for x in features]))
        self.gain_out.fill_(1)
        # a map is mixed before its gain, so a coarser one's gain changes no finer one
        mixed = self._mix(features)
        self.gain_out.copy_(torch.stack([x.float().square().mean().rsqrt() for x in mixed]))

    def forward(
        self, maps: list[Tensor], c: Tensor | None = None, label_weight: float | Tensor = 1.0
    ) -> Tensor:
        """`label_weight` scales the label's part, for a run that brings it in gradually."""
        direction = None
        if self.embed is not None:
            if c is None:
                raise ValueError(f"labels c (N, {self.c_dim}) are needed")
            direction = self.embed(c) * label_weight
        logits = [head(x, direction) for head, x in zip(self.heads, maps, strict=True)]
        return torch.cat(logits, dim=1)


class FeatureCritic(MapCritic):
    """Judge what `see` finds in images.

    Shapes: img (N, 3, S, S), or (N, 1, S, S) -> see -> four maps (N, C, s, s) -> forward -> logits
    (N, 8 PLACES).
    Raises: FileNotFoundError if the trunk's weights are missing.
    """

    def __init__(self, img_resolution: int, c_dim: int = 0):
        side = max(SIDE, img_resolution)
        super().__init__(side, c_dim)
        self.side = side
        self.trunk = Trunk()

    def found(self, img: Tensor) -> list[Tensor]:
        """The trunk's maps."""
        img = img.expand(-1, 3, -1, -1)  # the trunk sees grey as colours that are alike
        if img.shape[2] < self.side:
            img = F.interpolate(img, size=(self.side, self.side), mode="bilinear")
        return self.trunk(img)

    def see(self, img: Tensor) -> list[Tensor]:
        """What the heads judge."""
        return self.mixed(self.found(img))
