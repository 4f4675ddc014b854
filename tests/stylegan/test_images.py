"""Between tensors in [-1, 1] and pictures in 0 ... 255."""

import numpy as np
import pytest
import torch

from stylegan.images import from_uint8, image_grid, to_uint8


def test_range_and_order_of_axes():
    """-1 is black, 1 is white, 0 is rounded to an even 128, what lies outside is clipped."""
    img = torch.tensor([-1.0, 1.0, 0.0, -3.0, 3.0, -1 + 2 / 255]).reshape(1, 1, 2, 3)
    img = torch.cat([img, torch.zeros_like(img), torch.ones_like(img)], dim=1)
    pictures = to_uint8(img)
    assert pictures.shape == (1, 2, 3, 3) and pictures.dtype == np.uint8
    np.testing.assert_array_equal(pictures[0, ..., 0], [[0, 255, 128], [0, 255, 1]])
    assert (pictures[..., 1] == 128).all() and (pictures[..., 2] == 255).all()


def test_grey_becomes_rgb():
    assert to_uint8(torch.zeros(2, 1, 4, 4)).shape == (2, 4, 4, 3)


def test_every_value_survives_the_round_trip():
    values = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    img = from_uint8(values)
    assert img.min() == -1 and img.max() == 1
    assert torch.equal(torch.from_numpy(to_uint8(img)).permute(0, 3, 1, 2), values)


def test_grid_goes_row_by_row():
    images = np.arange(6, dtype=np.uint8)[:, None, None, None].repeat(2, 1).repeat(3, 2)
    images = images.repeat(3, 3)  # (6, 2, 3, 3)
    grid = image_grid(images, columns=3)
    assert grid.shape == (4, 9, 3)
    np.testing.assert_array_equal(grid[::2, ::3, 0], [[0, 1, 2], [3, 4, 5]])
    with pytest.raises(ValueError, match="6 pictures .* rows of 4"):
        image_grid(images, columns=4)
