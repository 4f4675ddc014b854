"""Grids of samples and of mixes."""

import numpy as np
import pytest
import torch

from evaluation.grids import mixing_grid, sample_grid
from stylegan import Generator
from stylegan.images import to_uint8
from stylegan.latents import sample_z


def tile(grid, row, column, size=32):
    return grid[row * size : (row + 1) * size, column * size : (column + 1) * size]


def assert_close(a, b):
    """Equal up to rounding: drawn in another batch, the last bit may differ."""
    assert np.abs(a.astype(int) - b).max() <= 1


@torch.no_grad()
def test_the_grid_shows_the_first_seeds_row_by_row(tiny):
    G = Generator(tiny(img_channels=1)).eval()
    grid = sample_grid(G)
    assert grid.shape == (4 * 32, 8 * 32, 3) and grid.dtype == np.uint8
    assert_close(tile(grid, 2, 3), to_uint8(G(sample_z([8 * 2 + 3], 8)))[0])


@torch.no_grad()
def test_labels_take_turns_in_the_grid(tiny):
    """Seed 13 of three labels has label 1."""
    G = Generator(tiny(c_dim=3)).eval()
    ws = G.mapping(sample_z([13], 8), torch.eye(3)[1:2])
    assert_close(tile(sample_grid(G), 1, 5), to_uint8(G.synthesis(ws))[0])


@torch.no_grad()
@pytest.mark.parametrize("c_dim", [0, 2])
def test_a_crossing_of_the_mixing_grid_is_half_of_each(tiny, c_dim):
    """A with the first label and B with the last; seed 4 above, seed 1002 at the left."""
    G = Generator(tiny(c_dim=c_dim)).eval()
    G.mapping.w_avg.normal_()
    c = torch.eye(2) if c_dim else None
    ws = G.mapping(sample_z([4, 1002], 8), c, truncation_psi=0.7)
    grid, faces = mixing_grid(G), to_uint8(G.synthesis(torch.cat([ws, ws.mean(0, keepdim=True)])))
    assert grid.shape == (8 * 32, 8 * 32, 3) and (tile(grid, 0, 0) == 255).all()
    assert_close(tile(grid, 0, 5), faces[0])
    assert_close(tile(grid, 3, 0), faces[1])
    assert_close(tile(grid, 3, 5), faces[2])
