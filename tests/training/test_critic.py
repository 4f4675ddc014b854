"""The critic on frozen features."""

import pytest
import torch
from torch import nn

from evaluation.trunk import CHANNELS, STRIDES, Trunk, strided
from training.critic import GROUP, FeatureCritic


@pytest.fixture(scope="module")
def critic():
    torch.manual_seed(0)
    return FeatureCritic(32, c_dim=2).eval()


@pytest.fixture
def img():
    return torch.rand(4, 3, 32, 32) * 2 - 1


# The trunk


def test_the_trunk_has_four_taps_and_nothing_that_learns_or_is_saved():
    trunk = Trunk()
    taps = trunk(torch.zeros(2, 3, 64, 64))
    assert [tuple(x.shape) for x in taps] == [
        (2, c, 64 // s, 64 // s) for c, s in zip(CHANNELS, STRIDES, strict=True)
    ]
    assert not list(trunk.parameters()) and not trunk.state_dict()


def test_an_even_side_is_padded_by_one_more_behind():
    """A kernel whose only weight is its first: the result begins with sample 0 for 3 taps, and
    with the zero before it for 5."""
    x = torch.arange(1.0, 9).expand(1, 1, 8, 8)
    for taps, expected in ((3, [1, 3, 5, 7]), (5, [0, 2, 4, 6])):
        weight = torch.zeros(1, 1, taps, taps)
        weight[0, 0, taps // 2, 0] = 1
        seen = strided(x, weight, torch.zeros(1), 2)
        assert seen.shape == (1, 1, 4, 4) and seen[0, 0, 1].tolist() == expected


def test_a_missing_trunk_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}/model.safetensors is missing"):
        Trunk(tmp_path)


def test_grey_is_seen_as_colours_that_are_alike(critic, img):
    grey = img[:, :1]
    for alone, repeated in zip(critic.see(grey), critic.see(grey.repeat(1, 3, 1, 1)), strict=True):
        assert torch.equal(alone, repeated)


# The heads


def test_the_whole_is_judged_by_the_variation_of_its_group(critic):
    """Of 8 images the even ones make one group and the odd ones the other, as two processes get
    them; places are judged image by image."""
    maps = critic.see(torch.rand(2 * GROUP, 3, 32, 32) * 2 - 1)
    c = torch.eye(2).repeat(GROUP, 1)
    seen = critic(maps, c)
    even = critic([x[::2] for x in maps], c[::2])
    torch.testing.assert_close(even, seen[::2], rtol=1e-4, atol=1e-5)
    alike = critic([x[:1].repeat(GROUP, 1, 1, 1) for x in maps], c[:1].repeat(GROUP, 1))
    torch.testing.assert_close(alike[0, :16], seen[0, :16], rtol=1e-4, atol=1e-5)
    assert (alike[0, 16:32] - seen[0, 16:32]).abs().min() > 1e-3
    with pytest.raises(ValueError, match=f"{GROUP + 1} images cannot be split into groups"):
        critic([x[: GROUP + 1] for x in maps], c[: GROUP + 1])


def test_maps_have_unit_size_over_the_images_of_calibration(critic, img):
    critic.calibrate(critic.found(img))
    maps = critic.see(img)
    assert [x.shape[1:] for x in maps] == [(64, 32, 32), (64, 16, 16), (128, 8, 8), (256, 4, 4)]
    for x in maps:
        torch.testing.assert_close(x.square().mean(), torch.tensor(1.0), rtol=1e-3, atol=0)


def test_images_get_gradients_and_the_mixing_none(critic, img):
    img.requires_grad_()
    maps = critic.see(img)
    (gradient,) = torch.autograd.grad(sum(x.mean() for x in maps), img)
    assert gradient.isfinite().all() and (gradient != 0).all(dim=1).float().mean() > 0.99
    assert all(name.startswith(("heads", "embed")) for name, _ in critic.named_parameters())
    saved = critic.state_dict()
    assert "across_scales0" in saved and not any(name.startswith("trunk") for name in saved)


def test_labels_turn_the_logits_of_the_whole_and_no_place(critic, img):
    maps, c = critic.see(img), torch.eye(2).repeat(2, 1)
    plain, first, second = (critic(maps, c, weight) for weight in (0.0, 0.5, 1.0))
    assert plain.shape == (4, 8 * 16) and plain.dtype == torch.float32
    places, whole = (slice(0, 16), slice(16, 32))
    assert torch.equal(plain[:, places], second[:, places])
    assert (plain[:, whole] != second[:, whole]).all()
    torch.testing.assert_close(second - plain, 2 * (first - plain), rtol=1e-3, atol=1e-5)
    assert (plain[:, 16:17] == plain[:, whole]).all()  # one logit, as often as there are places
    with pytest.raises(ValueError, match="labels c"):
        critic(maps)


def test_spectral_norms_are_at_most_one(critic, img):
    maps = critic.see(img)
    critic.train()
    for _ in range(30):
        critic(maps, torch.eye(2).repeat(2, 1))
    critic.eval()
    for module in critic.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            norm = torch.linalg.matrix_norm(module.weight.detach().flatten(1), 2)
            torch.testing.assert_close(norm, torch.tensor(1.0), rtol=0.02, atol=0)
