"""How good drawn faces are: every figure beside its floor, the same figure of real faces.

`Reference` looks at the reals once; `Reference.compare` then measures any pictures against one half
of them, as it measures the other half for the floor, of as many each: all together and for every
sub-folder. Which of these a drawn face belongs to is told by a classifier of its features.
`Reference.judge` says all that can be said of pictures alone, and first a score of one number.

Reference: Karras et al. 2018 (arXiv:1710.10196), Sec. 5 for looking at more than one size.
"""

import math
import statistics
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from evaluation.dataset import ImageDataset
from evaluation.distances import (
    NEIGHBOURS,
    coverage,
    density,
    frechet_distance,
    kernel_distance,
    neighbour_accuracy,
    patch_distance,
    principal_directions,
    sliced_distance,
)
from evaluation.domains import DomainClassifier
from evaluation.features import Details, balanced, features_of, load_features, random_network
from evaluation.source import open_dataset
from preprocessing.listing import USEFUL
from stylegan import Generator
from stylegan.images import from_uint8

ALL = "all"  # the sub-folders together, equally many of each
SPLITS = 3  # into halves, over which figures are averaged
DIRECTIONS = 64  # principal ones, between which the Frechet distance is taken
LEAST = 8  # pictures on either side of a comparison: each has five neighbours and some others
COPY = 0.25  # closeness to a real face below which a drawn one is taken for a copy
HALF, HALF_DETAILS = 0.1, 0.5  # kernel distances above their floors at which the score is 50
JUDGED = "kernel", "kernel, half size", "kernel, ImageNet features"
TURNED = 300  # pictures of which it is learned what upright is


class Figure(NamedTuple):
    """A measured value and its floor."""

    value: float
    floor: float


def score(figures: dict[str, Figure], copies: float) -> float:
    """One number for all together: 100 is as good as other real faces, 0 is worthless.

    It falls alike with two kernel distances above their floors, and with the share of copies. One
    is of shapes, the mean of that at full and at half size, of which the second hardly minds noise
    and blur on what are faces after all. The other is of details, where faces are bent or soft.
    """
    full, half, fine = (figures[name].value - figures[name].floor for name in JUDGED)
    shapes, details = max((full + half) / 2, 0), max(fine, 0)
    return 100 * (1 - copies) / (1 + (shapes / HALF + details / HALF_DETAILS) / 2)


class Pictures(NamedTuple):
    """Images (N, 3, H, H) in [-1, 1] and what the networks see in them: the random one (N, 480),
    the one that learned (N, 4096), that one again where the pictures are half as large, and the one
    that knows pictures of all kinds (N, 5120)."""

    img: Tensor
    random: Tensor
    taught: Tensor
    half: Tensor
    details: Tensor

    def rows(self, index: Tensor) -> "Pictures":
        return Pictures(*(x[index] for x in self))


def measurable(counts: dict[str, int]) -> list[str]:
    """Labels that can be measured together, by their numbers of pictures: equally many of each are
    compared with as many others, so the smallest are left out until there are enough."""
    left = sorted(counts, key=counts.get)
    while left and counts[left[0]] < max(NEIGHBOURS + 1, 2 * math.ceil(LEAST / len(left))):
        del left[0]
    return [name for name in counts if name in left]


class Reference:
    """The reals of a dataset, as the feature networks see them.

    `names` are the labels that are measured; `level` tells whether the eyes of the faces are.
    `few` counts the pictures of all labels with fewer than are useful: they are left out, or
    figures of them are rough.

    Raises: ValueError if no label has enough pictures to measure anything.
    """

    def __init__(self, dataset: ImageDataset):
        counts, self.names = dataset.counts(), measurable(dataset.counts())
        if not self.names:
            most = max(counts, key=counts.get)
            raise ValueError(
                f"{most} has {counts[most]} pictures; {2 * LEAST} are the fewest to measure "
                f"anything, {USEFUL} to measure well: add some"
            )
        self.level = dataset.level
        self.few = {name: count for name, count in counts.items() if count < USEFUL}
        img, labels = balanced(dataset)
        places = torch.tensor([dataset.labels.index(name) for name in self.names])
        kept = torch.isin(labels, places)
        img, self.labels = from_uint8(img[kept]), torch.searchsorted(places, labels[kept])
        self.random = random_network(img)
        self.taught, name = load_features()
        self.details = Details()
        self.features_name = f"{name} {self.details.name}"
        reals = self.look_at(img)
        self.reals = reals._replace(details=self.details.calibrate(reals.details))
        self.axes = principal_directions(self.reals.taught, DIRECTIONS).float()
        self.classifier = DomainClassifier(self.reals.taught, self.labels)
        some = img[:: -(-len(img) // TURNED)]
        turned = torch.cat([some.rot90(quarters, (2, 3)) for quarters in range(4)])
        quarters = torch.arange(4).repeat_interleave(len(some))
        self.turns = DomainClassifier(features_of(self.taught, turned), quarters)

    def look_at(self, img: Tensor) -> Pictures:
        """Pictures of any number."""
        small = F.interpolate(img, scale_factor=0.5, mode="bicubic", antialias=True).clamp(-1, 1)
        networks = (self.random, img), (self.taught, img), (self.taught, small), (self.details, img)
        return Pictures(img, *(features_of(network, x) for network, x in networks))

    def distances(self, real: Pictures, fake: Pictures) -> dict[str, float]:
        """Of two sets of equal size."""
        low = real.taught @ self.axes, fake.taught @ self.axes
        octaves = patch_distance(real.img, fake.img)
        return {
            "kernel": kernel_distance(real.taught, fake.taught),
            "kernel, half size": kernel_distance(real.half, fake.half),
            "kernel, ImageNet features": kernel_distance(real.details, fake.details),
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

    def warnings(self) -> list[str]:
        """Sentences on labels of few pictures: what can be measured, and what to do."""
        told = []
        for name, count in self.few.items():
            together = ", and those of all together too"
            rough = f"its figures are rough, of {count // 2} pictures beside {count // 2}{together}"
            if name not in self.names:
                rough = "it is not measured, the others are"
            elif count < 2 * LEAST:
                rough = f"by itself it is not measured, for which {2 * LEAST} are needed{together}"
            what = "the folder" if name == "." else name
            told.append(
                f"{what} has {count} picture{'s' * (count > 1)}, fewer than {USEFUL}: {rough}; "
                f"add {USEFUL - count} to compare runs by them"
            )
        return told

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
        if n < max(LEAST, min(USEFUL // 2, fewest * len(members))):
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

    def judge(self, fake: Pictures) -> dict[str, object]:
        """All figures of pictures, as JSON has them; see docs/evaluation.md."""
        shares = self.classifier.labels(fake.taught).bincount(minlength=len(self.names))
        _, closeness = self.nearest(fake)
        copies = (closeness < COPY).float().mean().item()
        found = self.compare(fake)
        return {
            "score": score(found[ALL], copies),
            "samples": len(fake.img),
            "features": self.features_name,
            "distances": {
                group: {name: figure._asdict() for name, figure in figures.items()}
                for group, figures in found.items()
            },
            "shares": dict(zip(self.names, (shares / len(fake.img)).tolist(), strict=True)),
            "nearest real": closeness.median().item(),
            "as close as a copy": copies,
            "turned": (self.turns.labels(fake.taught) > 0).float().mean().item(),
        } | ({"few": self.few} if self.few else {})

    def nearest(self, fake: Pictures) -> tuple[Tensor, Tensor]:
        """The real face closest to each fake, (N,), and how close it is (N,): 1 is as close as the
        closest other real is to half of the reals."""
        reals = self.reals.taught.double()
        own = torch.cdist(reals, reals).fill_diagonal_(torch.inf).amin(dim=1).median()
        distances, index = torch.cdist(fake.taught.double(), reals).min(dim=1)
        return index, distances / own


def reference_for(G: Generator, data: str) -> Reference:
    """The reals that `--data` names, for the faces of a generator.

    Raises: ValueError if they have another size, or as `open_dataset` and `Reference`.
    """
    dataset = open_dataset(data)
    if dataset.resolution != G.img_resolution:
        raise ValueError(
            f"the generator draws {G.img_resolution} pixels and the pictures of {data} have "
            f"{dataset.resolution}; prepare them with --size {G.img_resolution}"
        )
    return Reference(dataset)
