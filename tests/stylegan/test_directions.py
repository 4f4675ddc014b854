"""Directions whose answer is known."""

import torch

from stylegan import Generator
from stylegan.directions import affine_directions, principal_directions, sample_w


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
