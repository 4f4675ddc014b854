"""One training step of either network, over the parts of a batch.

Reference: Karras et al. 2020 (arXiv:1912.04958), App. B for lazy regularization.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer

from stylegan import Generator
from stylegan.layers import mean_over_processes
from training.augment import AdaptiveAugment, augment
from training.blur import blur
from training.draws import Drawing, Share
from training.losses import logistic_d, logistic_g, path_lengths, r1_penalty

PATH_DECAY = 0.01  # share of a step in the running mean of path lengths
PATH_SHRINK = 2  # path lengths are measured on the first half of the images

Stats = dict[str, Tensor]  # scalars, or sum and count (2,) of what not every step has


class TrainedGenerator(nn.Module):
    """The generator as a training step calls it: one pass, styles returned too.

    Shapes: z (N, z_dim), c (N, c_dim) -> img (N, C, H, W), ws (N, num_ws, w_dim).
    """

    def __init__(self, G: Generator):
        super().__init__()
        self.G = G

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        label_weight: float | Tensor = 1.0,
        ema_images: int = 0,
    ) -> tuple[Tensor, Tensor]:
        ws = self.G.mapping(z, c, ema_images=ema_images, label_weight=label_weight)
        return self.G.synthesis(ws, ema_images=ema_images), ws


@dataclass
class Run:
    """What changes while a run goes on; networks and optimizers as accelerate prepared them."""

    accelerator: Accelerator
    G: nn.Module  # a TrainedGenerator
    D: nn.Module
    G_ema: Generator
    G_opt: Optimizer
    D_opt: Optimizer
    ada: AdaptiveAugment
    mean_path: Tensor  # (), running mean of path lengths

    def __post_init__(self):
        self.trained_d = [p for p in self.D.parameters() if p.requires_grad]

    @contextmanager
    def fixed_d(self) -> Iterator[None]:
        """Inside, gradients pass through D and none are kept for it."""
        for parameter in self.trained_d:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in self.trained_d:
                parameter.requires_grad_(True)


@dataclass(frozen=True)
class Recipe:
    """How this step is taken; a weight of 0 leaves its term out.

    `labels` is None for a network without labels, else their weight, a scalar.
    """

    batch: int  # of all processes
    augment: bool
    labels: Tensor | None = None
    blur: Tensor | None = None  # taps (n,)
    r1_weight: float = 0.0
    path_weight: float = 0.0


def _draw(
    run: Run, drawing: Drawing, labels: Tensor, recipe: Recipe, ema_images: int = 0
) -> tuple[Tensor, Tensor]:
    """Images and their styles."""
    if recipe.labels is None:
        return run.G(drawing.z, ema_images=ema_images)
    return run.G(drawing.z, labels, recipe.labels, ema_images)


def _judge(run: Run, img: Tensor, numbers: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    """Logits (N, 1) of augmented images."""
    if recipe.blur is not None:
        img = blur(img, recipe.blur)
    if recipe.augment:
        img = augment(img, run.ada.p, numbers)
    return run.D(img) if recipe.labels is None else run.D(img, labels, recipe.labels)


@contextmanager
def _gradients(
    run: Run, network: nn.Module, optimizer: Optimizer, shares: list[Share]
) -> Iterator[Iterator[Share]]:
    """Hand out the shares, add up their gradients, then take the optimizer's step.

    Processes exchange gradients once, with the last share.
    """

    def hand_out() -> Iterator[Share]:
        for share in shares[:-1]:
            with run.accelerator.no_sync(network):
                yield share
        yield shares[-1]

    optimizer.zero_grad(set_to_none=True)
    yield hand_out()
    for parameter in network.parameters():  # what overflowed counts as nothing, or as large
        if parameter.grad is not None:
            torch.nan_to_num(parameter.grad, nan=0.0, posinf=1e5, neginf=-1e5, out=parameter.grad)
    optimizer.step()


def _total(parts: list[Stats]) -> Stats:
    """Statistics of a step from those of its shares."""
    stats = {name: torch.stack([part[name] for part in parts]) for name in parts[0]}
    return {name: x.sum(dim=0) if x.ndim == 2 else x.mean() for name, x in stats.items()}


def _path_penalty(run: Run, share: Share, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Squared distance of the path lengths from their running mean, and the lengths' mean."""
    half = slice(math.ceil(len(share.reals) / PATH_SHRINK))
    drawing = Drawing(share.for_g.z[half], share.for_g.numbers[half])
    lengths = path_lengths(*_draw(run, drawing, share.labels[half], recipe), share.paths[half])
    mean = mean_over_processes(lengths.detach().mean())
    run.mean_path.lerp_(mean, PATH_DECAY)
    return (lengths - run.mean_path).square().mean(), mean


def generator_step(run: Run, shares: list[Share], recipe: Recipe) -> Stats:
    """Update G once."""
    parts = []
    with run.fixed_d(), _gradients(run, run.G, run.G_opt, shares) as handed:
        for share in handed:
            img, _ = _draw(run, share.for_g, share.labels, recipe)
            fake_logits = _judge(run, img, share.for_g.numbers, share.labels, recipe)
            loss = logistic_g(fake_logits)
            stats = {"loss/G": loss.detach()}
            if recipe.path_weight:
                penalty, length = _path_penalty(run, share, recipe)
                loss = loss + recipe.path_weight * penalty
                stats |= {"path/penalty": penalty.detach(), "path/length": length}
            run.accelerator.backward(loss / len(shares))
            parts.append(stats)
    return _total(parts)


def discriminator_step(
    run: Run, shares: list[Share], recipe: Recipe, label_names: list[str]
) -> Stats:
    """Update D once, and G's running averages; the augmentation notes the signs of the reals."""
    parts = []
    penalize = recipe.r1_weight > 0
    with _gradients(run, run.D, run.D_opt, shares) as handed:
        for share in handed:
            ema_images = recipe.batch if share is shares[-1] else 0
            with torch.no_grad():
                fakes, _ = _draw(run, share.for_d, share.labels, recipe, ema_images)
            reals = share.reals.detach().requires_grad_(penalize)
            real_logits = _judge(run, reals, share.numbers, share.labels, recipe)
            fake_logits = _judge(run, fakes, share.for_d.numbers, share.labels, recipe)
            loss = logistic_d(real_logits, fake_logits)
            signs = real_logits.detach().sign()  # (N, 1)
            run.ada.observe(signs)
            stats = {
                "loss/D": loss.detach(),
                "logits/real": real_logits.detach().mean(),
                "logits/fake": fake_logits.detach().mean(),
                "signs/real": signs.mean(),
            }
            for name, sums in zip(
                label_names,
                torch.stack([(signs * share.labels).sum(0), share.labels.sum(0)], dim=1),
                strict=True,
            ):
                stats[f"signs/real/{name}"] = sums
            if penalize:
                stats["r1"] = r1_penalty(real_logits, reals)
                loss = loss + recipe.r1_weight * stats["r1"]
            run.accelerator.backward(loss / len(shares))
            parts.append({name: value.detach() for name, value in stats.items()})
    return _total(parts)
