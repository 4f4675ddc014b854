"""Untrained networks with calibrated magnitudes already move and turn as the paper asks.

Reference: Karras et al. 2021 (arXiv:2106.12423), App. E; the bounds are 8 dB and more below what
these networks reach, and far above what a filter that leaks leaves.
"""

import math

import pytest
import torch

from evaluation.metrics import decibels, eq_r, eq_t
from stylegan import Generator
from stylegan.transforms import rotation, translation


def build(preset, tiny, calibrate):
    shape = dict(img_resolution=64, num_layers=14, z_dim=32, w_dim=32)
    G = Generator(tiny(preset, **shape, channel_base=1024, channel_max=16))
    return calibrate(G, torch.randn(4, 32))


@torch.no_grad()
@pytest.mark.parametrize("preset", ["t", "r"])
def test_translation_moves_the_picture_and_nothing_else(preset, tiny, calibrate):
    G = build(preset, tiny, calibrate)
    ws = G.mapping(torch.randn(3, 32))
    shifts = torch.tensor([[3, -5], [-7, 8], [5, 3]])
    transforms = torch.stack([translation(x / 64, y / 64) for x, y in shifts.tolist()])
    img, moved = G.synthesis(ws), G.synthesis(ws, transforms)
    assert img.std() > 0.1
    assert decibels([eq_t(img, moved, shifts)]) >= 60
    assert decibels([eq_t(img, moved, -shifts)]) < 30  # the other way round it is another picture


@torch.no_grad()
def test_rotation_turns_the_picture_of_config_r_only(tiny, calibrate):
    """The 3 x 3 convolutions of config T know up from down."""
    angles = torch.tensor([0.4, -2.0])
    transforms = torch.stack([rotation(angle) for angle in angles.tolist()])
    found = {}
    for preset in "tr":
        G = build(preset, tiny, calibrate)
        ws = G.mapping(torch.randn(2, 32))
        img, turned = G.synthesis(ws), G.synthesis(ws, transforms)
        found[preset] = decibels([eq_r(img, turned, angles)])
    assert found["r"] >= 60 and found["t"] < 35, found


@torch.no_grad()
def test_a_quarter_turn_is_exact_in_config_r(tiny, calibrate):
    """Clockwise, on the same pixels; the nonlinearity's filters are as symmetric as the grid."""
    G = build("r", tiny, calibrate)
    ws = G.mapping(torch.randn(2, 32))
    img, turned = G.synthesis(ws), G.synthesis(ws, rotation(math.pi / 2))
    error = (turned - img.rot90(-1, dims=(2, 3))).square().mean().sqrt()
    assert error / img.std() < 1e-5
