"""The shared crop: where it lies, what fills it beyond the picture, how it is resized."""

import math

import cv2
import numpy as np
import pytest

from preprocessing.crop import crop_face, crop_square, padded_fraction, union
from preprocessing.detect import Box, Face


def test_square_is_larger_than_the_box_and_sits_higher():
    """Box 100 at (50, 60): side 145, centre (100, 110) moved up by 4, so the corner is
    (100 - 72.5, 106 - 72.5) = (27.5, 33.5), in whole pixels (28, 34)."""
    assert crop_square(Box(50, 60, 100)) == Box(28, 34, 145)


def test_crop_of_equal_size_is_a_copy():
    """A box of 20 gives a square of 29; at size 29 nothing is resampled."""
    image = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    left, top, side = crop_square(Box(30, 25, 20))
    assert side == 29
    expected = image[top : top + 29, left : left + 29]
    np.testing.assert_array_equal(crop_face(image, Box(30, 25, 20), 29), expected)


def test_shrinking_averages_areas():
    """A square of 58 pixels, black and white pixel by pixel, is mid-grey everywhere at 29."""
    image = np.indices((100, 100)).sum(axis=0)[..., None].repeat(3, axis=2) % 2 * 255
    crop = crop_face(image.astype(np.uint8), Box(30, 30, 40), 29)
    assert np.abs(crop.astype(int) - 127.5).max() <= 1


def test_the_picture_is_reflected_at_its_border():
    """A box in the left upper corner: row -1 is row 1, row -2 is row 2; and so at the other end."""
    image = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    box = Box(0, 0, 20)
    left, top, side = crop_square(box)
    crop = crop_face(image, box, side)
    assert (left, top, side) == (-4, -5, 29)  # 10 - 14.5 and 10 - 0.8 - 14.5, rounded
    np.testing.assert_array_equal(crop[5:, 4:], image[:24, :25])
    np.testing.assert_array_equal(crop[:5, 4:], image[5:0:-1, :25])
    np.testing.assert_array_equal(crop[5:, :4], image[:24, 4:0:-1])
    corner = crop_face(image, Box(50, 50, 20), 29)  # its square (46, 45, 29) ends at 75 and 74
    np.testing.assert_array_equal(corner[:15, :14], image[45:, 46:])
    np.testing.assert_array_equal(corner[15:, :14], image[58:44:-1, 46:])
    np.testing.assert_array_equal(corner[:15, 14:], image[45:, 58:43:-1])


def test_a_crop_larger_than_the_picture_is_reflected_again_and_again():
    """As OpenCV's BORDER_REFLECT_101 does."""
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    left, top, side = crop_square(Box(-10, -12, 40))
    border = (-top, side + top - 5, -left, side + left - 7)
    expected = cv2.copyMakeBorder(image, *border, cv2.BORDER_REFLECT_101)
    np.testing.assert_array_equal(crop_face(image, Box(-10, -12, 40), side), expected)


def test_padded_fraction_by_hand():
    """Square (-4, -5, 29) shows 25 x 24 of its 841 pixels; far inside it shows all."""
    image = np.zeros((60, 60, 3), np.uint8)
    assert padded_fraction(image, Box(0, 0, 20)) == pytest.approx(1 - 25 * 24 / 841)
    assert padded_fraction(image, Box(20, 20, 20)) == 0
    assert padded_fraction(image, Box(500, 500, 20)) == 1


@pytest.mark.parametrize("box", [Box(0, 0, 1), Box(0, 0, 500), Box(-50, 700, 30)])
@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 4000, 3), (2, 5), (9, 9, 1)])
@pytest.mark.parametrize("level", [False, True])
def test_any_box_on_any_picture_gives_a_full_crop(box, shape, level):
    crop = crop_face(np.full(shape, 77, np.uint8), tilted(box, 20), 32, level=level)
    assert crop.shape == (32, 32, *shape[2:]) and crop.dtype == np.uint8 and (crop == 77).all()


def tilted(box, degrees):
    """A face in a box whose head is tilted by so much clockwise."""
    turn = math.radians(degrees)
    across = np.array([math.cos(turn), math.sin(turn)]) * 0.2 * box.size
    down = np.array([-math.sin(turn), math.cos(turn)]) * 0.2 * box.size
    middle = np.array(box[:2]) + box.size / 2
    points = [-across - down, across - down, 0 * down, down - across / 2, down + across / 2]
    return Face(box, tuple(tuple(middle + point) for point in points), 1.0)


def test_an_upright_face_is_the_same_levelled():
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    for box in (Box(60, 60, 80), Box(-20, 150, 61)):
        face = tilted(box, 0)
        np.testing.assert_array_equal(
            crop_face(image, face, 64, level=True), crop_face(image, box, 64)
        )


@pytest.mark.parametrize("degrees", [-90, -25, 10, 40, 180])
def test_levelling_undoes_a_turn_of_the_picture(degrees):
    """Turned about its centre and levelled, a picture shows what it showed."""
    image = smooth_picture(241)
    box = Box(80, 80, 81)  # its centre is that of the picture, of the pixel (120, 120)
    about = cv2.getRotationMatrix2D((120, 120), -degrees, 1)
    turned = cv2.warpAffine(image, about, (241, 241), flags=cv2.INTER_CUBIC)
    crop = crop_face(turned, tilted(box, degrees), 32, level=True)
    assert np.abs(crop.astype(int) - crop_face(image, box, 32)).max() <= 3


def smooth_picture(side):
    noise = np.random.default_rng(0).normal(size=(side, side, 3))
    noise = cv2.GaussianBlur(noise, (0, 0), 6)
    return (128 + 40 * noise / noise.std()).clip(0, 255).astype(np.uint8)


def test_levelling_averages_areas_too():
    """Black and white pixel by pixel, turned and shrunk to a ninth, is mid-grey everywhere."""
    image = np.indices((500, 500)).sum(axis=0)[..., None].repeat(3, axis=2) % 2 * 255
    crop = crop_face(image.astype(np.uint8), tilted(Box(150, 150, 200), 17), 32, level=True)
    assert np.abs(crop.astype(int) - 127.5).max() < 8


@pytest.mark.parametrize("face", [Box(10, 10, 20), Face(Box(10, 10, 20), None, 5.0)])
def test_a_face_without_points_cannot_be_levelled(face):
    with pytest.raises(ValueError, match="only YuNet gives"):
        crop_face(np.zeros((50, 50, 3), np.uint8), face, 32, level=True)


def test_the_union_is_the_square_round_all_boxes():
    """From (10, 20) to (130, 80): 120 wide and 60 high, so 30 more above and below."""
    faces = [Face(box, None, 1.0) for box in (Box(10, 40, 40), Box(100, 20, 30), Box(70, 50, 30))]
    assert union(faces) == Box(10, -10, 120)
    assert union(faces[:1]) == faces[0].box
