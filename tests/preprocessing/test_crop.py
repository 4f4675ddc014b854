"""The shared crop: where it lies, what fills it beyond the picture, how it is resized."""

import numpy as np
import pytest

from preprocessing.crop import crop_face, crop_square, padded_fraction
from preprocessing.detect import Box


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


def test_border_is_repeated_outside_the_picture():
    """A box in the left upper corner: what lies outside continues the first row and column."""
    image = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    box = Box(0, 0, 20)
    left, top, side = crop_square(box)
    crop = crop_face(image, box, side)
    assert (left, top, side) == (-4, -5, 29)  # 10 - 14.5 and 10 - 0.8 - 14.5, rounded
    np.testing.assert_array_equal(crop[5:, 4:], image[:24, :25])
    np.testing.assert_array_equal(crop[:5, 4:], image[:1, :25].repeat(5, axis=0))
    np.testing.assert_array_equal(crop[5:, :4], image[:24, :1].repeat(4, axis=1))
    corner = crop_face(image, Box(50, 50, 20), 29)  # its square (46, 45, 29) ends at 75 and 74
    np.testing.assert_array_equal(corner[:15, :14], image[45:, 46:])
    np.testing.assert_array_equal(corner[15:, :14], image[59:, 46:].repeat(14, axis=0))
    np.testing.assert_array_equal(corner[:15, 14:], image[45:, 59:].repeat(15, axis=1))


def test_padded_fraction_by_hand():
    """Square (-4, -5, 29) shows 25 x 24 of its 841 pixels; far inside it shows all."""
    image = np.zeros((60, 60, 3), np.uint8)
    assert padded_fraction(image, Box(0, 0, 20)) == pytest.approx(1 - 25 * 24 / 841)
    assert padded_fraction(image, Box(20, 20, 20)) == 0
    assert padded_fraction(image, Box(500, 500, 20)) == 1


@pytest.mark.parametrize("box", [Box(0, 0, 1), Box(0, 0, 500), Box(-50, 700, 30)])
@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 4000, 3)])
def test_any_box_on_any_picture_gives_a_full_crop(box, shape):
    crop = crop_face(np.full(shape, 77, np.uint8), box, 32)
    assert crop.shape == (32, 32, 3) and crop.dtype == np.uint8 and (crop == 77).all()
