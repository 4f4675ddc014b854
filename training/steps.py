"""One training step of both networks, over the parts of a batch.

The fakes of a step are drawn once: D learns on them, then judges the same ones again for G. A batch
taken in parts, to save memory, draws each part twice, alike.

Reference: Goodfellow et al. 2014 (arXiv:1406.2661), Alg. 1; Karras et al. 2020 (arXiv:1912.04958),
App. B, for lazy regularization.
"""

import math
from collections.abc import Callable, Iterator
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
from training.draws import Share
from training.losses import Loss, path_lengths, r1_penalty
from training.redraw import Redraw
from training.variety import vary

PATH_DECAY = 0.01  # share of a step in the running mean of path lengths
PATH_SHRINK = 2  # path lengths are measured on the first half of the images

Seen = Tensor | list[Tensor]  # images, or maps of features
Stats = dict[str, Tensor]  # scalars, or sum and count (2,) of what not every image has


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
    """What changes while a run goes on; networks and optimizers as accelerate prepared them.

    `see` turns images into what D judges and `loss` says what D and G are to do with the logits:
    both belong to the kind of D. `redraw` is None where faces are not drawn again.
    """

    accelerator: Accelerator
    G: nn.Module  # a TrainedGenerator
    D: nn.Module
    G_ema: Generator
    G_opt: Optimizer
    D_opt: Optimizer
    ada: AdaptiveAugment
    mean_path: Tensor  # (), running mean of path lengths
    see: Callable[[Tensor], Seen]
    loss: Loss
    redraw: Redraw | None = None

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
    augment: str = "no"  # "ada": as much as D bears; "fixed": always
    labels: Tensor | None = None
    blur: Tensor | None = None  # taps (n,)
    r1_weight: float = 0.0
    path_weight: float = 0.0


def _draw(
    run: Run, z: Tensor, labels: Tensor, recipe: Recipe, ema_images: int = 0
) -> tuple[Tensor, Tensor]:
    """Images and their styles."""
    if recipe.labels is None:
        return run.G(z, ema_images=ema_images)
    return run.G(z, labels, recipe.labels, ema_images)


def _see(run: Run, img: Tensor, numbers: Tensor, recipe: Recipe) -> Seen:
    """What D judges of images (N, C, H, H), augmented."""
    if recipe.blur is not None:
        img = blur(img, recipe.blur)
    if recipe.augment == "ada":
        img = augment(img, run.ada.p, numbers)
    elif recipe.augment == "fixed":
        img = vary(img, numbers)
    with run.accelerator.autocast():
        return run.see(img)


def _judge(run: Run, seen: Seen, labels: Tensor, recipe: Recipe) -> Tensor:
    """Logits (N, L)."""
    return run.D(seen) if recipe.labels is None else run.D(seen, labels, recipe.labels)


def _detached(seen: Seen) -> Seen:
    return [x.detach() for x in seen] if isinstance(seen, list) else seen.detach()


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
        grad = parameter.grad
        if grad is not None:
            torch.nan_to_num(grad, nan=0.0, posinf=1e5, neginf=-1e5, out=grad)
    optimizer.step()


def _total(parts: list[Stats]) -> Stats:
    """Statistics of a step from those of its shares."""
    stats = {name: torch.stack([part[name] for part in parts]) for name in parts[0]}
    return {name: x.sum(dim=0) if x.ndim == 2 else x.mean() for name, x in stats.items()}


def _path_penalty(run: Run, share: Share, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Squared distance of the path lengths from their running mean, and the lengths' mean."""
    half = slice(math.ceil(len(share.reals) / PATH_SHRINK))
    drawn = _draw(run, share.z[half], share.labels[half], recipe)
    lengths = path_lengths(*drawn, share.paths[half])
    mean = mean_over_processes(lengths.detach().mean())
    run.mean_path.lerp_(mean, PATH_DECAY)
    return (lengths - run.mean_path).square().mean(), mean


@dataclass(frozen=True)
class Drawn:
    """Fakes: their z, which want a gradient where faces are drawn again, and what D judges."""

    z: Tensor
    img: Tensor
    seen: Seen


class Fakes:
    """The images that G draws for a step, and what D judges of them."""

    def __init__(self, run: Run, shares: list[Share], recipe: Recipe):
        self.run, self.recipe, self.last = run, recipe, shares[-1]
        self.kept = {id(shares[0]): self._draw(shares[0])} if len(shares) == 1 else {}

    def _draw(self, share: Share) -> Drawn:
        """With gradients; G's running averages move with the last share."""
        ema_images = self.recipe.batch if share is self.last else 0
        z = share.z.detach().requires_grad_(self.run.redraw is not None)
        img, _ = _draw(self.run, z, share.labels, self.recipe, ema_images)
        return Drawn(z, img, _see(self.run, img, share.numbers_fake, self.recipe))

    def for_d(self, share: Share) -> Seen:
        """Without gradients."""
        if id(share) in self.kept:
            return _detached(self.kept[id(share)].seen)
        with torch.no_grad():
            img, _ = _draw(self.run, share.z, share.labels, self.recipe)
            return _see(self.run, img, share.numbers_fake, self.recipe)

    def for_g(self, share: Share) -> Drawn:
        """With gradients, once."""
        return self.kept.pop(id(share)) if id(share) in self.kept else self._draw(share)


def _discriminator_step(
    run: Run, shares: list[Share], recipe: Recipe, label_names: list[str], fakes: Fakes
) -> Stats:
    """Update D once; the augmentation notes the signs of the reals."""
    parts = []
    penalize = recipe.r1_weight > 0
    run.D.train()  # its first pass renews spectral norms, the others of the step keep them
    with _gradients(run, run.D, run.D_opt, shares) as handed:
        for share in handed:
            fake_logits = _judge(run, fakes.for_d(share), share.labels, recipe)
            run.D.eval()
            reals = share.reals.detach().requires_grad_(penalize)
            seen = _see(run, reals, share.numbers, recipe)
            real_logits = _judge(run, seen, share.labels, recipe)
            loss = run.loss.of_d(real_logits, fake_logits)
            signs = real_logits.detach().sign().mean(dim=1, keepdim=True)  # (N, 1)
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


def _generator_step(run: Run, shares: list[Share], recipe: Recipe, fakes: Fakes) -> Stats:
    """Update G once; with `redraw` also "grad/z", by which the z of real faces are to learn."""
    parts, z = [], []
    with run.fixed_d(), _gradients(run, run.G, run.G_opt, shares) as handed:
        for share in handed:
            drawn = fakes.for_g(share)
            loss = run.loss.of_g(_judge(run, drawn.seen, share.labels, recipe))
            stats = {"loss/G": loss.detach()}
            if recipe.path_weight:
                penalty, length = _path_penalty(run, share, recipe)
                loss = loss + recipe.path_weight * penalty
                stats |= {"path/penalty": penalty.detach(), "path/length": length}
            if run.redraw:
                with run.accelerator.autocast():
                    unlike = run.redraw.percept(drawn.img, share.reals)
                clear = 1 - share.noise.square()
                loss = loss + run.redraw.weight * (clear * unlike).mean()
                stats["loss/redraw"] = unlike.detach().mean()
            run.accelerator.backward(loss / len(shares))
            parts.append(stats)
            z.append(drawn.z)
    return _total(parts) | ({"grad/z": torch.cat([x.grad for x in z])} if run.redraw else {})


def take_step(run: Run, shares: list[Share], recipe: Recipe, label_names: list[str]) -> Stats:
    """Update D once, then G once by what D judges now, and G's running averages."""
    fakes = Fakes(run, shares, recipe)
    stats = _discriminator_step(run, shares, recipe, label_names, fakes)
    return stats | _generator_step(run, shares, recipe, fakes)
