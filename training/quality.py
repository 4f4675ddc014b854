"""How good drawn faces are: every figure beside its floor, the same figure of real faces.

`Reference` looks at the reals once; `Reference.compare` then measures any pictures against one half
of them, as it measures the other half for the floor, of as many each: all together and for every
sub-folder. Which of these a drawn face belongs to is told by a classifier of its features.
"""

import statistics
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
COPY = 0.25  # closeness to a real face below which a drawn one is taken for a copy


class Figure(NamedTuple):
    """A measured value and its floor."""

    value: float
    floor: float


class Pictures(NamedTuple):
    """Images (N, 3, H, H) in [-1, 1] and what the networks see in them: (N, 480), (N, 4096)."""

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
        self.names = dataset.labels
        img, self.labels = balanced(dataset)
        counts = self.labels.bincount()
        if counts.min() < 2 * FEWEST:
            name, count = self.names[counts.argmin()], counts.min()
            raise ValueError(f"{name} has {count} pictures; {2 * FEWEST} are the fewest to measure")
        img = from_uint8(img)
        self.random = random_network(img)
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

    def halves(self, members: list[int], n: int, split: int) -> tuple[Tensor, Tensor]:
        """Indices of n reals each, equally many of every label, no picture in both."""
        random, each = torch.Generator().manual_seed(split), n // len(members)
        orders = []
        for label in members:
            rows = (self.labels == label).nonzero().squeeze(1)
            orders.append(rows[torch.randperm(len(rows), generator=random)])
        first, second = ([o[i : i + each] for o in orders] for i in (0, each))
        return torch.cat(first), torch.cat(second)

    def compare(self, fake: Pictures) -> dict[str, dict[str, Figure]]:
        """Figures by group: all together, then each sub-folder; too few fakes are left out."""
        found = {ALL: self.compare_with(fake, list(range(len(self.names))))}
        if len(self.names) > 1:
            labels = self.classifier.labels(fake.taught)
            for i, name in enumerate(self.names):
                found[name] = self.compare_with(fake.rows(labels == i), [i])
        return {group: figures for group, figures in found.items() if figures}

    def compare_with(self, fake: Pictures, members: list[int]) -> dict[str, Figure]:
        """Figures beside reals of these labels, equally many of each; {} of too few fakes."""
        fewest = min(int((self.labels == i).sum()) // 2 for i in members)
        n = min(len(fake.img) // len(members), fewest) * len(members)
        if n < FEWEST:
            return {}
        values, floors = [], []
        for split in range(SPLITS):
            a, b = (self.reals.rows(half) for half in self.halves(members, n, split))
            some = torch.randperm(len(fake.img), generator=torch.Generator().manual_seed(split))[:n]
            values.append(self.distances(a, fake.rows(some)))
            floors.append(self.distances(a, b))
        value, floor = (
            {name: statistics.fmean(one[name] for one in found) for name in values[0]}
            for found in (values, floors)
        )
        return {name: Figure(value[name], floor[name]) for name in value}

    def nearest(self, fake: Pictures) -> tuple[Tensor, Tensor]:
        """The real face closest to each fake, (N,), and how close it is (N,): 1 is as close as the
        closest other real is to half of the reals."""
        reals = self.reals.taught.double()
        own = torch.cdist(reals, reals).fill_diagonal_(torch.inf).amin(dim=1).median()
        distances, index = torch.cdist(fake.taught.double(), reals).min(dim=1)
        return index, distances / own
