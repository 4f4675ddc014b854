"""A given face found in W+: latents, one per layer, whose picture is like it.

    nearest    the best of some latents to begin with
    project    better and better ones, step by step

Reference: Abdal et al. 2019 (arXiv:1904.03189), Sec. 3; Denton et al. 2015 (arXiv:1506.05751) for
the pyramid; Wang et al. 2004 (doi:10.1109/TIP.2003.819861) for structural similarity.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.generator import Generator
from stylegan.ops import depthwise

RATE = 0.6  # of a step, in standard deviations of styles
RISE, FALL = 5, 0.5  # steps in which it comes up to that; part of them in which it goes down to 0
BETAS = 0.8, 0.99  # of Adam: a shorter memory of directions than usual, for few steps
COARSEST = 8  # pixels of the pyramid's last level
CENTRE, WIDTH = (0.5, 0.58), 0.17  # of the eyes, nose and mouth in a crop, (x, y)
WINDOW, C1, C2 = 7, 0.02**2, 0.06**2  # of the similarity, for a range of 2


class LossWeights(NamedTuple):
    """Of what a search makes small: the pyramid's distance, what similarity lacks, the distance of
    features, and the mean squared distance from the start, in standard deviations; and of what is
    far from eyes, nose and mouth, which have 1."""

    pyramid: float = 1.0
    similarity: float = 1.0
    features: float = 1.0
    prior: float = 0.01
    far: float = 0.3


USUAL = LossWeights()
Mean = Callable[[Tensor], Tensor]  # (N, C, H, H) -> (N,)


def evenly(x: Tensor) -> Tensor:
    """The mean over all places: (N, C, H, H) -> (N,)."""
    return x.mean(dim=(1, 2, 3))


def by_place(x: Tensor, far: float) -> Tensor:
    """The mean in which eyes, nose and mouth have the weight 1, and what is `far` from them less:
    (N, C, H, H) -> (N,)."""
    at = (torch.arange(x.shape[3], device=x.device) + 0.5) / x.shape[3]
    columns, rows = (torch.exp(-(((at - c) / WIDTH) ** 2) / 2) for c in CENTRE)
    weight = far + (1 - far) * rows[:, None] * columns
    return evenly(x * (weight / weight.mean()))


def pyramid_distance(a: Tensor, b: Tensor, mean: Mean = evenly) -> Tensor:
    """Mean absolute difference of the details of every size, added up: (N, C, H, H) -> (N,)."""
    difference, total = a - b, 0
    while difference.shape[2] > COARSEST:
        low = F.avg_pool2d(difference, 2)
        fine = difference - F.interpolate(low, scale_factor=2, mode="bilinear")
        total = total + mean(fine.abs())
        difference = low
    return total + mean(difference.abs())


def similarity(a: Tensor, b: Tensor, mean: Mean = evenly) -> Tensor:
    """Structural similarity, 1 for equal images: (N, C, H, H) -> (N,). Images in float32: variances
    are differences of nearly equal means, so bfloat16 would leave nothing of their gradient."""
    taps = a.new_full((WINDOW, 1), 1 / WINDOW)
    with torch.autocast(a.device.type, enabled=False):
        near = depthwise(depthwise(torch.cat([a, b, a * a, b * b, a * b], dim=1), taps), taps.T)
    mean_a, mean_b, square_a, square_b, product = near.chunk(5, dim=1)
    both, var_a, var_b = product - mean_a * mean_b, square_a - mean_a**2, square_b - mean_b**2
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    structure = (2 * both + C2) / (var_a + var_b + C2)
    return mean(luminance * structure)


def feature_distance(a: list[Tensor], b: list[Tensor], mean: Mean = evenly) -> Tensor:
    """Mean squared difference of what two networks' passes find in each place, as directions.

    Shapes: maps (N, C, H, W) of any number of layers -> (N,). Reference: Zhang et al. 2018
    (arXiv:1801.03924), without learnt weights.
    """
    return sum(
        mean((F.normalize(x, dim=1) - F.normalize(y, dim=1)).square().sum(dim=1, keepdim=True))
        for x, y in zip(a, b, strict=True)
    ) / len(a)


def unlikeness(img: Tensor, target: Tensor) -> Tensor:
    """In pixels, with half as much weight of similarity as in `project`: (N, C, H, H), (1, C, H, H)
    -> (N,)."""
    target = target.expand_as(img)
    return pyramid_distance(img, target) + (1 - similarity(img, target)) / 2


def nearest(img: Tensor, target: Tensor) -> int:
    """Which of the images (N, C, H, H) is most like the target (1, C, H, H)."""
    return int(unlikeness(img, target).argmin())


def project(
    G: Generator,
    target: Tensor,
    start: Tensor,
    basis: Tensor,
    steps: int,
    see: Callable[[Tensor], list[Tensor]] | None = None,
    weights: LossWeights = USUAL,
) -> Iterator[Tensor]:
    """Latents after every step, the last ones best; G itself stays as it is.

    Args:
        start: where to begin, and what to stay near.
        basis: the directions in which the latents of each layer move, each as long as one standard
            deviation; see `stylegan.directions.style_directions`.
        see: what a network finds in images; what it finds in the target shall be found again.
        weights: of the terms of the loss.
    Shapes: target (N, C, H, H) in [-1, 1], start (N, num_ws, w_dim), basis (num_ws, K, w_dim) ->
    (N, num_ws, w_dim).
    """
    offset = torch.zeros(start.shape[1], len(start), basis.shape[1], requires_grad=True)

    def moved() -> Tensor:
        # autocast would round it, and remember the offset of an earlier step
        with torch.autocast(offset.device.type, enabled=False):
            return start + (offset @ basis).transpose(0, 1)

    optimizer = torch.optim.Adam([offset], lr=RATE, betas=BETAS)
    wanted, mean = see(target) if see else [], partial(by_place, far=weights.far)
    for step in range(steps):
        for group in optimizer.param_groups:
            up, down = (step + 1) / RISE, (steps - step) / (FALL * steps)
            group["lr"] = RATE * min(up, down, 1)
        img = G.synthesis(moved())
        loss = weights.pyramid * pyramid_distance(img, target, mean)
        loss = loss + weights.similarity * (1 - similarity(img, target, mean))
        loss = loss + weights.prior * offset.square().mean(dim=(0, 2))
        if see:
            loss = loss + weights.features * feature_distance(see(img), wanted, mean)
        (offset.grad,) = torch.autograd.grad(loss.sum(), [offset])
        optimizer.step()
        yield moved().detach()
