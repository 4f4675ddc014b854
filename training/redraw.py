"""Real faces that G has to draw again, each from a z of its own: G and the z learn.

A step draws three of four fakes from the z of its real faces. D judges them like the others, and
they are also to be like their faces. So G learns from each picture more than whether D takes it for
real. The z of all faces stay normal together, so random z draw what was learnt.

    normal   the numbers that ranks would have in a normal distribution
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
from training.config import TrainConfig
from training.percept import Percept

OF_FAKES = 3 / 4  # that are drawn from the z of real faces
TURN = 0.04  # radians by which a step turns a z
OFTEN, A_PART = 80, 0.1  # images between two moves of all z towards normal ones; how far of the way
LOOKED_AT = 128  # faces from which the percept takes its deviations
NORMAL = 9  # stream beside those of training.data, draws, lesson, train_encoder and search


def normal(x: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """What the numbers of each column would be, by their ranks, in a normal distribution or in the
    part of it between two quantiles.

    Shapes: x (M, K) -> (M, K).
    """
    order = x.argsort(dim=0)
    shares = (torch.arange(len(x), device=x.device, dtype=torch.float64) + 0.5) / len(x)
    numbers = torch.special.ndtri(low + (high - low) * shares).to(x.dtype)
    return torch.empty_like(x).scatter_(0, order, numbers[:, None].expand_as(x).contiguous())


def real_faces(dataset: ImageDataset, numbers: range | Tensor, device: torch.device) -> Tensor:
    """Some of them, not mirrored, (N, C, H, H) in [-1, 1]."""
    pixels = [dataset[int(i), False][0] for i in numbers]
    return from_uint8(torch.stack(pixels).to(device))


@dataclass
class Redraw:
    """`weight` is that of the loss, beside the adversary's; `percept` says how unlike drawn faces
    and their real ones are, two (N, C, H, H) -> (N,); `z` (M, K) are those of all faces; `folders`
    say which of them belong to each sub-folder, `shares` how often each is shown. Everything random
    follows from `seed` and the images shown so far."""

    weight: float
    percept: Callable[[Tensor, Tensor], Tensor]
    z: Tensor
    folders: list[Tensor]
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
        return cls(config.redraw, percept, z, folders, shares, config.seed)

    def state_dict(self) -> dict[str, Tensor]:
        return {"z": self.z}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.z.copy_(state["z"])

    def make_normal(self, part: float, random: np.random.Generator) -> None:
        """Move all z a part of the way to normal ones, along random orthonormal directions.

        The first direction is that along which the means of the sub-folders differ most. There each
        sub-folder gets a part of the normal distribution for itself, as large as it is often shown.
        Along the others each is made normal by itself. Made normal together, each kind of faces
        could keep to directions of its own, and random z, which do not, would draw what is neither.

        Reference: Laparra et al. 2011 (arXiv:1602.00229), Sec. II.
        """
        directions = random.standard_normal((self.z.shape[1],) * 2, dtype=np.float32)
        directions = torch.from_numpy(directions).to(self.z.device)
        means = torch.stack([self.z[own].mean(dim=0) for own in self.folders])
        with torch.autocast(self.z.device.type, enabled=False):  # bfloat16 would make numbers equal
            if len(means) > 1:
                directions[:, 0] = torch.linalg.svd(means - means.mean(dim=0))[2][0]
            directions = torch.linalg.qr(directions)[0]
            along, low = self.z @ directions, 0.0
            wanted = torch.empty_like(along)
            for i in (means @ directions[:, 0]).argsort().tolist():
                own, high = self.folders[i], min(low + self.shares[i], 1.0)
                wanted[own, :1] = normal(along[own, :1], low, high)
                wanted[own, 1:] = normal(along[own, 1:])
                low = high
            self.z = self.z + part * (wanted - along) @ directions.T

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
