"""Faces of the first seeds."""

import torch

from evaluation.sampling import draw, labels_of, styles, synthesize
from stylegan import Generator
from stylegan.latents import sample_z


def test_labels_take_turns(tiny):
    G = Generator(tiny(c_dim=3))
    labels = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]).float()
    assert torch.equal(labels_of(G, 4), labels)
    assert labels_of(Generator(tiny()), 4) is None


@torch.no_grad()
def test_faces_are_those_of_the_first_seeds(tiny):
    """Of more than one batch, and rounded as a picture is: 255 steps from -1 to 1."""
    G = Generator(tiny(c_dim=3)).eval()
    img = draw(G, 30)
    assert img.shape == (30, 3, 32, 32)
    ws = G.mapping(sample_z([29], 8), torch.eye(3)[2:])
    torch.testing.assert_close(styles(G, 30)[29:], ws)
    torch.testing.assert_close(img[29:], G.synthesis(ws).clamp(-1, 1), atol=1 / 255 + 1e-5, rtol=0)
    steps = (img + 1) * 127.5
    torch.testing.assert_close(steps, steps.round(), atol=1e-4, rtol=0)


def test_a_grey_generator_draws_in_three_equal_colours(tiny):
    G = Generator(tiny(img_channels=1))
    img = synthesize(G, styles(G, 2))
    assert img.shape == (2, 3, 32, 32) and torch.equal(img[:, 0], img[:, 2])
