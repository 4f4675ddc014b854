"""The faces: a folder of sub-folders of square pictures, read in an endless shuffled order.

What comes when depends only on the seed and the number of images shown so far, so a run that is
taken up again sees what it would have seen.
"""

import hashlib
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from stylegan.images import from_uint8

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
TURNS, EPOCHS = 1, 2  # what a stream of random numbers is for; more are in training.draws
SMALL = 128  # pixels; pictures up to this size are decoded once and kept


class ImageDataset(Dataset):
    """Pictures of one size with their sub-folder's number; chosen by (index, mirrored).

    Shapes: item uint8 (3, H, H), RGB, and a whole number that indexes `labels`.
    Raises: ValueError if there are no pictures, or naming the first that is not square or has
    another size than the first one.
    """

    def __init__(self, folder: str):
        paths = Path(folder).rglob("*")
        self.paths = sorted(p for p in paths if p.suffix.lower() in SUFFIXES)
        if not self.paths:
            raise ValueError(
                f"--data {folder} holds no pictures; write it with preprocessing.prepare"
            )
        self.resolution = Image.open(self.paths[0]).width
        for path in self.paths:
            with Image.open(path) as image:
                if image.size != (self.resolution, self.resolution):
                    size = f"{image.width}x{image.height}"
                    wanted = f"{self.resolution}x{self.resolution}"
                    raise ValueError(
                        f"{path} is {size} pixels, the first picture asks for {wanted}"
                    )
        self.names = [p.relative_to(folder).as_posix() for p in self.paths]
        parents = [Path(name).parent.as_posix() for name in self.names]
        self.labels = sorted(set(parents))
        self.label_of = [self.labels.index(parent) for parent in parents]
        self.decoded = {}

    def __len__(self) -> int:
        return len(self.paths)

    def _pixels(self, index: int) -> Tensor:
        """Uint8 (3, H, H)."""
        if index in self.decoded:
            return self.decoded[index]
        try:
            with Image.open(self.paths[index]) as image:
                pixels = np.array(image.convert("RGB")).transpose(2, 0, 1)
        except OSError as e:
            raise ValueError(f"{self.paths[index]} cannot be read: {e}") from e
        pixels = torch.from_numpy(np.ascontiguousarray(pixels))
        if self.resolution <= SMALL:
            self.decoded[index] = pixels
        return pixels

    def __getitem__(self, item: tuple[int, bool]) -> tuple[Tensor, int]:
        index, mirrored = item
        pixels = self._pixels(index)
        return pixels.flip(2) if mirrored else pixels, self.label_of[index]

    def identity(self) -> dict[str, object]:
        """What tells this set from another, as JSON has it."""
        digest = hashlib.sha256("\n".join(self.names).encode()).hexdigest()
        return {"resolution": self.resolution, "labels": self.labels, "names": digest}

    def counts(self) -> dict[str, int]:
        """Pictures by sub-folder."""
        return {name: self.label_of.count(i) for i, name in enumerate(self.labels)}

    def groups(self, *, balance: bool) -> list[list[int]]:
        """Indices by sub-folder or, without balance, all of them as one group."""
        if not balance:
            return [list(range(len(self)))]
        labels = np.array(self.label_of)
        return [np.flatnonzero(labels == i).tolist() for i in range(len(self.labels))]


class EndlessSampler(Sampler):
    """Batches of (index, mirrored) for one of `num_processes`, beginning at image `first`.

    Every run of len(groups) images holds one of each group, in random order, and every group shows
    all its pictures in a new order before it begins again. Processes take turns within a batch.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[int]],
        *,
        batch: int,
        first: int,
        seed: int,
        mirror: bool,
        rank: int = 0,
        num_processes: int = 1,
    ):
        self.groups, self.batch, self.first, self.seed = groups, batch, first, seed
        self.mirror, self.rank, self.num_processes = mirror, rank, num_processes
        self._epochs = {}

    def _epoch(self, group: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Order and mirroring of a group's pictures in one of its epochs."""
        if self._epochs.get(group, (None,))[0] != epoch:
            rng = np.random.default_rng((self.seed, EPOCHS, group, epoch))
            size = len(self.groups[group])
            self._epochs[group] = epoch, rng.permutation(self.groups[group]), rng.random(size) < 0.5
        return self._epochs[group][1:]

    def _item(self, n: int) -> tuple[int, bool]:
        """What the n-th image of the run is."""
        turn, place = divmod(n, len(self.groups))
        rng = np.random.default_rng((self.seed, TURNS, turn))
        group = int(rng.permutation(len(self.groups))[place])
        epoch, i = divmod(turn, len(self.groups[group]))
        order, flips = self._epoch(group, epoch)
        return int(order[i]), bool(flips[i]) and self.mirror

    def __iter__(self) -> Iterator[list[tuple[int, bool]]]:
        start = self.first
        while True:
            turns = range(start + self.rank, start + self.batch, self.num_processes)
            yield [self._item(n) for n in turns]
            start += self.batch


def _leave_signals(worker: int) -> None:
    """A helper process ends with the trainer, which decides when that is."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def endless_batches(
    dataset: ImageDataset, sampler: EndlessSampler
) -> Iterator[tuple[Tensor, Tensor]]:
    """Float32 images (N, 3, H, H) in [-1, 1] and labels (N,), without end."""
    num_workers = 0 if dataset.resolution <= SMALL else 2
    loader = DataLoader(
        dataset, batch_sampler=sampler, num_workers=num_workers, worker_init_fn=_leave_signals
    )
    for images, labels in loader:
        yield from_uint8(images), labels
