"""Pictures that exist: a folder of sub-folders of square pictures of one size."""

import hashlib
import os
from collections import Counter
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from preprocessing.read import list_pictures, read_image, read_size

SMALL = 128  # pixels; pictures up to this size are decoded once and kept


def sum_of(path: Path) -> str:
    """SHA-256 of what a file holds."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def readable(name: str) -> str:
    """A file's name as text: bytes of it that are no UTF-8 become `\\xe9` and the like."""
    return os.fsencode(name).decode(errors="backslashreplace")


class ImageDataset(Dataset):
    """Pictures of one size with their sub-folder's number; chosen by (index, mirrored).

    Pictures are read as preparation reads them. Opening looks at their headers only, so a picture
    that is broken further on shows when it is read. `passed_over` counts what is none, by reason.

    Shapes: item uint8 (3, H, H), RGB, and a whole number that indexes `labels`.
    Raises: ValueError if there are no pictures, or naming the first that is not square or has
    another size than the first one; from an item, naming the picture that cannot be read.
    """

    def __init__(self, folder: str):
        if not Path(folder).is_dir() or not folder:
            raise ValueError(f"--data {folder or '(empty)'} is not a folder")
        listed, self.passed_over = list_pictures(Path(folder))
        self.paths = [path for path in listed if path.stat().st_size > 0]
        self.passed_over += Counter({"empty files": len(listed) - len(self.paths)})
        if Path(folder, "dataset.json").is_file():  # preparation's own
            self.passed_over -= Counter({"files that are no pictures": 1})
        sizes = {path: read_size(path) for path in self.paths}
        first = next((size for size in sizes.values() if size), None)
        if first is None:
            raise ValueError(
                f"--data {folder} holds no pictures; write it with preprocessing.prepare"
            )
        self.resolution = first[0]
        wanted = self.resolution, self.resolution
        for path, size in sizes.items():
            if size and size != wanted:
                raise ValueError(
                    f"{path} is {size[0]}x{size[1]} pixels, the first picture asks for "
                    f"{self.resolution}x{self.resolution}"
                )
        self.names = [p.relative_to(folder).as_posix() for p in self.paths]
        parents = [readable(Path(name).parent.as_posix()) for name in self.names]
        self.labels = sorted(set(parents))
        number = {label: i for i, label in enumerate(self.labels)}
        self.label_of = [number[parent] for parent in parents]
        self.decoded = {}

    def __len__(self) -> int:
        return len(self.paths)

    def _pixels(self, index: int) -> Tensor:
        """Uint8 (3, H, H)."""
        if index in self.decoded:
            return self.decoded[index]
        try:
            pixels = read_image(self.paths[index])
        except ValueError as e:
            raise ValueError(f"{self.paths[index].parent / str(e)}") from e
        pixels = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        if self.resolution <= SMALL:
            self.decoded[index] = pixels
        return pixels

    def __getitem__(self, item: tuple[int, bool]) -> tuple[Tensor, int]:
        index, mirrored = item
        pixels = self._pixels(index)
        return pixels.flip(2) if mirrored else pixels, self.label_of[index]

    @cached_property
    def sums(self) -> list[str]:
        """SHA-256 of each picture's file; whoever knows them may set them."""
        return [sum_of(path) for path in self.paths]

    def identity(self) -> dict[str, object]:
        """What tells this set from another, as JSON has it: names and contents."""
        names = hashlib.sha256(os.fsencode("\n".join(self.names))).hexdigest()
        content = hashlib.sha256("\n".join(self.sums).encode()).hexdigest()
        shape = {"resolution": self.resolution, "labels": self.labels}
        return shape | {"names": names, "content": content}

    def is_the_one(self, known: dict[str, object]) -> bool:
        """Whether an `identity` is this set's; names decide where an older one says no more."""
        own = self.identity()
        return own == {"content": own["content"]} | known

    def counts(self) -> dict[str, int]:
        """Pictures by sub-folder."""
        return {name: self.label_of.count(i) for i, name in enumerate(self.labels)}

    def groups(self, *, balance: bool) -> list[list[int]]:
        """Indices by sub-folder or, without balance, all of them as one group."""
        if not balance:
            return [list(range(len(self)))]
        labels = np.array(self.label_of)
        return [np.flatnonzero(labels == i).tolist() for i in range(len(self.labels))]
