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

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer

from evaluation.features import load_features
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
    """The same on every process; raises ValueError for a damaged one."""
    encoder = Encoder.of(G)
    begun = on_main(lambda: (_taught(init_from, encoder) if init_from else encoder).state_dict())
    encoder.load_state_dict(begun)
    return encoder


class SpreadEncoder(nn.Module):
    """An encoder while it is taught beside a generator: its w of real faces lie about w_avg as far,
    along every direction, as those of random latents.

    Left alone they come to lie close together, where random latents seldom are, and what the
    generator learns there does not show in the faces that it draws. The first half of
    the faces is answered without offsets, for random latents have none.

    Shapes: img (N, C, H, H) -> ws (N, num_ws, w_dim).
    """

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", torch.zeros(encoder.config.w_dim))
        self.register_buffer("var", torch.ones(encoder.config.w_dim))

    def forward(self, img: Tensor) -> Tensor:
        w, offsets = (x.float() for x in self.encoder.coordinates(img))
        with torch.no_grad():
            self.mean.lerp_(mean_over_processes(w.mean(dim=0)), MOMENTUM)
            self.var.lerp_(mean_over_processes((w - self.mean).square().mean(dim=0)), MOMENTUM)
        w = (w - self.mean) * (self.var + LEAST).rsqrt()
        last = torch.arange(len(img), device=img.device) >= math.ceil(len(img) / 2)
        return self.encoder.latents(w, offsets * last[:, None, None])

    @torch.no_grad()
    def plain(self) -> Encoder:
        """One that answers the same by itself."""
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
    see: nn.Module

    @classmethod
    def begin(
        cls, weight: float, encoder: Encoder, accelerator: Accelerator, *, capturable: bool = False
    ) -> "Redraw":
        """With an optimizer that has seen nothing yet; `capturable` for CUDA graphs."""
        raw = SpreadEncoder(encoder).to(accelerator.device)
        lr = torch.tensor(RATE, device=accelerator.device) if capturable else RATE
        group = {"params": list(raw.parameters()), "initial_lr": RATE}
        how = dict(betas=BETAS, fused=True, capturable=capturable)
        optimizer = torch.optim.Adam([group], lr=lr, **how)
        average = copy.deepcopy(raw).eval().requires_grad_(False)
        encoder, optimizer = accelerator.prepare(raw, optimizer)
        see = load_features()[0].to(accelerator.device)
        return cls(weight, encoder, raw, average, optimizer, see)

    def loss(self, draw: Callable[[Tensor], Tensor], img: Tensor, w_avg: Tensor) -> Tensor:
        """How unlike the first half of images (N, C, H, H) are what `draw` makes of the answers ws,
        and how far these lie from what G knows; ()."""
        half = img[: math.ceil(len(img) / SHRINK)]
        answer = self.encoder(half)
        spread = self.raw.encoder.basis.square().sum(dim=0).sqrt()
        return picture_loss(draw(answer), half, self.see) + prior(answer, w_avg, spread)
