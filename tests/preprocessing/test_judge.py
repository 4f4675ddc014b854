"""Scores order what an eye orders: known blurs, lights and turns of real faces."""

import cv2
import numpy as np
import pytest
from skimage import data

from preprocessing.crop import crop_face
from preprocessing.detect import Box, Face, find_faces
from preprocessing.judge import Limits, describe, judge, picture_hash, too_bad

# As YuNet gives them: eyes, nose and corners of the mouth of a face towards the camera.
FRONTAL = ((30.0, 40.0), (70.0, 40.0), (50.0, 63.0), (35.0, 80.0), (65.0, 80.0))


@pytest.fixture(scope="module")
def crops():
    """One real face at three sizes."""
    image = data.astronaut()
    face = find_faces(image)[0]
    return {size: crop_face(image, face, size) for size in (64, 96, 128)}


@pytest.fixture(scope="module")
def crop(crops):
    return crops[64]


def scores(crop, points=None):
    return judge(Face(Box(0, 0, 90), points, 1.0), crop)


def sharpness(crop):
    return scores(crop)["sharpness"]


def moved(crop, length, angle):
    """Blur by a straight motion of `length` pixels at `angle` degrees."""
    kernel = np.zeros((15, 15), np.float32)
    for step in np.linspace(-length / 2, length / 2, 101):
        x, y = step * np.cos(np.radians(angle)), step * np.sin(np.radians(angle))
        kernel[round(7 + y), round(7 + x)] += 1 / 101
    return cv2.filter2D(crop, -1, kernel, borderType=cv2.BORDER_REPLICATE)


def reduced(crop, factor):
    size = len(crop)
    small = cv2.resize(crop, (size // factor, size // factor), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)


def noisy(crop, sigma):
    noise = np.random.default_rng(0).normal(0, sigma, crop.shape)
    return (crop + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "blur",
    [
        lambda crop, much: cv2.GaussianBlur(crop, (0, 0), much),
        lambda crop, much: moved(crop, 4 * much, 0),
        lambda crop, much: moved(crop, 4 * much, 90),
        lambda crop, much: moved(crop, 4 * much, 30),
        lambda crop, much: reduced(crop, round(2 * much)),
    ],
    ids=["gaussian", "motion across", "motion down", "motion aslant", "enlarged"],
)
def test_more_blur_is_less_sharp_and_much_of_it_is_refused(crop, blur):
    much = [sharpness(crop)] + [sharpness(blur(crop, much)) for much in (1, 1.5, 2)]
    assert much == sorted(much, reverse=True) and len(set(much)) == 4
    assert too_bad(scores(crop)) is None
    assert too_bad(scores(blur(crop, 2))) == "blurred"


@pytest.mark.parametrize("sigma", [1.5, 2, 3])
def test_the_unit_is_one_over_the_blur_in_pixels(sigma):
    """Four squares, so that edges run down and across, blurred by a known Gaussian."""
    squares = np.zeros((96, 96, 3), np.uint8)
    squares[:48, 48:] = squares[48:, :48] = 200
    blurred = cv2.GaussianBlur(squares, (0, 0), sigma)
    assert sharpness(blurred) == pytest.approx((1 / 2 + sigma**2) ** -0.5, rel=0.1)


def test_sharpness_knows_no_size(crops):
    """The same face is as sharp at 64 pixels as at 128, unlike its variance of the Laplacian."""
    assert sharpness(crops[64]) == pytest.approx(sharpness(crops[96]), rel=0.15)
    assert sharpness(crops[64]) == pytest.approx(sharpness(crops[128]), rel=0.25)


def test_noise_is_not_sharpness(crop):
    blurred = cv2.GaussianBlur(crop, (0, 0), 2)
    assert too_bad(scores(noisy(blurred, 5))) == "blurred"
    assert sharpness(noisy(blurred, 10)) < sharpness(crop)


def test_borders_and_backgrounds_have_no_say(crop):
    """A sharp chessboard around a blurred face, stripes as of a repeated border beside it."""
    blurred = cv2.GaussianBlur(crop, (0, 0), 2)
    framed = blurred.copy()
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    for part in (np.s_[:5], np.s_[-2:], np.s_[:, :6], np.s_[:, -6:]):
        framed[part] = board[part][..., None]
    assert scores(framed) == scores(blurred)
    striped = crop.copy()
    striped[:, :6] = striped[:, 6:7]
    assert scores(striped) == scores(crop)


def test_light_and_contrast_leave_sharpness_alone(crop):
    assert sharpness(crop // 3 + 80) == pytest.approx(sharpness(crop), rel=0.05)


def test_a_plain_picture_is_not_sharp():
    assert too_bad(scores(np.full((64, 64, 3), 128, np.uint8))) == "blurred"


def test_exposure_by_hand_and_its_reasons(crop):
    """A face half 51 and half 153 lies at 102 of 255."""
    half = np.full((64, 64, 3), 51, np.uint8)
    half[:, 32:] = 153
    assert scores(half)["exposure"] == pytest.approx(0.4)
    assert too_bad(scores(crop // 6)) == "too dark"
    assert too_bad(scores(255 - (255 - crop) // 8)) == "too light"


def test_a_dark_skin_is_not_too_dark(crop):
    """Skin at a third of its light with highlights as before, as dark faces have in good light."""
    light = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None] / 255
    dark = (crop * (0.3 + 0.7 * light**4)).astype(np.uint8)
    assert dark.mean() < 0.6 * crop.mean() and too_bad(scores(dark)) is None


def test_frontal_without_points_is_not_judged(crop):
    assert "frontal" not in scores(crop) and too_bad(scores(crop)) is None


def turned(degrees):
    """FRONTAL on a head turned about its neck, whose nose stands out by 0.4 eye distances of 40."""
    angle = np.radians(degrees)
    depth = (0, 0, 16, 0, 0)
    return tuple(
        (50 + (x - 50) * np.cos(angle) + z * np.sin(angle), y)
        for (x, y), z in zip(FRONTAL, depth, strict=True)
    )


@pytest.mark.parametrize("degrees", [-80, -45, 0, 20, 60, 90])
def test_frontal_is_the_turn_of_the_head(crop, degrees):
    frontal = scores(crop, turned(degrees))["frontal"]
    assert frontal == pytest.approx(1 - abs(degrees) / 90, abs=1e-3)
    assert (too_bad(scores(crop, turned(degrees))) == "turned away") == (abs(degrees) > 54)


def test_a_head_that_leans_to_a_shoulder_is_frontal(crop):
    c, s = np.cos(0.6), np.sin(0.6)
    leaning = tuple((c * x - s * y, s * x + c * y) for x, y in FRONTAL)
    assert scores(crop, leaning)["frontal"] == pytest.approx(1)


def test_limits_are_the_callers(crop):
    assert too_bad(scores(crop), Limits(min_sharpness=5)) == "blurred"
    blurred = cv2.GaussianBlur(crop, (0, 0), 2)
    assert too_bad(scores(blurred), Limits(min_sharpness=0)) is None


def bits(a, b):
    return (int(a, 16) ^ int(b, 16)).bit_count()


def test_hash_of_near_copies_is_near(crop, crops):
    jpeg = cv2.imdecode(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], 1)
    near = [crop // 2, crop // 2 + 100, jpeg, noisy(crop, 5), crops[128]]
    assert max(bits(picture_hash(crop), picture_hash(other)) for other in near) <= 4
    assert bits(picture_hash(crop), picture_hash(crop[::-1])) > 16
    assert len(picture_hash(crop)) == 16


def test_hash_of_a_mirrored_picture_has_the_odd_waves_turned(crop):
    assert bits(picture_hash(crop), picture_hash(crop[:, ::-1])) > 16
    mirrored = int(picture_hash(crop[:, ::-1]), 16) ^ 0xAAAAAAAAAAAAAAAA
    assert (int(picture_hash(crop), 16) ^ mirrored).bit_count() <= 2


def test_description_is_near_for_a_small_change_and_far_for_another_picture(crop, crops):
    here = describe(crop)
    assert here.dtype == np.float32 and here.shape == (192,)
    near = max(np.linalg.norm(here - describe(other)) for other in (noisy(crop, 5), crops[96]))
    assert near < 0.2 < np.linalg.norm(here - describe(crop[:, :, ::-1]))  # red is blue
    assert np.linalg.norm(here - describe(crop[::-1])) > 0.4
    assert np.isfinite(describe(np.zeros((64, 64, 3), np.uint8))).all()
