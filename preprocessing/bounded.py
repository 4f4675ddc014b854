"""Bounds on the time and the memory that a decoder takes.

The bytes and the pixels of a picture bound neither: a comment that is put together piece by piece,
thousands of tags that all name the same ten megabytes or thousands of passes over the same pixels
keep a decoder busy for minutes or take gigabytes.

    BoundedFile    the file that a decoder reads; it asks bit by bit, so the file can stop it
    BoundedTags    the tags of a TIFF or of EXIF data, looked at before Pillow reads their values
"""

import io
import os
import struct
import time
from pathlib import Path
from typing import IO

from PIL import Image, TiffImagePlugin
from PIL.TiffImagePlugin import TILELENGTH, TILEWIDTH, ImageFileDirectory_v2

MAX_BYTES = 500_000_000  # of a file; the largest picture, with 16 bits and not packed, has 400 MB
MAX_SECONDS = 10  # of work, not of waiting for a busy machine; the largest pictures take about two
READ_AGAIN = 8  # times that a file's bytes are given; a good picture is read once or twice
SOME = 1 << 20  # bytes that are given of the smallest file
MAX_NUMBERS = 200_000  # in a tag; the largest picture has that many tiles of 16x16 pixels
MAX_TAGS = 65_535  # in a directory, which BigTIFF alone can exceed
NUMBERS = (3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 16)  # types that Pillow makes an object of each


class BoundedFile(io.BufferedReader):
    """A file, or the bytes of one, whose `read` fails once that has taken too much of this thread's
    time.

    Raises: OSError from `read` and when the file cannot be opened.
    """

    def __init__(self, source: Path | bytes):
        in_memory = isinstance(source, bytes)
        super().__init__(io.BytesIO(source) if in_memory else io.FileIO(source))
        size = len(source) if in_memory else os.fstat(self.fileno()).st_size
        if size > MAX_BYTES:
            self.close()
            raise OSError(f"it has more than {MAX_BYTES // 1_000_000} MB")
        self._until = time.thread_time() + MAX_SECONDS
        self._left = READ_AGAIN * size + SOME

    def read(self, size: int | None = -1) -> bytes:
        if time.thread_time() > self._until:
            raise OSError(f"it takes more than {MAX_SECONDS} seconds")
        if self._left < 0:
            raise OSError("it asks for the same bytes again and again")
        content = super().read(size)
        self._left -= len(content)
        return content


class BoundedTags(ImageFileDirectory_v2):
    """Tags whose values are not much more than what they lie in, none of them of many numbers.

    Raises: ValueError from `load`.
    """

    def load(self, fp: IO[bytes]) -> None:
        start, end = fp.tell(), fp.seek(0, os.SEEK_END)
        fp.seek(start)
        self._check(fp, end)
        fp.seek(start)
        super().load(fp)

    def _check(self, fp: IO[bytes], end: int) -> None:
        """Look at the list of the tags; what it names beyond the end is not read by anybody."""
        head, entry = ("Q", "HHQ8x") if self._bigtiff else ("H", "HHL4x")
        left, tiled = READ_AGAIN * end, set()
        try:
            (number,) = self._unpack(head, fp.read(struct.calcsize("=" + head)))
            for _ in range(min(number, MAX_TAGS + 1)):
                tag, kind, count = self._unpack(entry, fp.read(struct.calcsize("=" + entry)))
                size = count * self._load_dispatch.get(kind, (0,))[0]
                if size > end:
                    continue
                left -= size
                if left < 0 or number > MAX_TAGS or (kind in NUMBERS and count > MAX_NUMBERS):
                    raise ValueError("its tags hold more than those of a picture")
                if tag in tiled:  # libtiff takes the first, Pillow the last
                    raise ValueError("it tells the size of its tiles twice")
                tiled |= {tag} & {TILEWIDTH, TILELENGTH}
        except struct.error:  # it ends here
            return


def tile_pixels(image: Image.Image) -> int:
    """Of a tile of a TIFF, which may be larger than the picture; 1 without."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(TILEWIDTH, 1) * tags.get(TILELENGTH, 1)


# Pillow has no setting for it, and reads the tags of all formats by this name.
TiffImagePlugin.ImageFileDirectory_v2 = BoundedTags
