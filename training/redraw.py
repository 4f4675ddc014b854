"""Real faces that G has to draw again, from what an encoder answers: both learn.

So a generator learns from each picture more than whether D takes it for real, and its encoder is
taught when the run ends.

    Redraw         the encoder of a run, its optimizer, and how unlike a face is
    first_encoder  that of --init-from, or an untaught one

Reference: Larsen et al. 2016 (arXiv:1512.09300), Sec. 3, for redrawing beside the adversary.
"""

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
from training.config import TrainConfig
from training.lesson import picture_loss, prior

RATE, BETAS = 1e-3, (0.9, 0.99)  # of the encoder's Adam; the rate falls as those of G and D do


@dataclass
class Redraw:
    """`encoder` as accelerate prepared it, `raw` as it is saved; `see` finds the maps by which
    faces are compared, beside their pixels."""

    encoder: nn.Module
    raw: Encoder
    optimizer: Optimizer
    see: nn.Module

    @classmethod
    def begin(cls, raw: Encoder, accelerator: Accelerator, *, capturable: bool) -> "Redraw":
        """With an optimizer that has seen nothing yet."""
        how = dict(betas=BETAS, fused=True, capturable=capturable)
        lr = torch.tensor(RATE, device=accelerator.device) if capturable else RATE
        group = {"params": list(raw.parameters()), "initial_lr": RATE}
        optimizer = torch.optim.Adam([group], lr=lr, **how)
        encoder, optimizer = accelerator.prepare(raw, optimizer)
        see = load_features()[0].to(accelerator.device)
        return cls(encoder, raw, optimizer, see)

    def loss(self, draw: Callable[[Tensor], Tensor], img: Tensor) -> Tensor:
        """How unlike images (N, C, H, H) are what `draw` makes of the answers ws, and how far these
        lie from what G knows; ()."""
        answer = self.encoder(img)
        spread = self.raw.basis.square().sum(dim=0).sqrt()
        w_avg = self.raw.w_avg
        return picture_loss(draw(answer), img, self.see) + prior(answer, w_avg, spread)


def first_encoder(config: TrainConfig, G: Generator) -> Encoder:
    """What a run begins with, to be taught; raises as `stylegan.find.find_pretrained`."""
    untaught = Encoder.of(G)
    if not config.init_from:
        return untaught
    try:
        encoder = Encoder.from_pretrained(config.init_from)
    except FileNotFoundError:
        return untaught
    if encoder.config != untaught.config:
        words = f"the encoder of {config.init_from} is of another network; this run's begins anew"
        print(words, file=sys.stderr)
        return untaught
    return encoder.train().requires_grad_(True)
