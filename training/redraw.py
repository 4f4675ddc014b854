"""Real faces that G has to draw again, from what an encoder answers: both learn.

So a generator learns from each picture more than whether D takes it for real, and its encoder is
taught when the run ends.

    first_encoder  that of --init-from, or an untaught one
    SpreadEncoder  an encoder while it is taught so
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
from stylegan.layers import mean_over_processes
from training.lesson import picture_loss, prior
from training.processes import on_main

RATE, BETAS = 3e-4, (0.9, 0.99)  # of the encoder's Adam; the rate falls as those of G and D do
SHRINK = 2  # the first half of the real faces is drawn again
MOMENTUM, LEAST = 0.005, 1e-3  # of the running mean and variance; what is added to the latter


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


class SpreadEncoder(nn.Module):
    """An encoder while it is taught beside a generator: along every direction of W its w of real
    faces have the mean and the standard deviation of random ones.

    Without this they come to lie close together, where random latents seldom are, and what the
    generator learns there does not show in the faces that it draws. It answers the first half of
    the faces without offsets, for random latents have none.

    Shapes: img (N, C, H, H) -> ws (N, num_ws, w_dim). Buffers mean and var (w_dim,) are running
    ones of the encoder's coordinates. Reference: Ioffe and Szegedy 2015 (arXiv:1502.03167), Sec. 3,
    with running statistics in training, too, for batches are small.
    """

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", torch.zeros(encoder.config.w_dim))
        self.register_buffer("var", torch.ones(encoder.config.w_dim))

    def forward(self, img: Tensor, move: bool = False) -> Tensor:
        """With `move` the running statistics move, for the next pass: parts of one batch are all
        answered with the same."""
        w, offsets = (x.float() for x in self.encoder.coordinates(img))
        spread = (w - self.mean) * (self.var + LEAST).rsqrt()
        if move:
            self._move(w.detach())
        last = torch.arange(len(img), device=img.device) >= math.ceil(len(img) / 2)
        return self.encoder.latents(spread, offsets * last[:, None, None])

    @torch.no_grad()
    def _move(self, w: Tensor) -> None:
        mean = mean_over_processes(w.mean(dim=0))
        var = mean_over_processes((w - mean).square().mean(dim=0))
        self.mean.lerp_(mean, MOMENTUM)
        self.var.lerp_(var, MOMENTUM)

    @torch.no_grad()
    def plain(self) -> Encoder:
        """One that gives the same coordinates by itself."""
        encoder = copy.deepcopy(self.encoder)
        scale = (self.var + LEAST).rsqrt()
        encoder.w.weight.mul_(scale[:, None])
        encoder.w.bias.sub_(self.mean).mul_(scale)
        return encoder


@dataclass
class Redraw:
    """`weight` is that of the loss, beside the adversary's; `encoder` as accelerate prepared it,
    `raw` as it is, `average` as it is saved; `see` finds maps by which faces are compared."""

    weight: float
    encoder: nn.Module
    raw: SpreadEncoder
    average: SpreadEncoder
    optimizer: Optimizer
    see: FeatureNetwork

    @classmethod
    def begin(
        cls, weight: float, encoder: Encoder, accelerator: Accelerator, *, capturable: bool = False
    ) -> Self:
        """With an optimizer that has seen nothing yet; `capturable` for CUDA graphs."""
        raw = SpreadEncoder(encoder).to(accelerator.device)
        lr = torch.tensor(RATE, device=accelerator.device) if capturable else RATE
        group = {"params": list(raw.parameters()), "initial_lr": RATE}
        how = dict(betas=BETAS, fused=True, capturable=capturable)
        optimizer = torch.optim.Adam([group], lr=lr, **how)
        average = copy.deepcopy(raw).eval().requires_grad_(False)
        prepared, optimizer = accelerator.prepare(raw, optimizer)
        see = load_features()[0].to(accelerator.device)
        return cls(weight, prepared, raw, average, optimizer, see)

    def loss(
        self, draw: Callable[[Tensor], Tensor], img: Tensor, w_avg: Tensor, *, last: bool
    ) -> Tensor:
        """How unlike the first half of the images is to what `draw` makes of the answers ws, and
        how far these lie from w_avg; `last` of the parts of a batch.

        Shapes: img (N, C, H, H), w_avg (w_dim,) -> ().
        """
        half = img[: math.ceil(len(img) / SHRINK)]
        answer = self.encoder(half, move=last)
        spread = self.raw.encoder.basis.square().sum(dim=0).sqrt()  # of random w
        return picture_loss(draw(answer), half, self.see) + prior(answer, w_avg, spread)
