"""A file that bounds the work of whoever reads it.

The bytes and the pixels of a picture do not bound the time to decode it: a comment that is put
together piece by piece, thousands of tags that all name the same ten megabytes or thousands of
passes over the same pixels keep a decoder busy for minutes. Decoders ask for their file bit by bit,
so the file is what can stop them.
"""

import io
import os
import time
from pathlib import Path

MAX_SECONDS = 10  # of work, not of waiting for a busy machine; the largest pictures take about two
READ_AGAIN = 8  # times that a file's bytes are given; a good picture is read once or twice
SOME = 1 << 20  # bytes that are given of the smallest file


class BoundedFile(io.BufferedReader):
    """A file to read whose `read` fails once that has taken too much of this thread's time.

    Raises: OSError from `read` and when the file cannot be opened.
    """

    def __init__(self, path: Path):
        super().__init__(io.FileIO(path))
        self._until = time.thread_time() + MAX_SECONDS
        self._left = READ_AGAIN * os.fstat(self.fileno()).st_size + SOME

    def read(self, size: int | None = -1) -> bytes:
        if time.thread_time() > self._until:
            raise OSError(f"it takes more than {MAX_SECONDS} seconds")
        if self._left < 0:
            raise OSError("it asks for the same bytes again and again")
        content = super().read(size)
        self._left -= len(content)
        return content
