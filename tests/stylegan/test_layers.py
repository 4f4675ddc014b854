"""Equalized layers by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from stylegan.layers import (
    EqualizedConv2d,
    EqualizedLinear,
    embed_label,
    scaled_leaky_relu,
    unit_second_moment,
)


def test_linear_scales_weight_and_bias_when_used():
    """Weight 1 / 0.01 stored, times 0.01 / sqrt(4): 4 ones give 2; bias 5 gives 0.05."""
    layer = EqualizedLinear(4, 3, lr_multiplier=0.01, bias_init=5.0)
    with torch.no_grad():
        layer.weight.fill_(100.0)
    torch.testing.assert_close(layer(torch.ones(2, 4)), torch.full((2, 3), 2.05))


def test_linear_weights_start_at_a_deviation_of_one_over_the_multiplier():
    std = EqualizedLinear(200, 200, lr_multiplier=0.01).weight.std().item()
    assert std == pytest.approx(100, rel=0.02)


def test_convolution_scales_by_its_fan_in():
    conv = EqualizedConv2d(4, 2, 3)
    x = torch.randn(1, 4, 6, 6)
    with torch.no_grad():
        conv.bias.copy_(torch.tensor([1.0, -2.0]))
    expected = F.conv2d(x, conv.weight / 6, conv.bias, stride=2, padding=1)  # sqrt(4 * 9) = 6
    torch.testing.assert_close(conv(x, stride=2, padding=1), expected)
    torch.testing.assert_close(conv(x, 3.0, stride=2, padding=1), 3 * expected)
    assert EqualizedConv2d(4, 2, 3, bias=False).bias is None


def test_unit_second_moment_works_sample_by_sample():
    """(3, 4) has a mean square of 12.5. Zeros stay zeros."""
    x = unit_second_moment(torch.tensor([[3.0, 4.0], [30.0, 40.0], [0.0, 0.0]]))
    row = [3 / math.sqrt(12.5), 4 / math.sqrt(12.5)]
    torch.testing.assert_close(x, torch.tensor([row, row, [0.0, 0.0]]))


def test_scaled_leaky_relu():
    root = math.sqrt(2)
    y = scaled_leaky_relu(torch.tensor([1.0, -1.0]))
    torch.testing.assert_close(y, torch.tensor([root, -0.2 * root]))


def test_labels_are_embedded_with_unit_second_moment():
    embed = EqualizedLinear(3, 16)
    y = embed_label(embed, torch.eye(3))
    torch.testing.assert_close(y.square().mean(dim=1), torch.ones(3))
