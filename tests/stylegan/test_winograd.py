"""3x3 convolution by Winograd's way against the sum that defines it."""

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck

from stylegan import winograd


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("height, width", [(3, 3), (6, 6), (7, 12), (9, 4)])
def test_convolves(height, width, padding):
    x = torch.randn(2, 5, height, width, dtype=torch.float64)
    weight = torch.randn(4, 5, 3, 3, dtype=torch.float64)
    expected = F.conv2d(x, weight, padding=padding)
    actual = winograd.convolve(x, weight, padding)
    torch.testing.assert_close(actual, expected)
    x = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(winograd.convolve(x, weight, padding), expected)


def test_images_take_turns(monkeypatch):
    """With the same result, however few tiles are worked on at once."""
    x, weight = torch.randn(3, 5, 8, 8), torch.randn(4, 5, 3, 3)
    whole = winograd.convolve(x, weight, 1)
    monkeypatch.setattr(winograd, "TILES", 1)
    torch.testing.assert_close(winograd.convolve(x, weight, 1), whole)


def test_float32_is_nearly_as_exact_as_the_sum():
    """Root mean square error over 128 channels, of the result: the plain sum has 6e-7."""
    x, weight = torch.randn(1, 128, 36, 36), torch.randn(128, 128, 3, 3)
    expected = F.conv2d(x.double(), weight.double(), padding=2)
    error = winograd.convolve(x, weight, 2) - expected
    assert error.square().mean().sqrt() < 2e-6 * expected.square().mean().sqrt()


def test_has_first_and_second_derivatives():
    x = torch.randn(1, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda *a: winograd.convolve(*a, 1), (x, weight))
    assert gradgradcheck(lambda *a: winograd.convolve(*a, 1), (x, weight))


@pytest.mark.parametrize(
    "inputs, outputs, kernel, side, dtype, pays",
    [
        (128, 128, 3, 36, torch.float32, True),
        (102, 81, 3, 84, torch.float32, True),
        (64, 64, 3, 84, torch.float32, False),  # the transforms cost what the products save
        (128, 3, 3, 84, torch.float32, False),
        (128, 128, 1, 36, torch.float32, False),
        (128, 128, 3, 4, torch.float32, False),  # one tile, and all the weights to transform
        (128, 128, 3, 36, torch.bfloat16, False),  # too coarse for the transforms
    ],
)
def test_pays_for_wide_layers(inputs, outputs, kernel, side, dtype, pays):
    x = torch.zeros(1, inputs, side, side, dtype=dtype)
    weight = torch.zeros(outputs, inputs, kernel, kernel)
    assert winograd.pays(x, weight, padding=kernel // 2) == pays
    assert not winograd.pays(x.to("meta"), weight, padding=kernel // 2)  # another device


def test_beside_a_program_for_the_gradient_it_pays_for_wider_ones_only():
    x, weight = torch.ones(8, 96, 32, 32), torch.ones(96, 96, 3, 3)
    least = winograd.LEAST_BESIDE_PROGRAM
    assert winograd.pays(x, weight, 1) and not winograd.pays(x, weight, 1, least)
    assert winograd.pays(x, torch.ones(128, 128, 3, 3), 1, least)
