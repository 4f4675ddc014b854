"""What one face is worth to a dataset: scores to sort by and to refuse by, and what others compare.

    judge(face, crop)      {"size": ..., "sharpness": ..., "exposure": ..., "frontal": ...}
    too_bad(scores)        the reason to refuse a face, or None
    picture_hash(crop)     64 bits; near copies differ in few of them
    describe(crop)         192 numbers; pictures of one person in one scene lie close together

    size         side of the box in pixels of the picture
    sharpness    1 / sqrt(1/2 + blur^2), where blur is the sigma in pixels of the crop with which a
                 Gaussian makes its strongest edges out of ideal ones, in the softest direction
    exposure     middle of the face's darkest and lightest 5 %, 0 black to 1 white
    frontal      1 looks at the camera, 0 is in profile; missing without the five points

Only the middle of the crop counts, where the face is: what fills a crop beyond the picture has no
say, nor has a background. A dark skin is no dark picture: its highlights, eyes and teeth are light,
so the exposure looks at both ends. At 64 pixels the limits refuse none of 2900 portraits.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

from preprocessing.detect import Face

CENTRE, HALF_AXES = (0.5, 0.52), (0.32, 0.36)  # the ellipse of the face, in sides of the crop
NOSE = 0.4  # how far the nose stands out of the plane of eyes and mouth, in distances of the eyes
HASH_SIDE = 32  # pixels that the hash looks at
COLOUR = 0.2  # weight of the colours in a description; with less, two drawn characters look alike


class Limits(NamedTuple):
    """Beyond these a face is refused."""

    min_sharpness: float = 0.82  # a blur of 1 pixel
    min_exposure: float = 0.12
    max_exposure: float = 0.9
    min_frontal: float = 0.4  # turned by 54 degrees


LIMITS = Limits()


def judge(face: Face, crop: np.ndarray) -> dict[str, float]:
    """The scores of a face, whose crop is uint8 RGB (size, size, 3); see the top of this file."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    scores = {"size": face.box.size, "sharpness": sharpness(grey), "exposure": exposure(grey)}
    if face.points is not None:
        scores["frontal"] = frontal(face.points)
    return {name: round(score, 3) for name, score in scores.items()}


def too_bad(scores: dict[str, float], limits: Limits = LIMITS) -> str | None:
    """Why a face should not be kept; None if it is good enough. What is not judged is good."""
    if scores["sharpness"] < limits.min_sharpness:
        return "blurred"
    if scores["exposure"] < limits.min_exposure:
        return "too dark"
    if scores["exposure"] > limits.max_exposure:
        return "too light"
    if scores.get("frontal", 1) < limits.min_frontal:
        return "turned away"
    return None


def face_mask(size: int) -> np.ndarray:
    """bool (size, size): where the face of a crop is."""
    x, y = ((np.arange(size) + 0.5) / size - c for c in CENTRE)
    return (x / HALF_AXES[0]) ** 2 + (y[:, None] / HALF_AXES[1]) ** 2 < 1


def sharpness(grey: np.ndarray) -> float:
    """Of uint8 (size, size), 0 to about 1.4; see the top of this file.

    A further blur of 1 pixel makes the slopes of an edge of blur s flatter: the factor r that
    brings the flat ones nearest to those before is r^2 = 1 + 1 / (2 s^2 + 1). Strong edges weigh
    most in it, and most noise cancels. It is taken along four directions, as motion blurs along
    one only.

    Reference: Zhuo and Sim 2011, "Defocus map estimation from a single image", Sec. 3.
    """
    before = grey.astype(np.float32)
    after = cv2.GaussianBlur(before, (0, 0), 1)
    mask = face_mask(len(grey))[1:-1, 1:-1]
    factors = []
    for steep, flat in zip(slopes(before), slopes(after), strict=True):
        steep, flat = steep[mask], flat[mask]
        factors.append((flat * steep).sum() / max((flat * flat).sum(), 1e-9))
    return math.sqrt(2 * max(min(factors) ** 2 - 1, 0))


def slopes(image: np.ndarray) -> list[np.ndarray]:
    """Steps from each pixel to four neighbours: right, down and the lower two; (H - 2, W - 2)."""
    middle = image[1:-1, 1:-1]
    neighbours = image[1:-1, 2:], image[2:, 1:-1], image[2:, 2:], image[2:, :-2]
    return [other - middle for other in neighbours]


def exposure(grey: np.ndarray) -> float:
    """Middle of the 5th and the 95th percentile of a face's grey, 0 to 1."""
    return float(np.percentile(grey[face_mask(len(grey))], (5, 95)).mean()) / 255


def frontal(points: tuple) -> float:
    """1 for a face towards the camera, 0 in profile, by how far the nose leaves the middle line.

    The line runs from between the eyes to the middle of the mouth, so a head that leans to a
    shoulder stays frontal.
    """
    left_eye, right_eye, nose, left_mouth, right_mouth = np.asarray(points, float)
    top, bottom = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    (dx, dy), (x, y) = bottom - top, nose - top
    off_line = abs(x * dy - y * dx) / max(math.hypot(dx, dy), 1e-9)
    eyes = math.dist(left_eye, right_eye)  # a turned head brings them together
    return 1 - math.atan2(off_line, NOSE * eyes) / (math.pi / 2)


def picture_hash(crop: np.ndarray) -> str:
    """Signs of 8 x 8 waves in uint8 RGB (size, size, 3) as 16 hex digits.

    The waves have 1 to 8 half periods down and across. Light, contrast, size and JPEG leave the
    signs nearly alone; `groups.near_duplicates` says how many may differ. A mirrored picture has
    the opposite signs of the odd waves across.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, (HASH_SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA)
    waves = cv2.dct(grey.astype(np.float32))[1:9, 1:9]
    return np.packbits(waves > 0).tobytes().hex()


def describe(crop: np.ndarray) -> np.ndarray:
    """Outlines and colours of a crop uint8 (size, size, 3) as float32 (192,).

    Histograms of edge directions over 16-pixel cells of a 64-pixel copy, 144 numbers of length 1,
    and the mean Lab colours of 4 x 4 fields. It knows the sitting (hair, light, clothes, pose) and
    not the person: `groups.people` says how well that works.

    Reference: Dalal and Triggs 2005, "Histograms of oriented gradients for human detection".
    """
    small = cv2.resize(crop, (64, 64), interpolation=cv2.INTER_AREA)
    outlines = cv2.HOGDescriptor((64, 64), (32, 32), (32, 32), (16, 16), 9).compute(small)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) / 50
    colours = cv2.resize(lab, (4, 4), interpolation=cv2.INTER_AREA)
    outlines = outlines / max(np.linalg.norm(outlines), 1e-9)
    return np.concatenate([outlines.ravel(), COLOUR * colours.ravel()])
