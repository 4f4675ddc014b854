"""What a pair of networks costs, counted and not measured."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from stylegan import Discriminator, Generator


@dataclass(frozen=True)
class Cost:
    """Parameters, and floating-point operations (a multiply-add is two) of one forward pass."""

    parameters: int
    flops: int

    def __str__(self) -> str:
        return f"{self.parameters / 1e6:.2f} M parameters, {self.flops / 1e9:.2f} GFLOP an image"


@torch.no_grad()
def _cost(network: nn.Module, *inputs: torch.Tensor) -> Cost:
    """Counted in bfloat16, where no convolution takes a way with fewer operations."""
    half = torch.autocast(inputs[0].device.type, torch.bfloat16)
    with half, FlopCounterMode(display=False) as counter:
        network(*inputs)
    return Cost(sum(p.numel() for p in network.parameters()), counter.get_total_flops())


def costs(G: Generator, D: Discriminator) -> tuple[Cost, Cost]:
    """Of both networks, for one image."""
    device = G.mapping.w_avg.device
    labels = (torch.zeros(1, G.c_dim, device=device),) if G.c_dim else ()
    img = torch.zeros(1, G.img_channels, G.img_resolution, G.img_resolution, device=device)
    return _cost(G, torch.zeros(1, G.z_dim, device=device), *labels), _cost(D, img, *labels)


def training_flops(g: Cost, d: Cost, r1_interval: int) -> float:
    """Operations of a training step, per real image shown.

    A backward pass costs as much as a forward pass for the inputs and again for the weights. G: two
    forward passes and a whole backward pass. D: three forward passes, one backward pass for inputs
    and two whole ones; R1, every `r1_interval` steps, a pass for the inputs and what it takes to
    differentiate that (twice the passes it differentiates).
    """
    return 4 * g.flops + (3 + 1 + 4 + 5 / r1_interval) * d.flops
