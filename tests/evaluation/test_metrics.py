"""Equivariance in decibels on pictures whose motion is known."""

import math

import pytest
import torch

from evaluation.metrics import decibels, eq_r, eq_t, eq_t_frac, rotation_kernel


def test_an_error_of_two_hundredths_is_forty_decibels():
    """20 log10(2 / 0.02) = 40, for both."""
    img = torch.full((2, 3, 24, 24), 0.3)
    shifts, angles = torch.tensor([[2, -1], [0, 3]]), torch.tensor([0.5, 2.0])
    assert decibels([eq_t(img, img + 0.02, shifts)]) == pytest.approx(40, abs=1e-4)
    assert decibels([eq_r(img, img - 0.02, angles)]) == pytest.approx(40, abs=1e-4)


def test_errors_are_averaged_over_images_before_the_logarithm():
    """0.02 in one of two images is half the power: 3.0103 dB more than 40."""
    img = torch.zeros(2, 1, 8, 8)
    moved = torch.stack([img[0], img[1] + 0.02])
    assert decibels([eq_t(img, moved, torch.zeros(2, 2, dtype=torch.long))]) == pytest.approx(
        43.0103, abs=1e-4
    )


def test_eq_t_compares_only_where_the_picture_was():
    """Right by 3 and down by 2: column 3 shows what was in column 0; the rest may be anything."""
    img = torch.randn(1, 2, 16, 16)
    moved = torch.full_like(img, 100.0)
    moved[..., 2:, 3:] = img[..., :-2, :-3]
    assert decibels([eq_t(img, moved, torch.tensor([[3, 2]]))]) == math.inf
    moved[..., 2, 3] += 1
    assert decibels([eq_t(img, moved, torch.tensor([[3, 2]]))]) < 50
    assert decibels([eq_t(img, moved, torch.tensor([[2, 3]]))]) < 0


def waves(angle, size=48):
    """A band-limited picture (1, 1, size, size) turned clockwise by `angle` without resampling."""
    axis = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = cos * x + sin * y, cos * y - sin * x
    img = torch.sin(0.5 * x + 0.3) + torch.cos(0.35 * y) + torch.sin(0.3 * x - 0.4 * y)
    return img[None, None] / 3


@pytest.mark.parametrize("angle", [0.3, -1.2, 2.5, 3.1])
def test_a_turned_wave_is_recognised(angle):
    """In its own direction only. The short window leaks, which is what bounds the metric."""
    angles = torch.tensor([angle])
    assert decibels([eq_r(waves(0), waves(angle), angles)]) > 55
    assert decibels([eq_r(waves(0), waves(-angle), angles)]) < 30


def test_a_quarter_turn_of_any_picture_is_exact():
    """Even of noise: the pixels fall on pixels. Clockwise."""
    img = torch.rand(1, 3, 20, 20)
    quarter = torch.tensor([math.pi / 2])
    assert decibels([eq_r(img, img.rot90(-1, dims=(2, 3)), quarter)]) > 100
    assert decibels([eq_r(img, img.rot90(1, dims=(2, 3)), quarter)]) < 20


def test_the_kernel_is_the_inverse_transform_of_two_squares_overlap():
    """Against a sum over a fine grid of the frequencies that both squares hold."""
    angle, offset = 0.4, torch.tensor([0.7, -1.3], dtype=torch.float64)
    f = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000 - 0.5
    fy, fx = torch.meshgrid(f, f, indexing="ij")
    cos, sin = math.cos(angle), math.sin(angle)
    both = ((cos * fx + sin * fy).abs() < 0.5) & ((cos * fy - sin * fx).abs() < 0.5)
    expected = (torch.cos(2 * math.pi * (fx * 0.7 - fy * 1.3)) * both).mean()
    window = torch.sinc(offset.norm() / 3)
    torch.testing.assert_close(rotation_kernel(offset, angle), expected * window, rtol=0, atol=1e-4)
    centre = rotation_kernel(torch.zeros(2, dtype=torch.float64), angle)
    torch.testing.assert_close(centre, both.double().mean(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("right, down", [(0.0, 0.0), (2.5, -3.25), (-0.3, 4.0), (7.75, 0.5)])
def test_a_wave_moved_between_pixels_is_recognised(right, down):
    """In its own direction only. Whole pixels move without error."""
    y, x = torch.meshgrid(*[torch.arange(48, dtype=torch.float64)] * 2, indexing="ij")

    def wave(right, down):
        return (torch.sin(0.5 * (x - right) + 0.3) + torch.cos(0.4 * (y - down)))[None, None] / 2

    shifts = torch.tensor([[right, down]])
    assert decibels([eq_t_frac(wave(0, 0), wave(right, down), shifts)]) > 40
    if right or down:
        assert decibels([eq_t_frac(wave(0, 0), wave(right, down), -shifts)]) < 25
    whole = torch.tensor([[3, -2]])
    img = torch.randn(1, 2, 32, 32, dtype=torch.float64)
    moved = img.roll((-2, 3), dims=(2, 3))
    assert decibels([eq_t_frac(img, moved, whole)]) > 200


def test_an_error_between_pixels_is_forty_decibels():
    img = torch.full((2, 3, 24, 24), 0.3)
    shifts = torch.tensor([[2.5, -1.25], [0.0, 3.75]])
    assert decibels([eq_t_frac(img, img + 0.02, shifts)]) == pytest.approx(40, abs=1e-4)
