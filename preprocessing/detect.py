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
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

DETECTORS = ("haar", "yunet")
MAX_PIXELS = 2_000_000  # larger pictures are reduced to this before detection: about 0.5 s at most

CASCADE = cv2.data.haarcascades + "haarcascade_frontalface_default.xml"
WINDOW = 24  # the side of the cascade's window: no smaller face can be found
SCALE_STEP, NEIGHBOURS = 1.15, 3  # against 1.1 and 5: a quarter faster, 10 of 138 drawn faces more
MIN_DISTANCE = 1.3  # between the centres of two faces, in sides of the larger box
LOWER_COSTS = 0.4  # score that a box loses for lying one box side lower
MIN_SCORE = 3.0  # 1 to 3 % of true faces in photographs score lower, most false boxes do

YUNET = str(Path(__file__).with_name("yunet") / "model.onnx")
YUNET_WINDOW = 16  # it finds 40 of 49 faces that are 16 pixels wide, 17 of 12 pixels
YUNET_LARGE = 640  # it loses faces wider than 500 pixels, which only a larger picture can hold
YUNET_SMALL = 320  # the shorter side of the second copy in which those are looked for
YUNET_ENLARGED = 192  # drawn faces need pixels: smaller pictures are searched at up to twice their
# size, which finds 8 more of 138 in docs/dataset.md
YUNET_SCORE = 0.65  # photographs need less; drawn pictures have false boxes up to here
YUNET_LEAST = 64  # the shorter side of what it sees: below, OpenCV 4.14 invents boxes
YUNET_AGAIN = 100  # pixels of a tilted face when its points are looked for again
YUNET_DISTANCE = 0.5  # as MIN_DISTANCE; heads may touch, as it reports nothing beside a face
# The cascade's box from YuNet's, medians of 500 faces that both find (394 in photographs, 106
# drawn): side / sqrt(width height) is 1.07 (standard deviation 6 % in photographs, 12 % drawn);
# the centre lies 0.10 sides below the middle of the eyes, in the head's own direction. The eyes
# give the centre better than the rectangle does: 0.02 against 0.04 sides, drawn 0.03 against 0.08.
YUNET_SIDE = 1.07
YUNET_BELOW_EYES = 0.10
UPRIGHT = math.radians(2)  # a head that is less tilted needs no second look

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


def find_faces(
    image: np.ndarray, min_size: int = 48, detector: str = "haar", enough: int = 0
) -> list[Face]:
    """Find faces at least `min_size` pixels wide; safe to call from any thread.

    A picture beyond MAX_PIXELS is searched in a reduced copy, in which a face must still be WINDOW
    pixels wide (YUNET_WINDOW): in 24 megapixels that is 83 pixels of the original (56). The
    cascade finds heads that are tilted by up to 20 degrees, YuNet those on their side and upside
    down too, and it does not say so: its points then are those of an upright face.

    Args:
        image: uint8 RGB (H, W, 3) or grey (H, W) of any size.
        detector: one of DETECTORS.
        enough: pixels; if the cascade finds faces so wide, none below are looked for. It looks for
            them in a reduced copy, where one face is found two to three times as quickly.

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
    if detector == "yunet":
        faces = by_yunet(image, min_size)
    else:
        faces = by_cascade(image, min_size, enough)
    return sorted(faces, key=lambda face: (-face.box.size, face.box.y, face.box.x))


def resized(image: np.ndarray, scale: float) -> tuple[np.ndarray, float]:
    """A copy of another size, and the scale by which its boxes are divided to stay inside."""
    if scale == 1:
        return image, scale
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    copy = cv2.resize(image, size, interpolation=method)
    return copy, max(size[0] / width, size[1] / height)


def largest_scale(image: np.ndarray) -> float:
    """How much of its size a picture keeps when it is searched: 1 up to MAX_PIXELS."""
    return min(1.0, math.sqrt(MAX_PIXELS / (image.shape[0] * image.shape[1])))


def cascade() -> cv2.CascadeClassifier:
    """This thread's classifier: one is not safe to share, and loading takes 7 ms."""
    if not hasattr(_local, "cascade"):
        _local.cascade = cv2.CascadeClassifier(CASCADE)
    return _local.cascade


def let_detectors_go() -> None:
    """Free this thread's; each keeps what the largest picture took, up to hundreds of megabytes."""
    vars(_local).clear()


def by_cascade(image: np.ndarray, min_size: int, enough: int = 0) -> list[Face]:
    """Frontal faces in RGB (H, W, 3), in any order."""
    scale = largest_scale(image)
    if scale * min(image.shape[:2]) < WINDOW:
        return []
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if enough * scale > WINDOW:  # in a copy where such a face just fills the window
        faces = seen_by_cascade(grey, WINDOW / enough, enough)
        if len(faces) > 1:  # a group, in which the copy may have lost some
            faces = seen_by_cascade(grey, scale, enough)
        if faces:
            return faces
    return seen_by_cascade(grey, scale, min_size)


def seen_by_cascade(grey: np.ndarray, scale: float, min_size: int) -> list[Face]:
    """What the cascade reports of a picture (H, W) at another size, cleaned."""
    grey, scale = resized(grey, scale)
    smallest = max(WINDOW, round(min_size * scale))
    boxes, _, scores = cascade().detectMultiScale3(
        grey,
        scaleFactor=SCALE_STEP,
        minNeighbors=NEIGHBOURS,
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
    side = min(image.shape[:2])
    scale = largest_scale(image) * min(2.0, max(1.0, YUNET_ENLARGED / side))
    if scale * side < YUNET_WINDOW:
        return []
    scales = [scale] if scale * side <= YUNET_LARGE else [scale, YUNET_SMALL / side]
    found = [face for scale in scales for face in seen_by_network(image, scale)]
    best_first = sorted(found, key=lambda face: (face.score, face.box), reverse=True)
    faces = [face for face in apart(best_first, YUNET_DISTANCE) if face.box.size >= min_size]
    return [face if abs(tilt(face.points)) < UPRIGHT else seen_again(image, face) for face in faces]


def seen_by_network(image: np.ndarray, scale: float) -> list[Face]:
    """What the network reports of a copy of that scale."""
    copy, scale = resized(image, scale)
    lacks = [max(0, YUNET_LEAST - side) for side in copy.shape[:2]]
    copy = cv2.copyMakeBorder(copy, 0, lacks[0], 0, lacks[1], cv2.BORDER_REPLICATE)
    net = network()
    net.setInputSize((copy.shape[1], copy.shape[0]))
    _, rows = net.detect(cv2.cvtColor(copy, cv2.COLOR_RGB2BGR))
    return [] if rows is None else [framed(row[:14] / scale, float(row[14])) for row in rows]


def seen_again(image: np.ndarray, face: Face) -> Face:
    """A tilted face with its points from a copy in which it is upright.

    The network draws tilted faces too level: of 20 degrees, the line between the eyes has 10 and
    the line from the eyes to the mouth 16 (medians of 38 photographs). After a turn by the latter
    it has 20, between 14 and 25 in nine of ten.
    """
    x, y, size = face.box
    left, top = max(0, x - size // 2), max(0, y - size // 2)
    around = image[top : y + 3 * size // 2, left : x + 3 * size // 2]
    around, scale = resized(around, min(1.0, YUNET_AGAIN / size))
    box = Box(*(round(v * scale) for v in (x - left, y - top, size)))
    middle = (box.x + box.size / 2, box.y + box.size / 2)
    turn = cv2.getRotationMatrix2D(middle, math.degrees(tilt(face.points)), 1)
    upright = cv2.warpAffine(around, turn, around.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    same = [other for other in seen_by_network(upright, 1) if distance(other.box, box) < 0.5]
    if not same:
        return face
    back = cv2.invertAffineTransform(turn)
    points = (np.array(same[0].points) @ back[:, :2].T + back[:, 2]) / scale + (left, top)
    return face._replace(points=as_tuples(points))


def framed(row: np.ndarray, score: float) -> Face:
    """A face from YuNet's left, top, width, height and five points (14,), as the cascade frames it.

    "Below" is the direction of the head, which may be tilted.
    """
    width, height = row[2:4]
    points = row[4:].reshape(5, 2).astype(float)
    turn = tilt(points)
    side = YUNET_SIDE * math.sqrt(width * height)
    down = np.array([-math.sin(turn), math.cos(turn)])
    x, y = points[:2].mean(axis=0) + YUNET_BELOW_EYES * side * down - side / 2
    box = Box(round(x), round(y), round(side))
    return Face(box, as_tuples(points), score)


def as_tuples(points: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Points (N, 2) to a tenth of a pixel."""
    return tuple(map(tuple, points.round(1).tolist()))


def tilt(points: Sequence[Sequence[float]]) -> float:
    """The angle of a head in radians, clockwise in the picture, from its eyes to its mouth."""
    points = np.array(points)
    x, y = points[3:5].sum(axis=0) - points[:2].sum(axis=0)
    return math.atan2(-x, y)


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
