"""Frames of a film, in order.

    with Film(path) as film:
        for frame in film.frames(every=1.0): ...

OpenCV's seeking is inexact, so a film is read from its beginning; a frame that is not taken is
decoded and no more. `Shots` tells where the camera changes, among the frames that are taken.
"""

import math
import os
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from preprocessing.read import MAX_PIXELS

FILMS = (".mp4", ".m4v", ".mkv", ".webm", ".mov", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv")
FILMS += (".3gp", ".vob")
EARLY = 1.0  # seconds that may be missing at the end of a film; its own length is not that exact
CUT = 0.5  # part of the pixels whose colour changes its place in the histogram, see `Shots`
# A playlist names other files and addresses, so only true films are opened. The decoder's own words
# are not for us.
CONTAINERS = "mov,matroska,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg"
OPTIONS = {
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": f"protocol_whitelist;file|format_whitelist;{CONTAINERS}",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
}


class Frame(NamedTuple):
    """A frame that is taken: its place in the film from 0, its time in seconds, RGB (H, W, 3)."""

    index: int
    time: float
    image: np.ndarray


class Shots:
    """Counts the shots among the frames it is shown, by their histograms of colour."""

    def __init__(self):
        self.last = None
        self.num_frames = 0  # of this shot, so far

    def add(self, image: np.ndarray) -> None:
        """Show the next frame, uint8 (H, W, 3)."""
        small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
        counts = cv2.calcHist([small], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3) / 64**2
        is_cut = self.last is None or np.abs(counts - self.last).sum() / 2 > CUT
        self.num_frames = 1 if is_cut else self.num_frames + 1
        self.last = counts


class Film:
    """A film file that is open.

    `seconds` is its length as the file tells it, 0 if it does not; `frame_bytes` what a frame
    takes. `end` is the time up to which it was read.

    Raises: ValueError that starts with the file's name and says why there is nothing to see.
    """

    def __init__(self, path: str):
        for name, value in OPTIONS.items():
            os.environ.setdefault(name, value)
        cv2.utils.logging.setLogLevel(0)
        self.name = os.path.basename(path)
        try:
            with open(path, "rb"):
                pass
        except OSError as e:
            raise ValueError(f"{self.name} cannot be opened ({e.strerror})") from e
        # As bytes, for names that are no UTF-8; the full path is no address of something else.
        self.capture = cv2.VideoCapture(os.fsencode(os.path.abspath(path)), cv2.CAP_FFMPEG)
        self.fps = self.capture.get(cv2.CAP_PROP_FPS)
        if not (self.capture.isOpened() and math.isfinite(self.fps) and self.fps > 0):
            raise ValueError(f"{self.name} is no film that can be read; make an MP4 of it")
        width, height = map(self.capture.get, (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > MAX_PIXELS:
            raise ValueError(f"{self.name} has more than {MAX_PIXELS // 1_000_000} million pixels")
        self.frame_bytes = max(1, int(width * height * 3))
        self.seconds = max(0.0, self.capture.get(cv2.CAP_PROP_FRAME_COUNT) / self.fps)
        self.end = 0.0

    def __enter__(self) -> "Film":
        return self

    def __exit__(self, *_: object) -> None:
        self.capture.release()

    def frames(self, every: float, per_shot: int = 0, skip: int = 0) -> Iterator[Frame | None]:
        """The first frame of every time step of `every` seconds.

        Of a shot at most `per_shot` are taken, if that is not 0. The first `skip` frames that are
        taken come as None, which is quicker; they were seen before.
        """
        shots, due, index, taken = Shots(), 0.0, -1, 0
        while self.capture.grab():
            index += 1
            self.end = self._time(index)
            if self.end < due - 1e-6:
                continue
            due = (math.floor(self.end / every + 1e-6) + 1) * every
            if taken < skip and not per_shot:
                taken += 1
                yield None
                continue
            good, image = self.capture.retrieve()
            if not good:
                continue
            image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            shots.add(image)
            if per_shot and shots.num_frames > per_shot:
                continue
            taken += 1
            yield None if taken <= skip else Frame(index, round(self.end, 3), image)

    def _time(self, index: int) -> float:
        """Of the frame just read, in seconds from the first; it grows whatever the file says."""
        time = self.capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if index == 0:
            self.start = time
            return 0.0
        time -= self.start
        return time if time > self.end else self.end + 1 / self.fps

    def word(self) -> str | None:
        """What to tell of a film that was read: that it has ended too early, or None."""
        if self.seconds - self.end - 1 / self.fps <= max(EARLY, 0.02 * self.seconds):
            return None
        return (
            f"{self.name} ends early, at {clock(self.end)} of {clock(self.seconds)}; "
            f"what comes before is used"
        )


def clock(seconds: float) -> str:
    """As a player shows it: 0:07, 1:02:03."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
