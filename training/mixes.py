"""Mixes of faces of two sub-folders: they are to look as much like each as the weight says.

Nothing else in the training sees a mix, and two faces of different kinds soon look like one of
them only. So a step draws mixes as a page does, each parent pulled to the centre of its own kind.
What the percept finds in them tells which kind they look like; that share is to be the weight.

    Mix      what the mixes of a batch are made of
    styles   their w
    Mixes    deals them, and says how far they are from what they are to be

Legend: N mixes, L sub-folders, M faces of a crowd, K z_dim.

Reference: Zhang et al. 2018 (arXiv:1710.09412), Sec. 2, for labels that are mixed as images are;
Karras et al. 2019 (arXiv:1812.04948), Sec. 3.1, for mixing styles.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from evaluation.dataset import ImageDataset
from evaluation.domains import DomainClassifier
from stylegan.latents import truncate
from training.redraw import Redraw, real_faces

WEIGHT = 3.0  # of the loss, beside the adversary's
CROWD = 256  # random faces of a kind whose mean w is its centre
LEAST_PSI = 0.5  # parents are pulled to their centres at most that far
LOOKED_AT, AT_ONCE = 1000, 64  # faces of each sub-folder from which kinds are learnt; at once
MIXES = 12  # stream beside those of training.data, draws, redraw, lesson, train_encoder and search


@dataclass(frozen=True)
class Mix:
    """Shapes: kinds and parents' z (N, 2) and (N, 2, K), weight of the second parent and psi (N,),
    crowd (L, M, K), z of each kind."""

    kinds: Tensor
    parents: Tensor
    weight: Tensor
    psi: Tensor
    crowd: Tensor


def styles(mix: Mix, mapping: Callable[[Tensor], Tensor]) -> Tensor:
    """w of mixes; `mapping` as that of a Generator -> (N, num_ws, w_dim)."""
    with torch.no_grad():
        crowd = mapping(mix.crowd.flatten(0, 1))[:, 0]  # a w is the same for all layers
        centres = crowd.unflatten(0, mix.crowd.shape[:2]).mean(dim=1)
    ws = mapping(mix.parents.flatten(0, 1))
    ws = truncate(ws, centres[mix.kinds.flatten()][:, None], mix.psi.repeat_interleave(2))
    a, b = ws.unflatten(0, (-1, 2)).unbind(dim=1)
    return a.lerp(b, mix.weight[:, None, None])


def summary(maps: list[Tensor]) -> Tensor:
    """How much of everything a picture has, and how unevenly: maps of a percept -> (N, dim)."""
    parts = [[x.mean(dim=(2, 3)), (x.var(dim=(2, 3)) + 1e-4).sqrt()] for x in maps]
    return torch.cat(sum(parts, []), dim=1)


class Mixes:
    """`classifier` tells kinds by summaries that were shifted by `mean` and divided by `deviation`,
    (dim,) each. Everything random follows from the seed and the images shown so far."""

    def __init__(
        self, redraw: Redraw, classifier: DomainClassifier, mean: Tensor, deviation: Tensor
    ):
        self.redraw, self.classifier = redraw, classifier
        self.mean, self.deviation = mean, deviation

    @classmethod
    @torch.no_grad()
    def begin(cls, redraw: Redraw, dataset: ImageDataset) -> Self:
        """With what tells the kinds of real faces; of at least two sub-folders."""
        found, labels = [], []
        for label, own in enumerate(redraw.folders):
            some = own[:: -(-len(own) // LOOKED_AT)]
            for part in some.split(AT_ONCE):
                faces = real_faces(dataset, part, redraw.z.device)
                found.append(summary(redraw.percept.maps(faces)).cpu())
            labels.append(torch.full((len(some),), label))
        found = torch.cat(found)
        mean, deviation = found.mean(dim=0), found.std(dim=0).clamp(min=1e-3)
        with torch.enable_grad():
            classifier = DomainClassifier((found - mean) / deviation, torch.cat(labels))
        device = redraw.z.device
        classifier.weight = classifier.weight.to(device)
        return cls(redraw, classifier, mean.to(device), deviation.to(device))

    def deal(self, nimg: int, count: int) -> Mix:
        """So many for the batch that begins at image `nimg`."""
        redraw, num_kinds = self.redraw, len(self.redraw.folders)
        device, K = redraw.z.device, redraw.z.shape[1]
        random = np.random.default_rng((redraw.seed, MIXES, nimg))
        kinds = np.stack([random.permutation(num_kinds)[:2] for _ in range(count)])
        kinds = torch.from_numpy(kinds).to(device)

        def normal(*shape: int) -> Tensor:
            return torch.from_numpy(random.standard_normal(shape, dtype=np.float32)).to(device)

        def even() -> Tensor:
            return torch.from_numpy(random.random(count, dtype=np.float32)).to(device)

        parents = redraw.of_kinds(normal(2 * count, K), kinds.flatten()).view(count, 2, K)
        weight, psi = even(), LEAST_PSI + (1 - LEAST_PSI) * even()
        of_crowd = torch.arange(num_kinds, device=device).repeat_interleave(CROWD)
        crowd = redraw.of_kinds(normal(num_kinds * CROWD, K), of_crowd)
        return Mix(kinds, parents, weight, psi, crowd.view(num_kinds, CROWD, K))

    def off(self, maps: list[Tensor], mix: Mix) -> Tensor:
        """How unlike their weights the kinds of mixes are, a scalar; maps of a percept."""
        logits = self.classifier.logits((summary(maps) - self.mean) / self.deviation)
        share = torch.stack([1 - mix.weight, mix.weight], dim=1)
        share = torch.zeros_like(logits).scatter_(1, mix.kinds, share)
        return F.cross_entropy(logits, share)
