"""Fourier features: their formula, how a transform moves them and which ones it damps."""

import math

import pytest
import torch

from stylegan.generator import SynthesisInput
from stylegan.specs import layer_specs
from stylegan.transforms import rotation, translation


@pytest.fixture
def features(tiny):
    """An input whose channels are not mixed, on its grid of 36 samples at 16 per image."""
    spec = layer_specs(tiny(channel_base=64, channel_max=16))[0]
    layer = SynthesisInput(12, spec)
    assert (spec.in_size, spec.in_rate, spec.in_cutoff) == (36, 16, 2.0)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(16) * math.sqrt(16))
    return layer


def grid():
    """Points (36, 36, 2) of the margin-padded grid; the image spans [-0.5, 0.5]."""
    centres = (torch.arange(36, dtype=torch.float64) - 17.5) / 16
    return torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1)


@torch.no_grad()
def test_features_follow_their_formula(features):
    """sin(2 pi (F' p + phase')) with the style's rotation and translation before the caller's."""
    torch.nn.init.normal_(features.affine.weight)
    w = torch.randn(3, 12, dtype=torch.float64)
    transform = rotation(0.7) @ translation(0.1, -0.2)
    actual = features(w, transform)
    for i in range(3):
        t = w[i] @ features.affine.weight.double().T / math.sqrt(12) + features.affine.bias
        cos, sin, x, y = (t / t[:2].norm()).tolist()
        turn = torch.tensor([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], dtype=torch.float64)
        shift = torch.tensor([[1, 0, -x], [0, 1, -y], [0, 0, 1]], dtype=torch.float64)
        motion = turn @ shift @ transform.double()
        freqs = features.freqs.double() @ motion[:2, :2]
        phases = features.phases + features.freqs.double() @ motion[:2, 2]
        expected = torch.sin(2 * math.pi * (grid() @ freqs.T + phases)).permute(2, 0, 1)
        torch.testing.assert_close(actual[i].double(), expected, rtol=0, atol=2e-6)


@torch.no_grad()
def test_frequencies_pushed_out_of_band_are_damped(features):
    """Shrunk to s-fold frequencies. The band ends at 2 and the grid holds 8 cycles: 5 lies half
    way, 8 and more are silent, 1 turned into 1.9 is not touched."""
    features.freqs.copy_(torch.tensor([[1.0, 0.0]]).expand(16, 2))
    features.phases.zero_()
    w = torch.zeros(1, 12, dtype=torch.float64)
    for scale, amplitude in [(1.9, 1.0), (2.0, 1.0), (3.5, 0.75), (5.0, 0.5), (8.0, 0.0), (9, 0)]:
        x = features(w, torch.diag(torch.tensor([scale, scale, 1.0])))
        expected = amplitude * torch.sin(2 * math.pi * scale * grid()[..., 0])
        torch.testing.assert_close(x[0, 0].double(), expected, rtol=0, atol=2e-6)


@torch.no_grad()
def test_a_translation_moves_right_and_down(features):
    """By 3 / 16 and 2 / 16 of the image, which are whole samples of the grid."""
    w = torch.zeros(1, 12, dtype=torch.float64)
    still, moved = features(w), features(w, translation(3 / 16, 2 / 16))
    torch.testing.assert_close(moved[..., 2:, 3:], still[..., :-2, :-3], rtol=0, atol=2e-6)


@torch.no_grad()
def test_a_rotation_turns_clockwise(features):
    w = torch.zeros(1, 12, dtype=torch.float64)
    still, turned = features(w), features(w, rotation(math.pi / 2))
    torch.testing.assert_close(turned, still.rot90(-1, dims=(2, 3)), rtol=0, atol=2e-6)


@torch.no_grad()
def test_every_image_may_have_a_transform_of_its_own(features):
    w = torch.randn(2, 12, dtype=torch.float64)
    transforms = torch.stack([translation(0.1, 0.3), rotation(1.0)])
    together = features(w, transforms)
    for i in range(2):
        torch.testing.assert_close(together[i : i + 1], features(w[i : i + 1], transforms[i]))


def test_channels_are_mixed_by_the_weight(features):
    """Output o is the sum over inputs i of weight[o, i] / sqrt(16)."""
    w = torch.zeros(1, 12, dtype=torch.float64)
    with torch.no_grad():
        plain = features(w)
        features.weight.zero_()
        features.weight[3, 5] = 8.0
        mixed = features(w)
    torch.testing.assert_close(mixed[:, 3], 2 * plain[:, 5])
    assert not mixed[:, 5].any()


def test_frequencies_fill_the_disc_evenly(tiny):
    """Radius^2 / band^2 and the phases are uniform: means of 1/2 and 0, nothing outside."""
    spec = layer_specs(tiny(channel_base=40000, channel_max=4000))[0]
    layer = SynthesisInput(2, spec)
    radius = layer.freqs.norm(dim=1)
    assert radius.max() <= 2 and layer.phases.abs().max() <= 0.5
    assert (radius / 2).square().mean().item() == pytest.approx(0.5, abs=0.03)
    assert layer.phases.mean().item() == pytest.approx(0, abs=0.03)
    assert layer.freqs.mean(dim=0).abs().max() < 0.1
