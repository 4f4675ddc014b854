"""The one crop that training and the page share: a square around a face, at the network's size.

crop_square(box)            which square of the picture (may reach beyond its edges)
padded_fraction(image, box) how much of that square the picture does not cover
crop_face(image, box, size) the square as (size, size, 3)
"""

import cv2
import numpy as np

from preprocessing.detect import Box

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


def crop_face(image: np.ndarray, box: Box, size: int) -> np.ndarray:
    """Cut a face out of uint8 RGB (H, W, 3) and resize it to uint8 (size, size, 3).

    Where the square leaves the picture, the picture's border pixels are repeated outwards. The
    square shrinks with an area filter, which averages and never aliases; a square smaller than
    `size` is enlarged with a cubic one.
    """
    height, width = image.shape[:2]
    left, top, side = crop_square(box)
    rows = np.arange(top, top + side).clip(0, height - 1)
    columns = np.arange(left, left + side).clip(0, width - 1)
    square = image[np.ix_(rows, columns)]  # (side, side, 3)
    method = cv2.INTER_AREA if side >= size else cv2.INTER_CUBIC
    return cv2.resize(square, (size, size), interpolation=method)
