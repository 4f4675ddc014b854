"""Faces in a picture, by one of two detectors that OpenCV runs.

    find_faces(image, min_size, detector)   uint8 RGB (H, W, 3) -> list[Face], largest first

"haar" is the frontal cascade that comes inside the OpenCV wheel. It reports a second box in 4 % of
portraits: the same face misplaced, or a collar, a tie, a flag, and one time in five the false box
is the larger one. Its own score tells them apart nearly always, so its boxes are cleaned here:

    - of boxes too close to be two faces, the best-scored one stays; collars lie below their
      faces, so a lower box must score a little more than a higher one;
    - the best-scored box of a picture is believed at any score, every other one from MIN_SCORE on.

A lone box is thus always kept: among 2800 portraits none was false, at scores down to 0.5, and
drawn faces score low. Heads that touch lose one of the two boxes; that is the price.

"yunet" is a small network (preprocessing/yunet). It also knows tilted, turned and drawn faces and
gives five points of each. Its rectangle becomes the square that the cascade would have given, so
that both detectors crop a face alike.

References: Viola and Jones 2001, with haarcascade_frontalface_default.xml by Rainer Lienhart;
Wu, Peng and Yu 2023, "YuNet: a tiny millisecond-level face detector".
"""

import math
import threading
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

DETECTORS = ("haar", "yunet")
MAX_PIXELS = 2_000_000  # larger pictures are reduced to this before detection: about 0.5 s at most

CASCADE = cv2.data.haarcascades + "haarcascade_frontalface_default.xml"
WINDOW = 24  # the side of the cascade's window: no smaller face can be found
MIN_DISTANCE = 1.3  # between the centres of two faces, in sides of the larger box
LOWER_COSTS = 0.4  # score that a box loses for lying one box side lower
MIN_SCORE = 3.0  # 1 to 3 % of true faces in photographs score lower, most false boxes do

YUNET = str(Path(__file__).with_name("yunet") / "model.onnx")
YUNET_WINDOW = 16  # it finds 40 of 49 faces that are 16 pixels wide, 17 of 12 pixels
YUNET_LARGE = 640  # it loses faces wider than 500 pixels, which only a larger picture can hold
YUNET_SMALL = 320  # the shorter side of the second copy in which those are looked for
YUNET_SCORE = 0.6
YUNET_SIDE_LEAST = 64  # of what it sees: where 32 pixels are enough, OpenCV 4.14 invents boxes
YUNET_DISTANCE = 0.5  # as MIN_DISTANCE; heads may touch, as it reports nothing beside a face
# The cascade's box from YuNet's, medians of 500 faces that both find (394 in photographs, 106
# drawn): side / sqrt(width height) is 1.07 (standard deviation 6 % in photographs, 12 % drawn);
# the centre lies 0.10 sides below the middle of the eyes, in the head's own direction. The eyes
# give the centre better than the rectangle does: 0.02 against 0.04 sides, drawn 0.03 against 0.08.
YUNET_SIDE = 1.07
YUNET_BELOW_EYES = 0.10

_local = threading.local()


class Box(NamedTuple):
    """A square in pixels of the picture: left edge, top edge, side."""

    x: int
    y: int
    size: int


class Face(NamedTuple):
    """What a detector says of a face.

    `points` are five (x, y) in pixels of the picture, or None from the cascade: the eye on the left
    of the picture, the other eye, the tip of the nose, the left and the right corner of the mouth.
    `score` is the detector's own: 0 to 1 of "yunet", about -5 to 20 of "haar".
    """

    box: Box
    points: tuple[tuple[float, float], ...] | None
    score: float


def find_faces(image: np.ndarray, min_size: int = 48, detector: str = "haar") -> list[Face]:
    """Find upright faces at least `min_size` pixels wide; safe to call from any thread.

    A picture beyond MAX_PIXELS is searched in a reduced copy, in which a face must still be WINDOW
    pixels wide (YUNET_WINDOW): in 24 megapixels that is 83 pixels of the original (56).

    Args:
        image: uint8 RGB (H, W, 3) or grey (H, W) of any size.
        detector: one of DETECTORS.

    Returns:
        Faces with boxes in pixels of `image`, largest first; empty when there is none. Boxes of
        the cascade lie inside the picture, those of YuNet may reach over its edge.

    Raises:
        ValueError: there is no such detector.
    """
    if detector not in DETECTORS:
        raise ValueError(f"detector must be one of {', '.join(DETECTORS)}, got {detector}")
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    faces = by_yunet(image, min_size) if detector == "yunet" else by_cascade(image, min_size)
    return sorted(faces, key=lambda face: (-face.box.size, face.box.y, face.box.x))


def detect_faces(image: np.ndarray, min_size: int = 48) -> list[Box]:
    """The boxes alone of what the cascade finds."""
    return [face.box for face in find_faces(image, min_size)]


def reduced(image: np.ndarray, scale: float) -> tuple[np.ndarray, float]:
    """A smaller copy, and the scale by which its boxes are divided to stay inside `image`."""
    if scale >= 1:
        return image, 1.0
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small, max(size[0] / width, size[1] / height)


def largest_scale(image: np.ndarray) -> float:
    """How much of its size a picture keeps when it is searched, 1 for those of MAX_PIXELS."""
    return min(1.0, math.sqrt(MAX_PIXELS / (image.shape[0] * image.shape[1])))


def cascade() -> cv2.CascadeClassifier:
    """This thread's classifier: one is not safe to share, and loading takes 7 ms."""
    if not hasattr(_local, "cascade"):
        _local.cascade = cv2.CascadeClassifier(CASCADE)
    return _local.cascade


def by_cascade(image: np.ndarray, min_size: int) -> list[Face]:
    """Frontal faces in RGB (H, W, 3), in any order."""
    scale = largest_scale(image)
    if scale * min(image.shape[:2]) < WINDOW:
        return []
    grey, scale = reduced(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), scale)
    smallest = max(WINDOW, round(min_size * scale))
    boxes, _, scores = cascade().detectMultiScale3(
        grey,
        scaleFactor=1.1,
        minNeighbors=5,
        minSize=(smallest, smallest),
        outputRejectLevels=True,
    )
    return clean(
        [
            Face(Box(*(int(v / scale) for v in box[:3])), None, float(score))
            for score, box in zip(np.ravel(scores), boxes, strict=True)
        ]
    )


def clean(found: list[Face]) -> list[Face]:
    """The faces worth believing among the cascade's, best first; see the top of this file."""
    largest = max((face.box.size for face in found), default=0)

    def rank(face: Face) -> tuple:
        x, y, size = face.box
        return face.score - LOWER_COSTS * (y + size / 2) / largest, face.box

    ranked = sorted(found, key=rank, reverse=True)
    believed = ranked[:1] + [face for face in ranked[1:] if face.score >= MIN_SCORE]
    return apart(believed, MIN_DISTANCE)


def network() -> cv2.FaceDetectorYN:
    """This thread's YuNet: one is not safe to share."""
    if not hasattr(_local, "network"):
        _local.network = cv2.FaceDetectorYN.create(YUNET, "", (320, 320), YUNET_SCORE)
    return _local.network


def by_yunet(image: np.ndarray, min_size: int) -> list[Face]:
    """Faces in RGB (H, W, 3), best first."""
    scale, side = largest_scale(image), min(image.shape[:2])
    if scale * side < YUNET_WINDOW:
        return []
    scales = [scale] if scale * side <= YUNET_LARGE else [scale, YUNET_SMALL / side]
    found = [face for scale in scales for face in seen_by_network(image, scale)]
    best_first = sorted(found, key=lambda face: (face.score, face.box), reverse=True)
    return [face for face in apart(best_first, YUNET_DISTANCE) if face.box.size >= min_size]


def seen_by_network(image: np.ndarray, scale: float) -> list[Face]:
    """What the network reports of a picture that is reduced first."""
    small, scale = reduced(image, scale)
    lacks = [max(0, YUNET_SIDE_LEAST - side) for side in small.shape[:2]]
    small = cv2.copyMakeBorder(small, 0, lacks[0], 0, lacks[1], cv2.BORDER_REPLICATE)
    net = network()
    net.setInputSize((small.shape[1], small.shape[0]))
    _, rows = net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    return [] if rows is None else [framed(row[:14] / scale, float(row[14])) for row in rows]


def framed(row: np.ndarray, score: float) -> Face:
    """A face from YuNet's left, top, width, height and five points (14,), as the cascade frames it.

    "Below" is the direction of the head, which may be tilted.
    """
    width, height = row[2:4]
    points = row[4:].reshape(5, 2).astype(float)
    across = points[1] - points[0]
    roll = math.atan2(across[1], across[0])
    side = YUNET_SIDE * math.sqrt(width * height)
    down = np.array([-math.sin(roll), math.cos(roll)])
    x, y = points[:2].mean(axis=0) + YUNET_BELOW_EYES * side * down - side / 2
    box = Box(round(x), round(y), round(side))
    return Face(box, tuple(map(tuple, points.round(1).tolist())), score)


def apart(best_first: list[Face], min_distance: float) -> list[Face]:
    """The faces that are not too close to a better one."""
    faces: list[Face] = []
    for face in best_first:
        if all(distance(face.box, other.box) >= min_distance for other in faces):
            faces.append(face)
    return faces


def distance(a: Box, b: Box) -> float:
    """Distance of two boxes' centres in sides of the larger box."""
    dx = a.x + a.size / 2 - b.x - b.size / 2
    dy = a.y + a.size / 2 - b.y - b.size / 2
    return math.hypot(dx, dy) / max(a.size, b.size)
