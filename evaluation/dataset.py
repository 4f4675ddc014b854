"""Pictures that exist: a folder of sub-folders of square pictures of one size."""

import hashlib
import json
import os
from collections import Counter
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from preprocessing.listing import LISTING, METADATA, kept, read_decisions, read_listing
from preprocessing.read import is_grey, list_pictures, read_image, read_size, readable

WORK = ".work"  # of a preparation that has not ended
SMALL = 128  # pixels; pictures up to this size are decoded once and kept


def sum_of(path: Path) -> str:
    """SHA-256 of what a file holds."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bytes_of(path: Path) -> int | None:
    """The size of a file; None if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def is_listed(folder: Path) -> bool:
    """Whether a folder's dataset.json is preparation's, of a format that tells what is kept.

    Others had no "format", and other programs write files of that name, too.

    Raises: ValueError if it is damaged.
    """
    path = folder / LISTING
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (ValueError, RecursionError) as e:
        raise ValueError(f"{path} is damaged: it is no JSON") from e
    return isinstance(content, dict) and "format" in content


def _as_prepared(folder: Path) -> tuple[dict[str, str], Counter]:
    """The faces that preparation and then a person kept, and the number of all others, by reason.

    Raises: ValueError for a damaged dataset.json.
    """
    listing = read_listing(folder)
    known = {row["file"] for row in (*listing.faces, *listing.rejected)}
    labels = {row["file"]: row["label"] for row in kept(listing, read_decisions(folder))}
    found = {path.relative_to(folder).as_posix() for path in list_pictures(folder)[0]}
    unlisted = f"pictures that {LISTING} does not list"
    return labels, Counter(
        {"rejected faces": len(known - labels.keys()), unlisted: len(found - known)}
    )


def _as_told(folder: Path) -> tuple[dict[str, str], Counter]:
    """The pictures of an image folder of the Hub; a row without a label has its sub-folder's.

    Raises: ValueError naming the line of metadata.jsonl that tells no picture of this folder.
    """
    labels = {}
    lines = (folder / METADATA).read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            path = PurePosixPath(row["file_name"])
            label = row.get("label")
            if path.is_absolute() or ".." in path.parts or not path.name:
                raise ValueError(f"{path} lies elsewhere")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
            raise ValueError(f"{folder / METADATA}: line {number} tells no picture ({e})") from e
        labels[path.as_posix()] = path.parent.as_posix() if label is None else str(label)
    return dict(sorted(labels.items())), Counter()


def _as_found(folder: Path) -> tuple[dict[str, str], Counter]:
    """All pictures below a folder, labelled by their sub-folders."""
    pictures, passed_over = list_pictures(folder)
    if (folder / LISTING).is_file():  # an older one
        passed_over -= Counter({"files that are no pictures": 1})
    names = [path.relative_to(folder) for path in pictures]
    return {path.as_posix(): readable(path.parent.as_posix()) for path in names}, passed_over


def labels_of(folder: Path) -> tuple[dict[str, str], Counter]:
    """Labels of a folder's pictures by their names, in order, and what was passed over, by reason.

    Raises: ValueError naming what is damaged or unfinished.
    """
    if is_listed(folder):
        return _as_prepared(folder)
    if (folder / LISTING).is_file():
        return _as_found(folder)
    if (folder / WORK).is_dir():
        words = "the same command of preprocessing.prepare goes on with it"
        raise ValueError(f"{folder} is unfinished; {words}")
    return (_as_told if (folder / METADATA).is_file() else _as_found)(folder)


class ImageDataset(Dataset):
    """Pictures of one size with their label's number; chosen by (index, mirrored).

    Of a folder that preparation wrote the kept faces are taken, of an image folder of the Hub those
    of its metadata.jsonl; of any other all pictures, labelled by their sub-folders.

    Pictures are read as preparation reads them. Opening looks at their headers only, so a picture
    that is broken further on shows when it is read. `passed_over` counts what is none, by reason.

    Shapes: item uint8 (C, H, H), RGB, or grey if all pictures are stored as grey ones, and a whole
    number that indexes `labels`.
    Args: name, what messages call the folder; commit, of a data set on the Hub.
    Raises: ValueError if there are no pictures, or naming the first that is not square or has
    another size than the first one; from an item, naming the picture that cannot be read.
    """

    def __init__(self, folder: str | Path, name: str | None = None, commit: str | None = None):
        name = str(folder) if name is None else name
        if not Path(folder).is_dir() or not name:
            raise ValueError(f"--data {name or '(empty)'} is not a folder")
        self.commit, self.folder = commit, Path(folder)
        found, self.passed_over = labels_of(Path(folder))
        sizes_in_bytes = {file: bytes_of(Path(folder, file)) for file in found}
        for what, size in (("empty files", 0), ("pictures that are listed and gone", None)):
            self.passed_over[what] = list(sizes_in_bytes.values()).count(size)
        self.passed_over = +self.passed_over  # without what there is none of
        self.names = [file for file in found if sizes_in_bytes[file]]
        self.paths = [Path(folder, file) for file in self.names]
        sizes = {path: read_size(path) for path in self.paths}
        first = next((size for size in sizes.values() if size), None)
        if first is None:
            raise ValueError(
                f"--data {name} holds no pictures; write it with preprocessing.prepare"
            )
        self.resolution = first[0]
        wanted = self.resolution, self.resolution
        for path, size in sizes.items():
            if size and size != wanted:
                raise ValueError(
                    f"{path} is {size[0]}x{size[1]} pixels, the first picture asks for "
                    f"{self.resolution}x{self.resolution}"
                )
        self.channels = 1 if all(is_grey(path) for path in self.paths) else 3
        self.labels = sorted({found[file] for file in self.names})
        number = {label: i for i, label in enumerate(self.labels)}
        self.label_of = [number[found[file]] for file in self.names]
        self.decoded = {}

    def __len__(self) -> int:
        return len(self.paths)

    def _pixels(self, index: int) -> Tensor:
        """Uint8 (C, H, H)."""
        if index in self.decoded:
            return self.decoded[index]
        try:
            pixels = read_image(self.paths[index])
        except ValueError as e:
            raise ValueError(f"{self.paths[index].parent / str(e)}") from e
        pixels = np.ascontiguousarray(pixels.transpose(2, 0, 1)[: self.channels])
        pixels = torch.from_numpy(pixels)
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

    @cached_property
    def level(self) -> bool:
        """Whether preparation turned the faces until their eyes were level."""
        return is_listed(self.folder) and read_listing(self.folder).settings.get("level") is True

    def identity(self) -> dict[str, object]:
        """What tells this set from another, as JSON has it: names and contents."""
        names = hashlib.sha256(os.fsencode("\n".join(self.names))).hexdigest()
        content = hashlib.sha256("\n".join(self.sums).encode()).hexdigest()
        shape = {"resolution": self.resolution, "labels": self.labels}
        shape |= {"channels": 1} if self.channels == 1 else {}
        return shape | {"names": names, "content": content}

    def is_the_one(self, known: dict[str, object]) -> bool:
        """Whether an `identity` is this set's; names decide where an older one says no more."""
        own = self.identity()
        return own == {"content": own["content"]} | known

    def counts(self) -> dict[str, int]:
        """Pictures by label."""
        return {name: self.label_of.count(i) for i, name in enumerate(self.labels)}

    def groups(self, *, balance: bool) -> list[list[int]]:
        """Indices by label or, without balance, all of them as one group."""
        if not balance:
            return [list(range(len(self)))]
        labels = np.array(self.label_of)
        return [np.flatnonzero(labels == i).tolist() for i in range(len(self.labels))]
