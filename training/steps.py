"""One training step of either network.

Reference: Karras et al. 2020 (arXiv:1912.04958), App. B for lazy regularization.
"""

from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer

from training.losses import logistic_d, logistic_g, r1_penalty

Stats = dict[str, Tensor]


@dataclass
class Run:
    """What changes while a run goes on: networks and optimizers as accelerate prepared them."""

    accelerator: Accelerator
    G: nn.Module
    D: nn.Module
    G_opt: Optimizer
    D_opt: Optimizer


def _apply(run: Run, loss: Tensor, network: nn.Module, optimizer: Optimizer) -> None:
    """One optimizer step; gradients that overflowed count as none or as large ones."""
    optimizer.zero_grad(set_to_none=True)
    run.accelerator.backward(loss)
    for parameter in network.parameters():
        if parameter.grad is not None:
            torch.nan_to_num(parameter.grad, nan=0.0, posinf=1e5, neginf=-1e5, out=parameter.grad)
    optimizer.step()


def generator_step(run: Run, z: Tensor) -> Stats:
    """Update G once with images drawn from z (N, z_dim)."""
    run.D.requires_grad_(False)
    loss = logistic_g(run.D(run.G(z)))
    _apply(run, loss, run.G, run.G_opt)
    run.D.requires_grad_(True)
    return {"loss/G": loss.detach()}


def discriminator_step(run: Run, reals: Tensor, z: Tensor, r1_weight: float) -> Stats:
    """Update D once on reals (N, C, H, W) in [-1, 1] and as many images drawn from z (N, z_dim).

    `r1_weight` multiplies the R1 penalty; at 0 it is not computed.
    """
    with torch.no_grad():
        fakes = run.G(z, update_emas=True)  # (N, C, H, W)
    reals = reals.detach().requires_grad_(r1_weight > 0)
    real_logits, fake_logits = run.D(reals), run.D(fakes)
    loss = logistic_d(real_logits, fake_logits)
    stats = {
        "loss/D": loss.detach(),
        "logits/real": real_logits.detach().mean(),
        "logits/fake": fake_logits.detach().mean(),
        "signs/real": real_logits.detach().sign().mean(),
    }
    if r1_weight > 0:
        penalty = r1_penalty(real_logits, reals)
        loss = loss + r1_weight * penalty
        stats["r1"] = penalty.detach()
    _apply(run, loss, run.D, run.D_opt)
    return stats
