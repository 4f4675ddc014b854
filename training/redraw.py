"""Real faces that G has to draw again, each from a z of its own: G and the z learn.

A step draws three of four fakes from the z of its real faces. D judges them like the others, and
they are also to be like their faces. So G learns from each picture more than whether D takes it for
real. The z of all faces stay normal together, so random z draw what was learnt.

    normal   z a part of the way to where they are normal
    Redraw   the z of all faces, and how unlike faces are

Legend: M faces, K z_dim, N images of a batch.

Reference: Bojanowski et al. 2018 (arXiv:1707.05776), Sec. 2, for a z of every picture.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from evaluation.dataset import ImageDataset
from stylegan.images import from_uint8
from training.percept import Percept

OF_FAKES = 3 / 4  # that are drawn from the z of real faces
TURN = 0.04  # radians by which a step turns a z
OFTEN, A_PART = 80, 0.1  # images between two moves of all z towards normal ones; how far of the way
LOOKED_AT = 128  # faces from which the percept takes its deviations
NORMAL = 9  # stream beside those of training.data, draws, lesson, train_encoder and search


def normal(z: Tensor, directions: Tensor, part: float) -> Tensor:
    """z, each number along orthonormal directions moved a part of the way to the normal quantile of
    its rank.

    Shapes: z (M, K), directions (K, K), one a column -> (M, K).
    Reference: Laparra et al. 2011 (arXiv:1602.00229), Sec. II.
    """
    ranks = torch.arange(len(z), device=z.device, dtype=z.dtype)
    quantiles = torch.special.ndtri((ranks + 0.5) / len(z))
    with torch.autocast(z.device.type, enabled=False):  # bfloat16 cannot tell many numbers apart
        along = z @ directions
        wanted = torch.empty_like(along)
        wanted.scatter_(0, along.argsort(dim=0), quantiles[:, None].expand_as(along).contiguous())
        return z + part * (wanted - along) @ directions.T


def real_faces(dataset: ImageDataset, numbers: range | Tensor, device: torch.device) -> Tensor:
    """Some of them, not mirrored, (N, C, H, H) in [-1, 1]."""
    pixels = [dataset[int(i), False][0] for i in numbers]
    return from_uint8(torch.stack(pixels).to(device))


@dataclass
class Redraw:
    """`weight` is that of the loss, beside the adversary's; `percept` says how unlike drawn faces
    and their real ones are, two (N, C, H, H) -> (N,); `z` (M, K) and `labels` (M,) are of all
    faces. Everything random follows from `seed` and the images shown so far."""

    weight: float
    percept: Callable[[Tensor, Tensor], Tensor]
    z: Tensor
    labels: Tensor
    seed: int

    @classmethod
    def begin(
        cls, weight: float, dataset: ImageDataset, z_dim: int, seed: int, device: torch.device
    ) -> Self:
        """With z that know nothing of their faces yet."""
        some = range(0, len(dataset), -(-len(dataset) // LOOKED_AT))
        percept = Percept(real_faces(dataset, some, device))
        labels = torch.tensor(dataset.label_of, device=device)
        return cls(weight, percept, torch.zeros(len(dataset), z_dim, device=device), labels, seed)

    def state_dict(self) -> dict[str, Tensor]:
        return {"z": self.z}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.z.copy_(state["z"])

    def make_normal(self, part: float, random: np.random.Generator) -> None:
        """Move all z a part of the way along random directions. The first ones lead from the mean
        of one sub-folder to those of the others, where z are the least normal."""
        directions = random.standard_normal((self.z.shape[1],) * 2, dtype=np.float32)
        directions = torch.from_numpy(directions).to(self.z.device)
        means = torch.stack([self.z[self.labels == i].mean(dim=0) for i in self.labels.unique()])
        apart = (means[1:] - means[0])[: len(directions)]
        directions[:, : len(apart)] = apart.T
        self.z = normal(self.z, torch.linalg.qr(directions)[0], part)

    def learn(self, faces: Tensor, gradient: Tensor, before: int, nimg: int) -> None:
        """Turn the z that a step drew by TURN against the loss; after OFTEN images all z move.

        Shapes: faces (N,), numbers of real faces, -1 for other fakes; gradient (N, K).
        """
        own = faces >= 0
        faces, gradient = faces[own], torch.nan_to_num(gradient[own])
        radius = self.z[faces].norm(dim=1, keepdim=True)
        outwards = self.z[faces] / radius
        gradient = gradient - (gradient * outwards).sum(dim=1, keepdim=True) * outwards
        self.z.index_add_(0, faces, -TURN * radius * F.normalize(gradient, dim=1))
        if nimg // OFTEN > before // OFTEN:
            self.make_normal(A_PART, np.random.default_rng((self.seed, NORMAL, nimg)))
