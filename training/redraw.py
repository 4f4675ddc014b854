"""Real faces that G has to draw again, each from a z of its own: G and the z learn.

A step draws its fakes from z near those of its real faces: noise takes a part of each. D judges
them, and they are also to be like their faces, the less so the more noise there is. So G learns
from each picture more than whether D takes it for real, and it learns what lies between the z of
faces, too. The z of all faces stay normal together, so random z draw what was learnt.

    eigenfaces   what tells roughly what each of some faces looks like
    Redraw       the z of all faces, and how unlike faces are

Legend: M faces, K z_dim, N images of a batch.

Reference: Bojanowski et al. 2018 (arXiv:1707.05776), Sec. 2, for a z of every picture; Kingma and
Welling 2013 (arXiv:1312.6114), Sec. 2.4, for noise in it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from evaluation.dataset import ImageDataset
from stylegan.images import from_uint8
from training.config import TrainConfig
from training.normal import gaussianized, moved, normal, rotation, telling, white
from training.percept import Percept

TURN = 0.04  # radians by which a step turns a z
OFTEN, A_PART = 80, 0.1  # images between two moves of all z towards normal ones; how far of the way
SMALL, EIGENFACES = 8, 8  # pixels at which looks are compared; how many numbers tell them
LOOKED_AT = 128  # faces from which the percept takes its deviations
AT_ONCE = 256  # faces that are read at once
NORMAL = 9  # stream beside those of training.data, draws, lesson, train_encoder and search


def real_faces(dataset: ImageDataset, numbers: range | Tensor, device: torch.device) -> Tensor:
    """Some of them, not mirrored, (N, C, H, H) in [-1, 1]."""
    pixels = [dataset[int(i), False][0] for i in numbers]
    return from_uint8(torch.stack(pixels).to(device))


def eigenfaces(dataset: ImageDataset, faces: Tensor) -> Tensor:
    """Principal components of small faces, each with a mean of 0 and a variance of 1. They tell
    light, ground, hair and outline.

    Shapes: faces (N,), their numbers -> (N, EIGENFACES), fewer of few faces.
    Reference: Turk and Pentland 1991 (doi:10.1162/jocn.1991.3.1.71).
    """
    parts = [real_faces(dataset, part, faces.device) for part in faces.split(AT_ONCE)]
    small = torch.cat([F.adaptive_avg_pool2d(img, SMALL).flatten(1) for img in parts])
    components = torch.linalg.svd(small - small.mean(dim=0), full_matrices=False)[0]
    return components[:, :EIGENFACES] * len(faces) ** 0.5


@dataclass
class Redraw:
    """`weight` is that of the loss, beside the adversary's; `percept` says how unlike drawn faces
    and their real ones are, two (N, C, H, H) -> (N,); `z` (M, K) are those of all faces; `folders`
    say which of them belong to each sub-folder, `looks` what these look like, `shares` how often
    each is shown. Everything random follows from `seed` and the images shown so far."""

    weight: float
    percept: Percept
    z: Tensor
    folders: list[Tensor]
    looks: list[Tensor]
    shares: list[float]
    seed: int

    @classmethod
    def begin(cls, config: TrainConfig, dataset: ImageDataset, device: torch.device) -> Self:
        """With z that know nothing of their faces yet."""
        some = range(0, len(dataset), -(-len(dataset) // LOOKED_AT))
        percept = Percept(real_faces(dataset, some, device))
        z = torch.zeros(len(dataset), config.z_dim, device=device)
        folders = [torch.tensor(own, device=device) for own in dataset.groups(balance=True)]
        sizes = [1 if config.balance else len(own) for own in folders]
        shares = [size / sum(sizes) for size in sizes]
        looks = [eigenfaces(dataset, own) for own in folders]
        return cls(config.redraw, percept, z, folders, looks, shares, config.seed)

    def state_dict(self) -> dict[str, Tensor]:
        return {"z": self.z}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.z.copy_(state["z"])

    def axis(self) -> Tensor:
        """The direction (K,) along which the means of sub-folders differ most; 0 of one alone."""
        means = torch.stack([self.z[own].mean(dim=0) for own in self.folders])
        if len(means) < 2:
            return torch.zeros_like(means[0])
        return torch.linalg.svd(means - means.mean(dim=0))[2][0]

    def near(self, faces: Tensor, random: Tensor, noise: Tensor) -> Tensor:
        """z of faces, with random ones mixed in. Along the axis nothing is mixed, so that every
        face stays in the part of its own sub-folder.

        Shapes: faces (N,), random (N, K) standard normal, noise (N,) in [0, 1], the share of the
        variance that is random -> (N, K).
        """
        z, axis, noise = self.z[faces], self.axis(), noise[:, None]
        along, across = (z @ axis)[:, None] * axis, random - (random @ axis)[:, None] * axis
        return along + (1 - noise).sqrt() * (z - along) + noise.sqrt() * across

    def make_normal(self, part: float, random: np.random.Generator) -> None:
        """Move all z a part of the way to normal ones, first along the directions that tell most of
        what faces look like, then along all. The normal ones are white, and along random
        orthonormal directions each number is the normal one of its rank. Among many directions
        random ones hardly see that z crowd along one; along the few that tell looks it counts.

        Along the axis each sub-folder gets a part of the normal distribution for itself, as large
        as it is often shown. There its z count by their ranks, and so it is made normal by itself
        along every direction. Made normal together, each kind of faces could keep to directions of
        its own, and random z, which do not, would draw what is neither.
        """
        with torch.autocast(self.z.device.type, enabled=False):  # bfloat16 would make numbers equal
            directions = rotation(self.z.shape[1], random, self.z.device)
            axis, low = self.axis(), 0.0
            along = self.z @ axis
            for i in torch.stack([along[own].mean() for own in self.folders]).argsort().tolist():
                own, high = self.folders[i], min(low + self.shares[i], 1.0)
                z = moved(self.z[own], axis, normal(along[own, None])[:, 0])
                there = gaussianized(z, telling(z, axis, self.looks[i]), random)
                there = normal(white(there) @ directions) @ directions.T
                z = z.lerp(there, part)
                ranks = torch.special.ndtr((z @ axis).double())
                self.z[own] = moved(z, axis, torch.special.ndtri(low + (high - low) * ranks))
                low = high

    def learn(self, faces: Tensor, gradient: Tensor, before: int, nimg: int) -> None:
        """Turn the z that a step drew by TURN against the loss; after OFTEN images all z move.

        Shapes: faces (N,), numbers of real faces; gradient (N, K).
        """
        gradient = torch.nan_to_num(gradient)
        radius = self.z[faces].norm(dim=1, keepdim=True)
        outwards = self.z[faces] / radius
        gradient = gradient - (gradient * outwards).sum(dim=1, keepdim=True) * outwards
        self.z.index_add_(0, faces, -TURN * radius * F.normalize(gradient, dim=1))
        if nimg // OFTEN > before // OFTEN:
            self.make_normal(A_PART, np.random.default_rng((self.seed, NORMAL, nimg)))
