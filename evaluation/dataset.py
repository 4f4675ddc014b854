"""Pictures that exist: a folder of sub-folders of square pictures of one size."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
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
