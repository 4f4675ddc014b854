"""What a pair of networks costs, counted and not measured."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from stylegan import Generator
from stylegan.cost import generator_cost
from training.adversary import Heads
from training.redraw import Redraw


@dataclass(frozen=True)
class Cost:
    """Parameters, and floating-point operations (a multiply-add is two) of one forward pass."""

    parameters: int
    flops: int

    def __str__(self) -> str:
        return f"{self.parameters / 1e6:.2f} M parameters, {self.flops / 1e9:.2f} GFLOP an image"


@torch.no_grad()
def _cost(work: Callable[..., object], *inputs: object) -> Cost:
    """Counted in bfloat16, where no convolution takes a way with fewer operations."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.autocast(device, torch.bfloat16), FlopCounterMode(display=False) as counter:
        work(*inputs)
    parameters = work.parameters() if isinstance(work, nn.Module) else ()
    return Cost(sum(p.numel() for p in parameters), counter.get_total_flops())


NOTHING = Cost(0, 0)


class Costs(NamedTuple):
    """Of G, of D, and of what D sees before it judges, which has no parameters that learn; of the
    maps by which faces that are drawn again are compared, of their mixing for heads, and of heads
    that judge them, too."""

    g: Cost
    d: Cost
    see: Cost
    maps: Cost = NOTHING
    mixing: Cost = NOTHING
    heads: Cost = NOTHING


def costs(
    G: Generator,
    D: nn.Module,
    see: Callable[[torch.Tensor], object],
    redraw: Redraw | None = None,
    heads: Heads | None = None,
) -> Costs:
    """For one image; with `heads` faces are drawn again, too."""
    device = G.mapping.w_avg.device
    labels = (torch.zeros(1, G.c_dim, device=device),) if G.c_dim else ()
    img = torch.zeros(1, G.img_channels, G.img_resolution, G.img_resolution, device=device)
    of_g = generator_cost(G.config)
    g = Cost(of_g.parameters, 2 * of_g.multiply_adds)
    cost = Costs(g, _cost(D, see(img), *labels), _cost(see, img))
    if redraw:
        cost = cost._replace(maps=_cost(redraw.percept.maps, img))
    if heads:
        maps = redraw.percept.maps(img)
        judged = _cost(heads.critic, heads.see(maps))
        cost = cost._replace(mixing=_cost(heads.see, maps), heads=judged)
    return cost


def training_flops(cost: Costs, r1_interval: int | None, *, in_pairs: bool = False) -> float:
    """Operations of a training step, per real image shown.

    A backward pass costs as much as a forward pass for the inputs and again for the weights. G: one
    forward and a whole backward pass. D: three forward passes, one backward pass for inputs and two
    whole ones; R1, every `r1_interval` steps, a pass for the inputs and what it takes to
    differentiate that (twice the passes it differentiates), in pairs for reals and fakes. Reals and
    fakes are seen once, and the gradient goes back through what is seen of the fakes. Faces that
    are drawn again are fakes like the others; maps compare them as reals and fakes are seen. Heads
    judge as D does; what they judge is mixed for fakes twice, for reals once, and the gradient goes
    back once.
    """
    r1 = 5 * (2 if in_pairs else 1) / r1_interval if r1_interval else 0
    redrawn = 3 * cost.maps.flops + 4 * cost.mixing.flops + (3 + 1 + 4) * cost.heads.flops
    return redrawn + 3 * cost.g.flops + (3 + 1 + 4 + r1) * cost.d.flops + 3 * cost.see.flops
