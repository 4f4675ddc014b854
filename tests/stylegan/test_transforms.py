"""A transform maps points of the wanted picture back to the unmoved one: x right, y down."""

import math

import torch

from stylegan.transforms import rotation, translation


def test_translation_looks_up_where_the_point_came_from():
    """Moved right by 0.25 and down by 0.5, the centre shows what was left of and above it."""
    point = translation(0.25, 0.5) @ torch.tensor([0.0, 0.0, 1.0])
    torch.testing.assert_close(point, torch.tensor([-0.25, -0.5, 1.0]))


def test_rotation_looks_up_where_the_point_came_from():
    """Turned clockwise by a quarter, the right edge shows what was at the top."""
    point = rotation(math.pi / 2) @ torch.tensor([0.5, 0.0, 1.0])
    torch.testing.assert_close(point, torch.tensor([0.0, -0.5, 1.0]))


def test_motions_are_chained_by_the_matrix_product():
    """First moved right, then turned clockwise by a quarter: what was in the centre is below."""
    motion = translation(0.25, 0.0) @ rotation(math.pi / 2)
    point = motion @ torch.tensor([0.0, 0.25, 1.0])
    torch.testing.assert_close(point, torch.tensor([0.0, 0.0, 1.0]))
