"""The faces: a folder of sub-folders of square pictures, read in an endless shuffled order.

What comes when depends only on the seed and the number of images shown so far, so a run that is
taken up again sees what it would have seen.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from stylegan.images import from_uint8

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}


class ImageDataset(Dataset):
    """Pictures of one size; an item is chosen by (index, mirrored).

    Shapes: item uint8 (3, H, H), RGB.
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
        self.labels = sorted({p.relative_to(folder).parent.as_posix() for p in self.paths})

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, item: tuple[int, bool]) -> Tensor:
        index, mirrored = item
        with Image.open(self.paths[index]) as image:
            pixels = np.array(image.convert("RGB"))  # (H, W, 3)
        if mirrored:
            pixels = pixels[:, ::-1]
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


class EndlessSampler(Sampler):
    """Batches of (index, mirrored) for one of `num_processes`, beginning at image `first`.

    Every epoch is a new permutation; processes take turns within a batch.
    """

    def __init__(
        self,
        size: int,
        *,
        batch: int,
        first: int,
        seed: int,
        mirror: bool,
        rank: int = 0,
        num_processes: int = 1,
    ):
        self.size, self.batch, self.first, self.seed = size, batch, first, seed
        self.mirror, self.rank, self.num_processes = mirror, rank, num_processes

    def __iter__(self) -> Iterator[list[tuple[int, bool]]]:
        epoch, start = -1, self.first
        while True:
            items = []
            for n in range(start + self.rank, start + self.batch, self.num_processes):
                if n // self.size != epoch:
                    epoch = n // self.size
                    rng = np.random.default_rng((self.seed, epoch))
                    order, flips = rng.permutation(self.size), rng.random(self.size) < 0.5
                i = n % self.size
                items.append((int(order[i]), bool(flips[i]) and self.mirror))
            yield items
            start += self.batch


def endless_batches(dataset: ImageDataset, sampler: EndlessSampler) -> Iterator[Tensor]:
    """Float32 batches (N, 3, H, H) in [-1, 1], without end."""
    # Small pictures are decoded faster than they travel between processes.
    num_workers = 0 if dataset.resolution <= 128 else 2
    loader = DataLoader(dataset, batch_sampler=sampler, num_workers=num_workers)
    for batch in loader:
        yield from_uint8(batch)
