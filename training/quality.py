"""How good drawn faces are: every figure beside its floor, the same figure of real faces.

`Reference` looks at the reals once; `Reference.compare` then measures any pictures against one half
of them, as it measures the other half for the floor, of as many each: all together and for every
sub-folder. Which of these a drawn face belongs to is told by a classifier of its features.
"""

import statistics
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from stylegan.images import from_uint8
from training.data import ImageDataset
from training.distances import (
    coverage,
    density,
    frechet_distance,
    kernel_distance,
    neighbour_accuracy,
    patch_distance,
    principal_directions,
    sliced_distance,
)
from training.domains import DomainClassifier
from training.features import balanced, features_of, load_features, random_network

ALL = "all"  # the sub-folders together, equally many of each
SPLITS = 3  # into halves, over which figures are averaged
DIRECTIONS = 64  # principal ones, between which the Frechet distance is taken
FEWEST = 50  # pictures of which anything is said


class Figure(NamedTuple):
    """A measured value and its floor."""

    value: float
    floor: float


class Pictures(NamedTuple):
    """Images (N, 3, H, H) in [-1, 1] and what the networks see in them, (N, 480) each."""

    img: Tensor
    random: Tensor
    taught: Tensor

    def rows(self, index: Tensor) -> "Pictures":
        return Pictures(*(x[index] for x in self))


class Reference:
    """The reals of a dataset, as the feature networks see them.

    Raises: ValueError if a sub-folder has fewer than 100 pictures.
    """

    def __init__(self, dataset: ImageDataset):
        self.names, self.resolution = dataset.labels, dataset.resolution
        img, self.labels = balanced(dataset)
        counts = self.labels.bincount()
        if counts.min() < 2 * FEWEST:
            name, count = self.names[counts.argmin()], counts.min()
            raise ValueError(f"{name} has {count} pictures; {2 * FEWEST} are the fewest to measure")
        img = from_uint8(img)
        self.random = random_network(img[:1000])
        self.taught, self.features_name = load_features()
        self.reals = self.look_at(img)
        self.axes = principal_directions(self.reals.taught, DIRECTIONS).float()
        self.classifier = DomainClassifier(self.reals.taught, self.labels)

    def look_at(self, img: Tensor) -> Pictures:
        """Pictures of any number."""
        return Pictures(img, features_of(self.random, img), features_of(self.taught, img))

    def distances(self, real: Pictures, fake: Pictures) -> dict[str, float]:
        """Of two sets of equal size."""
        low = real.taught @ self.axes, fake.taught @ self.axes
        octaves = patch_distance(real.img, fake.img)
        return {
            "kernel": kernel_distance(real.taught, fake.taught),
            "kernel, random features": kernel_distance(real.random, fake.random),
            "frechet": frechet_distance(*low),
            "sliced": sliced_distance(real.taught, fake.taught),
            "neighbours": neighbour_accuracy(real.taught, fake.taught),
            "density": density(real.taught, fake.taught),
            "coverage": coverage(real.taught, fake.taught),
            **{f"patches/{i}": distance for i, distance in enumerate(octaves)},
        }

    def _halves(self, groups: list[int], n: int, split: int) -> tuple[Tensor, Tensor]:
        """Indices of n reals each, equally many of every group, no picture in both."""
        random, each = torch.Generator().manual_seed(split), n // len(groups)
        orders = []
        for group in groups:
            rows = (self.labels == group).nonzero().squeeze(1)
            orders.append(rows[torch.randperm(len(rows), generator=random)])
        return torch.cat([o[:each] for o in orders]), torch.cat(
            [o[each : 2 * each] for o in orders]
        )

    def compare(self, fake: Pictures) -> dict[str, dict[str, Figure]]:
        """Figures by group; one with too few fakes is left out."""
        labels, groups = self.classifier.labels(fake.taught), {ALL: list(range(len(self.names)))}
        if len(self.names) > 1:
            groups |= {name: [i] for i, name in enumerate(self.names)}
        return {
            name: figures
            for name, members in groups.items()
            if (
                figures := self._compare(
                    fake.rows(torch.isin(labels, torch.tensor(members))), members
                )
            )
        }

    def _compare(self, fake: Pictures, members: list[int]) -> dict[str, Figure]:
        fewest = min(int((self.labels == i).sum()) // 2 for i in members)
        n = min(len(fake.img) // len(members), fewest) * len(members)
        if n < FEWEST:
            return {}
        values, floors = [], []
        for split in range(SPLITS):
            a, b = (self.reals.rows(half) for half in self._halves(members, n, split))
            some = torch.randperm(len(fake.img), generator=torch.Generator().manual_seed(split))[:n]
            values.append(self.distances(a, fake.rows(some)))
            floors.append(self.distances(a, b))
        mean: Callable = statistics.fmean
        return {
            name: Figure(mean(v[name] for v in values), mean(f[name] for f in floors))
            for name in values[0]
        }

    def nearest(self, fake: Pictures) -> tuple[Tensor, Tensor]:
        """The real face closest to each fake, (N,), and how close it is (N,): 1 is as close as the
        closest other real is to half of the reals."""
        reals = self.reals.taught.double()
        own = torch.cdist(reals, reals).fill_diagonal_(torch.inf).amin(dim=1).median()
        distances, index = torch.cdist(fake.taught.double(), reals).min(dim=1)
        return index, distances / own
