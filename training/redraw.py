"""Real faces that G has to draw again, from what an encoder answers: both learn.

So a generator learns from each picture more than whether D takes it for real, and its encoder is
taught when the run ends.

    first_encoder  that of --init-from, or an untaught one
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
from training.lesson import picture_loss, prior
from training.processes import on_main

RATE, BETAS = 3e-4, (0.9, 0.99)  # of the encoder's Adam; the rate falls as those of G and D do
SHRINK = 2  # the first half of the real faces is drawn again


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


@dataclass
class Redraw:
    """`weight` is that of the loss, beside the adversary's; `encoder` as accelerate prepared it,
    `raw` as it is, `average` as it is saved; `see` finds maps by which faces are compared."""

    weight: float
    encoder: nn.Module
    raw: Encoder
    average: Encoder
    optimizer: Optimizer
    see: nn.Module

    @classmethod
    def begin(
        cls, weight: float, raw: Encoder, accelerator: Accelerator, *, capturable: bool = False
    ) -> "Redraw":
        """With an optimizer that has seen nothing yet; `capturable` for CUDA graphs."""
        raw.to(accelerator.device)
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
        spread = self.raw.basis.square().sum(dim=0).sqrt()
        return picture_loss(draw(answer), half, self.see) + prior(answer, w_avg, spread)
