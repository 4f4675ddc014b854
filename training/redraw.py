"""Real faces that G has to draw again, from what an encoder answers: both learn.

So a generator learns from each picture more than whether D takes it for real, and its encoder is
taught when the run ends.

    first_encoder  that of --init-from, or an untaught one
    Anchor         what keeps its w where random ones lie
    Redraw         the encoder of a run, and how unlike a face is that is drawn again

Reference: Larsen et al. 2016 (arXiv:1512.09300), Sec. 3, for redrawing beside the adversary.
"""

import copy
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer

from evaluation.features import FeatureNetwork, load_features
from stylegan import Generator
from stylegan.encoder import Encoder
from stylegan.generator import MappingNetwork
from stylegan.latents import sample_z
from training.lesson import picture_loss, prior
from training.processes import on_main

RATE, BETAS = 3e-4, (0.9, 0.99)  # of the encoder's Adam; the rate falls as those of G and D do
SHRINK = 2  # the first half of the real faces is drawn again
APART = 4.0  # weight of how far apart the encoder's w and random ones lie, beside unlike faces
RANDOM = 512  # random w, always of the same z
NARROW = 0.08  # deviation of random w, in parts of the largest, below which a direction is left out
TINY = 1e-8  # in place of 0, the deviation along a direction that W does not have


def _taught(repo: str, untaught: Encoder) -> Encoder:
    """That of some weights; `untaught`, and a sentence, if they have none that fits."""
    try:
        encoder = Encoder.from_pretrained(repo)
    except FileNotFoundError:
        print(f"{repo} has no encoder; it begins anew", file=sys.stderr)
        return untaught
    if encoder.config != untaught.config:
        print(f"the encoder of {repo} is of another network; it begins anew", file=sys.stderr)
        return untaught
    return encoder


def first_encoder(G: Generator, init_from: str | None) -> Encoder:
    """That of some weights, if they have one that fits, else an untaught one; the same on every
    process.

    Raises: ValueError for a damaged one; as `stylegan.find.find_pretrained`.
    """
    encoder = Encoder.of(G)
    begun = on_main(lambda: (_taught(init_from, encoder) if init_from else encoder).state_dict())
    encoder.load_state_dict(begun)
    return encoder


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """How unlike two samples are distributed, in the unit of their coordinates. Its mean over many
    samples is 0 if both come from one distribution, and more if they do not.

    Shapes: x (N, K), y (M, K), M at least 2 -> (). A single x is not compared with others of x.
    Reference: Szekely and Rizzo 2013 (doi:10.1016/j.jspi.2013.03.018), Sec. 2.
    """

    def own(x: Tensor) -> Tensor:
        return torch.cdist(x, x).sum() / max(len(x) * (len(x) - 1), 1)

    return 2 * torch.cdist(x, y).mean() - own(x) - own(y)


class Anchor:
    """What keeps an encoder's w of real faces where random w lie: an energy distance.

    Without it they come to lie elsewhere, where random latents seldom are, and what the generator
    learns there does not show in the faces that it draws. Every direction of W counts alike, in
    parts of the deviation of random w along it. Those along which random w hardly vary are left
    out.
    """

    def __init__(self, encoder: Encoder, z_dim: int):
        self.encoder = encoder  # whose basis a state may bring later
        self.z = sample_z(range(RANDOM), z_dim).to(encoder.basis.device)

    def counted(self) -> Tensor:
        """Which directions of the encoder's basis count, (w_dim,), 1 or 0."""
        length = self.encoder.basis.norm(dim=1)  # the most first
        return (length > NARROW * length[0]).float()

    def distance(self, w: Tensor, mapping: MappingNetwork) -> Tensor:
        """Of w (N, w_dim) to random w, in parts of the mean distance of two random w -> ()."""
        directions = self.encoder.basis.T
        with torch.no_grad():
            random = mapping(self.z)[:, 0] @ directions
            std, mean = torch.std_mean(random, dim=0)
            scale = self.counted() / std.clamp(min=TINY)
            random = (random - mean) * scale
            size = torch.cdist(random, random).mean()
        return energy_distance((w @ directions - mean) * scale, random) / size


@dataclass
class Redraw:
    """`weight` is that of the loss, beside the adversary's; `encoder` as accelerate prepared it,
    `raw` as it is, `average` as it is saved; `see` finds maps by which faces are compared."""

    weight: float
    encoder: nn.Module
    raw: Encoder
    average: Encoder
    optimizer: Optimizer
    see: FeatureNetwork
    anchor: Anchor

    @classmethod
    def begin(
        cls,
        weight: float,
        raw: Encoder,
        z_dim: int,
        accelerator: Accelerator,
        *,
        capturable: bool = False,
    ) -> Self:
        """With an optimizer that has seen nothing yet; `capturable` for CUDA graphs."""
        raw = raw.to(accelerator.device)
        lr = torch.tensor(RATE, device=accelerator.device) if capturable else RATE
        group = {"params": list(raw.parameters()), "initial_lr": RATE}
        how = dict(betas=BETAS, fused=True, capturable=capturable)
        optimizer = torch.optim.Adam([group], lr=lr, **how)
        average = copy.deepcopy(raw).eval().requires_grad_(False)
        prepared, optimizer = accelerator.prepare(raw, optimizer)
        see = load_features()[0].to(accelerator.device)
        anchor = Anchor(raw, z_dim)
        return cls(weight, prepared, raw, average, optimizer, see, anchor)

    def loss(
        self, draw: Callable[[Tensor], Tensor], img: Tensor, mapping: MappingNetwork, w_avg: Tensor
    ) -> tuple[Tensor, Tensor]:
        """How unlike the first half of the images is to what `draw` makes of the answers ws and how
        far these lie from w_avg; and how far apart the encoder's w and random ones are distributed.

        Half of the drawn images are answered with offsets, which random latents do not have. All
        others say where the encoder's w lie; those of one part of a batch are compared with each
        other alone, so parts and processes agree with the whole batch on average, not exactly.

        Shapes: img (N, C, H, H), w_avg (w_dim,) -> (), ().
        """
        drawn = math.ceil(len(img) / SHRINK)
        alone = math.ceil(drawn / 2)
        offset_weight = torch.zeros(len(img), 1, 1, device=img.device)
        offset_weight[alone:drawn] = 1
        ws = self.encoder(img, offset_weight)
        answer, seen = ws[:drawn], torch.cat([ws[:alone, 0], ws[drawn:, 0]])
        spread = self.raw.basis.square().sum(dim=0).sqrt()  # of random w
        unlike = picture_loss(draw(answer), img[:drawn], self.see) + prior(answer, w_avg, spread)
        return unlike, self.anchor.distance(seen, mapping)
