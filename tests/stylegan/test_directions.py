"""Directions whose answer is known."""

import torch

from stylegan import Generator
from stylegan.directions import (
    affine_directions,
    principal_directions,
    sample_w,
    style_directions,
)


def test_principal_directions_are_as_long_as_the_spread_along_them():
    """Independent coordinates of spread 5, 2 and 1, turned."""
    axes = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    w = torch.randn(20_000, 3, dtype=torch.float64) * torch.tensor([5.0, 2.0, 1.0]) @ axes.T
    found = principal_directions(w - w.mean(dim=0), 2)
    torch.testing.assert_close(
        found.norm(dim=1), torch.tensor([5.0, 2.0]).double(), rtol=0.03, atol=0
    )
    along = (found / found.norm(dim=1, keepdim=True) @ axes).abs()
    assert along[0, 0] > 0.99 and along[1, 1] > 0.99


def test_affine_directions_are_those_that_change_the_styles_of_the_shape(tiny):
    """One direction alone moves them; the layers of the texture do not count."""
    G, direction = Generator(tiny(num_layers=10, img_resolution=64)), torch.zeros(12)
    direction[4] = 1
    with torch.no_grad():
        for i, name in enumerate(G.synthesis.layer_names):
            weight = G.synthesis.get_submodule(name).affine.weight
            weight.zero_()
            weight[:, 4 if i < 3 else 7] = 3.0
    w = sample_w(G)
    (found,) = affine_directions(G, w, 1)
    torch.testing.assert_close(found.abs(), direction * w[:, 4].std())
    torch.testing.assert_close(affine_directions(G.half(), w, 1)[0], found)  # 3 is the same in it


def test_along_a_style_s_direction_that_style_alone_changes_by_its_deviation(tiny):
    """Of every layer; the first has four styles, of which all stay as they are at first."""
    G = Generator(tiny())
    w = sample_w(G)
    found = style_directions(G, w)
    assert found.shape == (G.num_ws, 8, 12) and not found[0].any()
    for place in range(1, G.num_ws):
        weight = G.synthesis.affine_at(place).weight.detach() / 12**0.5
        expected = (w @ weight.T).std(dim=0).diag()
        count = len(expected)
        changes = found[place, :count] @ weight.T
        torch.testing.assert_close(changes, expected, rtol=1e-3, atol=1e-4)
        assert not found[place, count:].any()


def test_of_all_ways_to_change_a_style_that_is_taken_in_which_w_varies(tiny):
    """Two coordinates move the same style: the one that varies more has the larger part."""
    G = Generator(tiny())
    layer = G.synthesis.affine_at(2)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, :2] = 1
    w = torch.randn(5000, 12) * torch.tensor([3.0, 1.0, *[1.0] * 10])
    direction = style_directions(G, w - w.mean(dim=0))[2, 0]
    torch.testing.assert_close(direction[0] / direction[1], torch.tensor(9.0), rtol=0.1, atol=0)
