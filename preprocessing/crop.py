"""The one crop that training and the page share: a square around a face, at the network's size.

crop_square(box)             which square of the picture (may reach beyond its edges)
padded_fraction(image, box)  how much of that square the picture does not cover
crop_face(image, face, size) the square as (size, size, 3), the eyes level if that is asked for
union(faces)                 one box round several faces
"""

import math

import cv2
import numpy as np

from preprocessing.detect import Box, Face, tilt

MARGIN = 1.45  # side of the crop in sides of the box: hair, chin and ears fit in
LIFT = 0.04  # the crop's centre lies this much of the box's side above the box's centre


def crop_square(box: Box) -> Box:
    """The square to cut for a face's box, in whole pixels; it may leave the picture."""
    side = max(1, round(MARGIN * box.size))
    left = round(box.x + box.size / 2 - side / 2)
    top = round(box.y + box.size / 2 - LIFT * box.size - side / 2)
    return Box(left, top, side)


def padded_fraction(image: np.ndarray, box: Box) -> float:
    """The part of the crop's area, 0 to 1, that lies outside the picture (H, W, 3)."""
    height, width = image.shape[:2]
    left, top, side = crop_square(box)
    inside_x = max(0, min(left + side, width) - max(left, 0))
    inside_y = max(0, min(top + side, height) - max(top, 0))
    return 1 - inside_x * inside_y / side**2


def union(faces: list[Face]) -> Box:
    """The square round the rectangle that holds the boxes of all faces (one or more)."""
    boxes = [face.box for face in faces]
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    width = max(box.x + box.size for box in boxes) - left
    height = max(box.y + box.size for box in boxes) - top
    side = max(width, height)
    return Box(left - (side - width) // 2, top - (side - height) // 2, side)


def crop_face(image: np.ndarray, face: Face | Box, size: int, *, level: bool = False) -> np.ndarray:
    """Cut a face out of uint8 RGB (H, W, 3) or grey (H, W), as (size, size, 3) or (size, size).

    Where the square leaves the picture, the picture is reflected at its border. The square shrinks
    with an area filter, which averages and never aliases; a square smaller than `size` is enlarged
    with a cubic one. If `level`, the square turns about the centre of the face's box until the head
    is upright, the line between the eyes level.

    Raises:
        ValueError: `level` is asked for a face without points.
    """
    square = levelled(image, face) if level else part(image, *square_of(face))
    method = cv2.INTER_AREA if len(square) >= size else cv2.INTER_CUBIC
    crop = cv2.resize(square, (size, size), interpolation=method)
    return crop.reshape(size, size, *image.shape[2:])  # one channel stays one


def square_of(face: Face | Box) -> tuple[int, int, int, int]:
    """Left, top, width and height of a face's crop."""
    left, top, side = crop_square(face.box if isinstance(face, Face) else face)
    return left, top, side, side


def part(image: np.ndarray, left: int, top: int, width: int, height: int) -> np.ndarray:
    """A rectangle of a picture that is continued beyond its border as a mirror shows it."""
    rows = mirrored(np.arange(top, top + height), image.shape[0])
    columns = mirrored(np.arange(left, left + width), image.shape[1])
    return image[np.ix_(rows, columns)]


def mirrored(index: np.ndarray, length: int) -> np.ndarray:
    """Any indices as those of `length` pixels run through back and forth: -1 is 1, not 0."""
    period = max(1, 2 * (length - 1))
    index = index % period
    return np.minimum(index, period - index)


def levelled(image: np.ndarray, face: Face | Box) -> np.ndarray:
    """The square of a face (side, side, ...) after a turn about the centre of its box.

    It has the picture's own scale: nothing is lost before the area filter.
    """
    if not isinstance(face, Face) or face.points is None:
        raise ValueError("levelling needs the points of a face, which only YuNet gives")
    angle = tilt(face.points)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    centre = np.array(face.box[:2]) + face.box.size / 2
    left, top, side = crop_square(face.box)

    # Pixel centres lie at halves: pixel (i, j) of the square shows the point start + turn (i, j).
    start = centre + turn @ (np.array([left, top]) + 0.5 - centre) - 0.5
    corners = start + np.array([[0, 0], [0, side], [side, 0], [side, side]]) @ turn.T
    low = np.floor(corners.min(axis=0)).astype(int) - 2  # cubic looks two pixels further
    width, height = np.ceil(corners.max(axis=0)).astype(int) + 3 - low
    around = part(image, *low, width, height)
    warp = np.column_stack([turn, start - low])
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(around, warp, (side, side), flags=how)
