"""Small pictures of many faces, several on one sheet, and which of them are the most various.

A sheet is put together for whatever faces a page shows side by side, in any order, so that a page
that sorts 20 000 faces fetches a few sheets and not 20 000 files. A face is read once; of what was
read, its small picture stays in memory as a JPEG of 2 to 4 kB.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from preprocessing.judge import describe
from preprocessing.read import read_image

COLUMNS, ON_SHEET = 8, 64  # faces in a row of a sheet, and on all of it
LARGEST = 96  # pixels of a small picture's side


class Thumbnails:
    """The small pictures of these files, square, of at most LARGEST pixels; `size` is theirs."""

    def __init__(self, paths: list[Path], size: int):
        self.paths, self.side = paths, min(size, LARGEST)
        self.read: dict[int, bytes] = {}

    def take(self, faces: list[int]) -> np.ndarray:
        """Small pictures, uint8 (N, side, side, 3)."""
        for face in faces:
            if face not in self.read:
                self.read[face] = jpeg(small(self.paths[face], self.side), quality=92)
        return np.stack([np.asarray(Image.open(io.BytesIO(self.read[face]))) for face in faces])

    def sheet(self, faces: list[int]) -> bytes:
        """A JPEG of up to ON_SHEET faces, COLUMNS in a row."""
        sheet = np.zeros((ON_SHEET, self.side, self.side, 3), np.uint8)
        sheet[: len(faces)] = self.take(faces)
        rows = sheet.reshape(-1, COLUMNS, self.side, self.side, 3).swapaxes(1, 2)
        return jpeg(rows.reshape(-1, COLUMNS * self.side, 3), quality=88)

    def describe(self, faces: list[int]) -> np.ndarray:
        """What `judge.describe` says of each face, float32 (N, K)."""
        return np.stack([describe(self.take([face])[0]) for face in faces])


def small(path: Path, side: int) -> np.ndarray:
    """The picture in a file as uint8 (side, side, 3); grey if it cannot be read."""
    try:
        image = Image.fromarray(read_image(path))
    except ValueError:
        return np.full((side, side, 3), 128, np.uint8)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def jpeg(image: np.ndarray, quality: int) -> bytes:
    """Of uint8 RGB (H, W, 3)."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()


def most_various(points: np.ndarray, count: int, given: list[int]) -> list[int]:
    """`count` rows of points (N, K) that lie far from each other, `given` ones first.

    Each next one is the row that is farthest from all those chosen; without `given`, the row in
    the middle is the first. Equal rows are chosen last.

    Reference: Gonzalez 1985, Clustering to minimize the maximum intercluster distance.
    """
    chosen, waiting = [], list(given)
    if not waiting:
        waiting = [int(np.square(points - points.mean(axis=0)).sum(axis=1).argmin())]
    squares = np.square(points).sum(axis=1)
    distances = np.full(len(points), np.inf)
    while len(chosen) < count:
        new = waiting.pop(0) if waiting else int(distances.argmax())
        chosen.append(new)
        apart = squares - 2 * points @ points[new] + squares[new]
        distances = np.minimum(distances, apart.clip(0))
        distances[chosen] = -1  # never again
    return chosen
