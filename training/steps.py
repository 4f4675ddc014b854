"""One training step of both networks, over the parts of a batch.

The fakes of a step are drawn once: D learns on them, and so do the heads beside it, if there are
any; then they judge the same ones again for G. A batch taken in parts, to save memory, draws each
part anew each time, alike.

Reference: Goodfellow et al. 2014 (arXiv:1406.2661), Alg. 1; Karras et al. 2020 (arXiv:1912.04958),
App. B, for lazy regularization.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from stylegan.layers import mean_over_processes
from training.adversary import HEADS_WEIGHT
from training.augment import augment
from training.blur import blur
from training.draws import Share
from training.losses import HINGE, path_lengths, r1_penalty
from training.run import Recipe, Run, Seen
from training.variety import vary

PATH_DECAY = 0.01  # share of a step in the running mean of path lengths
PATH_SHRINK = 2  # path lengths are measured on the first half of the images

Stats = dict[str, Tensor]  # scalars, or sum and count (2,) of what not every image has


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
    """Fakes: their z, which want a gradient where faces are drawn again, and what D judges; there
    also the maps that are found in them and in the real faces that they are to be."""

    z: Tensor
    img: Tensor
    seen: Seen
    maps: list[Tensor]
    of: list[Tensor]


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
        seen = _see(self.run, img, share.numbers_fake, self.recipe)
        return Drawn(z, img, seen, *self._found(img, share))

    def _found(self, img: Tensor, share: Share) -> tuple[list[Tensor], list[Tensor]]:
        """In fakes and in the real faces that they are to be."""
        if not self.run.redraw:
            return [], []
        maps = self.run.redraw.percept.maps
        with self.run.accelerator.autocast():
            with torch.no_grad():
                of = maps(share.reals)
            return maps(img), of

    def for_d(self, share: Share) -> Seen:
        """Without gradients."""
        if id(share) in self.kept:
            return _detached(self.kept[id(share)].seen)
        with torch.no_grad():
            img, _ = _draw(self.run, share.z, share.labels, self.recipe)
            return _see(self.run, img, share.numbers_fake, self.recipe)

    def for_heads(self, share: Share) -> tuple[Seen, Seen]:
        """What heads see of fakes and of reals, without gradients."""
        drawn, see = self.kept.get(id(share)), self.run.heads.see
        with torch.no_grad(), self.run.accelerator.autocast():
            if drawn:
                return see(drawn.maps), see(drawn.of)
            img, _ = _draw(self.run, share.z, share.labels, self.recipe)
            maps, of = self._found(img, share)
            return see(maps), see(of)

    def for_g(self, share: Share) -> Drawn:
        """With gradients, once."""
        return self.kept.pop(id(share)) if id(share) in self.kept else self._draw(share)


def _discriminator_step(
    run: Run, shares: list[Share], recipe: Recipe, label_names: list[str], fakes: Fakes
) -> tuple[Stats, list[Tensor]]:
    """Update D once; the augmentation notes the signs of the reals. Also the logits that the reals
    of each share had before."""
    parts, logits = [], []
    penalize = recipe.r1_weight > 0
    run.D.train()  # its first pass renews spectral norms, the others of the step keep them
    with _gradients(run, run.D, run.D_opt, shares) as handed:
        for share in handed:
            fakes_seen = fakes.for_d(share)
            if penalize and run.loss.in_pairs:
                fakes_seen.requires_grad_()
            fake_logits = _judge(run, fakes_seen, share.labels, recipe)
            run.D.eval()
            reals = share.reals.detach().requires_grad_(penalize)
            seen = _see(run, reals, share.numbers, recipe)
            real_logits = _judge(run, seen, share.labels, recipe)
            loss = run.loss.of_d(real_logits, fake_logits)
            surer = real_logits - fake_logits if run.loss.in_pairs else real_logits
            signs = surer.detach().sign().mean(dim=1, keepdim=True)  # (N, 1)
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
            if penalize and run.loss.in_pairs:  # by what D sees: the augmented fakes are kept
                stats["r2"] = r1_penalty(fake_logits, fakes_seen)
                loss = loss + recipe.r1_weight * stats["r2"]
            run.accelerator.backward(loss / len(shares))
            parts.append({name: value.detach() for name, value in stats.items()})
            logits.append(real_logits.detach())
    return _total(parts), logits


def _heads_step(run: Run, shares: list[Share], fakes: Fakes) -> Stats:
    """Update the heads beside D once."""
    parts, critic = [], run.heads.critic
    critic.train()  # as D
    with _gradients(run, critic, run.heads.opt, shares) as handed:
        for share in handed:
            fake, real = fakes.for_heads(share)
            fake_logits = critic(fake)
            critic.eval()
            real_logits = critic(real)
            loss = HINGE.of_d(real_logits, fake_logits)
            run.accelerator.backward(loss / len(shares))
            stats = {"loss/heads": loss, "heads/real": real_logits, "heads/fake": fake_logits}
            parts.append({name: x.detach().mean() for name, x in stats.items()})
    return _total(parts)


def _generator_step(
    run: Run, shares: list[Share], recipe: Recipe, fakes: Fakes, logits: list[Tensor]
) -> Stats:
    """Update G once; with `redraw` also "grad/z", by which the z of real faces are to learn. The
    logits are those of the reals of each share."""
    parts, z = [], []
    with run.fixed_judges(), _gradients(run, run.G, run.G_opt, shares) as handed:
        for share, real_logits in zip(handed, logits, strict=True):
            drawn = fakes.for_g(share)
            fake_logits = _judge(run, drawn.seen, share.labels, recipe)
            loss = run.loss.of_g(fake_logits, real_logits)
            stats = {"loss/G": loss.detach()}
            if recipe.path_weight:
                penalty, length = _path_penalty(run, share, recipe)
                loss = loss + recipe.path_weight * penalty
                stats |= {"path/penalty": penalty.detach(), "path/length": length}
            if run.redraw:
                percept = run.redraw.percept
                unlike = percept.unlike(drawn.img, share.reals, drawn.maps, drawn.of)
                clear = 1 - share.noise
                loss = loss + run.redraw.weight * (clear * unlike).mean()
                stats["loss/redraw"] = unlike.detach().mean()
            if run.heads:
                with run.accelerator.autocast():
                    seen = run.heads.see(drawn.maps)
                loss = loss + HEADS_WEIGHT * HINGE.of_g(run.heads.critic(seen))
            run.accelerator.backward(loss / len(shares))
            parts.append(stats)
            z.append(drawn.z)
    return _total(parts) | ({"grad/z": torch.cat([x.grad for x in z])} if run.redraw else {})


def take_step(run: Run, shares: list[Share], recipe: Recipe, label_names: list[str]) -> Stats:
    """Update D and heads once, then G once by what they judge now, and G's running averages."""
    fakes = Fakes(run, shares, recipe)
    stats, logits = _discriminator_step(run, shares, recipe, label_names, fakes)
    if run.heads:
        stats |= _heads_step(run, shares, fakes)
    return stats | _generator_step(run, shares, recipe, fakes, logits)
