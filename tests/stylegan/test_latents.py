"""Seeds and blends."""

import numpy as np
import pytest
import torch

from stylegan.latents import (
    LOOKS,
    blend,
    even_weights,
    mix_styles,
    sample_z,
    truncate,
    walk,
)


def test_a_seed_gives_the_latent_of_numpys_randomstate():
    z = sample_z([3, 0, 2**32 - 1], 16)
    assert z.shape == (3, 16) and z.dtype == torch.float32
    for row, seed in zip(z, [3, 0, 2**32 - 1], strict=True):
        expected = np.random.RandomState(seed).randn(1, 16)[0]
        np.testing.assert_array_equal(row, expected.astype(np.float32))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_named(seed):
    with pytest.raises(ValueError, match=f"seed .*{seed}"):
        sample_z([0, seed], 4)


def test_no_seeds_give_no_latents_and_any_kind_of_list_will_do():
    assert sample_z([], 16).shape == (0, 16)
    z = sample_z([3, 4], 16)
    for seeds in (range(3, 5), np.array([3, 4]), torch.tensor([3, 4]), iter([3, 4])):
        assert torch.equal(sample_z(seeds, 16), z)


@pytest.mark.parametrize(
    "seeds, z_dim, sentence",
    [
        (3, 16, r"seeds must be a list of whole numbers, such as \[3\], got 3"),
        (None, 16, r"seeds must be a list of whole numbers, such as \[3\], got None"),
        ("34", 16, "a seed must be a whole number, got '3'"),
        ([1.5], 16, "a seed must be a whole number, got 1.5"),
        ([3], 0, "z_dim must be a whole number of at least 1, got 0"),
        ([3], None, "z_dim must be a whole number of at least 1, got None"),
    ],
)
def test_what_is_no_list_of_seeds_is_told(seeds, z_dim, sentence):
    with pytest.raises((TypeError, ValueError), match=f"^{sentence}$"):
        sample_z(seeds, z_dim)


def test_each_style_is_truncated_by_its_own_psi():
    ws, centre = torch.randn(3, 4, 5), torch.randn(5)
    psi = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    found = truncate(ws, centre, psi)
    torch.testing.assert_close(found[0], centre.expand(4, 5))
    torch.testing.assert_close(found[1], (centre + ws[1]) / 2)
    torch.testing.assert_close(found[2], ws[2])
    torch.testing.assert_close(truncate(ws, centre, psi[1]), truncate(ws, centre, 0.5))


def test_blend_goes_straight_from_one_to_the_other():
    a, b = torch.zeros(1, 4, 3), torch.full((1, 4, 3), 8.0)
    assert torch.equal(blend(a, b, 0.0), a) and torch.equal(blend(a, b, 1.0), b)
    assert torch.equal(blend(a, b, 0.25), torch.full((1, 4, 3), 2.0))


def test_even_weights_go_on_in_w_and_in_how_the_mix_looks():
    """Of two numbers of w the first tells the kind: from A, surely the second of three kinds, to B,
    barely the third, the log odds go from -9 to 3, so a plain average changes its kind at 3/4. At
    each weight that is asked for, w and looks together have gone that far."""
    a, b = torch.tensor([[[-9.0, 5], [-9, 7]]]), torch.tensor([[[2.0, -5], [4, 0]]])
    looks = torch.tensor([[0.0, 0, -99], [-1, 0, 0], [0, 0, 0]])
    asked = [0.0, 0.1, 0.5, 0.6, 0.9, 1.0]
    found = even_weights(a, b, asked, looks)
    assert found[0] == 0 and found[-1] == 1 and found[2] > 0.58
    t = torch.tensor(found).double()
    share = (12 * t - 9).sigmoid()
    low, high = torch.tensor([-9.0, 3.0]).double().sigmoid()
    way = (1 - LOOKS) * t + LOOKS * (share - low) / (high - low)
    torch.testing.assert_close(way, torch.tensor(asked).double(), atol=1e-4, rtol=0)
    back = even_weights(b, a, [0.5], looks)
    assert back[0] == pytest.approx(1 - found[2], abs=1e-6)


def test_of_one_kind_weights_stay_as_they_are():
    a, b = torch.randn(2, 1, 3, 4)
    one, nothing = torch.tensor([[0.0] * 4 + [9], [1.0] * 5]), torch.zeros(1, 5)
    for looks in (one, nothing):
        assert even_weights(a, b, [0.0, 0.3, 1.0], looks) == [0.0, 0.3, 1.0]


def test_each_layer_has_its_own_weight():
    a, b = torch.zeros(1, 3, 2), torch.full((1, 3, 2), 8.0)
    weights = torch.tensor([[0.0, 0.25, 1.0], [0.5, 0.5, 0.5]])
    mixed = mix_styles(a, b, weights)
    torch.testing.assert_close(mixed, 8 * weights[..., None].expand(-1, -1, 2))
    torch.testing.assert_close(mixed[1:], blend(a, b, 0.5))


def test_a_walk_goes_through_its_styles_and_closes_smoothly():
    """Across the end, too, steps change little; between two styles alone it goes straight."""
    ws = torch.randn(4, 2, 3, dtype=torch.float64)
    path = walk(ws, 50)
    torch.testing.assert_close(path[::50], ws)
    steps = torch.cat([path, path[:2]]).diff(dim=0)
    assert steps.diff(dim=0).norm(dim=2).max() < 0.1 * steps.norm(dim=2).max()
    line = walk(ws[:2], 4)[:4, 0]
    along = (ws[1, 0] - ws[0, 0]) / (ws[1, 0] - ws[0, 0]).norm()
    off = (line - ws[0, 0]) - ((line - ws[0, 0]) @ along)[:, None] * along
    assert off.abs().max() < 1e-12
