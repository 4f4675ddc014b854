"""Finding latents of a picture."""

import pytest
import skimage.data
import skimage.metrics
import torch

from stylegan import Generator, sample_z
from stylegan.projection import (
    C1,
    C2,
    WINDOW,
    LossWeights,
    by_place,
    feature_distance,
    nearest,
    project,
    pyramid_distance,
    similarity,
    unlikeness,
)


def everywhere(G: Generator, directions: torch.Tensor) -> torch.Tensor:
    """The same directions for every layer: (num_ws, K, w_dim)."""
    return directions.expand(G.num_ws, -1, -1)


def test_equal_images_are_at_no_distance_and_wholly_similar():
    img = torch.rand(2, 3, 32, 32) * 2 - 1
    assert pyramid_distance(img, img).tolist() == [0, 0]
    torch.testing.assert_close(similarity(img, img), torch.ones(2))
    torch.testing.assert_close(unlikeness(img, img[:1])[0], torch.tensor(0.0))


def test_an_even_step_counts_once_and_is_at_the_coarsest_level():
    """A constant difference of 0.25 has no details of any size."""
    img = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(pyramid_distance(img + 0.25, img), torch.tensor([0.25]))


def test_similarity_of_even_pictures_is_that_of_their_brightness():
    """(2 a b + c) / (a^2 + b^2 + c), with c = 0.0004."""
    a, b = torch.full((1, 1, 16, 16), 0.5), torch.full((1, 1, 16, 16), 0.1)
    torch.testing.assert_close(similarity(a, b), torch.tensor([0.1004 / 0.2604]), rtol=1e-3, atol=0)


def test_similarity_is_that_of_scikit_image():
    """Windows without weights; their constants are parts of the range, 2."""
    a = torch.from_numpy(skimage.data.astronaut()[::8, ::8]).permute(2, 0, 1)[None] / 127.5 - 1
    b = (a + 0.2 * torch.randn_like(a)).contiguous(memory_format=torch.channels_last)
    planes = a[0].numpy().astype(float), b[0].numpy().astype(float)
    constants = dict(win_size=WINDOW, data_range=2, use_sample_covariance=False, channel_axis=0)
    ours = dict(K1=C1**0.5 / 2, K2=C2**0.5 / 2)
    expected = skimage.metrics.structural_similarity(*planes, **constants, **ours)
    assert similarity(a, b).item() == pytest.approx(expected, abs=1e-5)


def test_similarity_pulls_the_same_way_where_networks_run_in_bfloat16():
    """Its variances are differences of nearly equal means: rounded ones would pull anywhere."""
    face = torch.from_numpy(skimage.data.astronaut()[:128:2, 160:288:2]).permute(2, 0, 1)[None]
    b = face / 127.5 - 1
    a = (b + 0.1 * torch.randn_like(b)).requires_grad_(True)
    (single,) = torch.autograd.grad(similarity(a, b).sum(), [a])
    with torch.autocast("cpu", torch.bfloat16):
        (half,) = torch.autograd.grad(similarity(a, b).sum(), [a])
    torch.testing.assert_close(half, single)


def test_the_nearest_is_the_picture_itself():
    img = torch.rand(5, 3, 32, 32) * 2 - 1
    assert nearest(img, img[3:4] + 0.01) == 3


@pytest.mark.parametrize("steps", [1, 30])
def test_a_drawn_face_is_found_again(tiny, calibrate, steps):
    """From another one: nearer with every search, much with a longer one; G stays as it is."""
    G = calibrate(Generator(tiny()), sample_z(range(8), 8)).requires_grad_(False)
    before = {name: x.clone() for name, x in G.state_dict().items()}
    ws = G.mapping(sample_z([1, 2], 8))
    target, start, basis = G.synthesis(ws[:1]), ws[1:], everywhere(G, torch.eye(12))
    found = list(project(G, target, start, basis, steps))
    assert len(found) == steps and found[-1].shape == start.shape
    first, last = (unlikeness(G.synthesis(x), target).item() for x in (start, found[-1]))
    assert last < (first if steps == 1 else 0.7 * first)
    assert all(torch.equal(x, before[name]) for name, x in G.state_dict().items())


def test_a_search_gets_as_far_where_networks_run_in_bfloat16(tiny, calibrate):
    """All of it in one context of autocast, which remembers what it has rounded."""
    G = calibrate(Generator(tiny()), sample_z(range(8), 8)).requires_grad_(False)
    ws = G.mapping(sample_z([1, 2], 8))
    what = G, G.synthesis(ws[:1]), ws[1:], everywhere(G, torch.eye(12)), 30
    single = list(project(*what))[-1]
    with torch.autocast("cpu", torch.bfloat16):
        half = list(project(*what))[-1]
    first, far, near = (unlikeness(G.synthesis(x), what[1]).item() for x in (ws[1:], half, single))
    assert first - far > 0.9 * (first - near)


def test_features_are_compared_as_directions():
    """Of any length: the same direction is at no distance, the opposite one at 4, over two maps."""
    a = torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(feature_distance([a, a], [3 * a, -a]), torch.full((2,), 2.0))


def test_eyes_nose_and_mouth_count_more_than_the_corners():
    """What is even has its own mean; a corner has the weight that is given, in shares of a mean."""
    torch.testing.assert_close(by_place(torch.full((1, 2, 16, 16), 0.7), 0.3), torch.tensor([0.7]))
    dots = torch.zeros(3, 1, 64, 64)
    for dot, (x, y) in zip(dots, [(24, 29), (32, 38), (0, 0)], strict=True):
        dot[0, y, x] = 1
    eye, nose, corner = by_place(dots, 0.3).tolist()
    assert nose > eye > 2 * corner
    torch.testing.assert_close(corner / nose, 0.3, rtol=0.02, atol=0)


def test_faces_that_are_found_together_are_found_as_each_alone(tiny, calibrate):
    """Along two directions alone, with features that see."""
    G = calibrate(Generator(tiny()), sample_z(range(8), 8)).requires_grad_(False)
    ws = G.mapping(sample_z([1, 2, 3, 4], 8))
    target, start, basis = G.synthesis(ws[:2]), ws[2:], everywhere(G, torch.eye(12)[:2])
    how = basis, 3, lambda img: [img.square(), img]
    *_, together = project(G, target, start, *how)
    alone = [list(project(G, target[i : i + 1], start[i : i + 1], *how))[-1] for i in (0, 1)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-4)
    assert torch.equal(together[:, :, 2:], start[:, :, 2:])
    assert not torch.equal(together, start)


def test_features_draw_the_search_to_what_they_see(tiny, calibrate):
    """Where only they count, their distance falls."""
    G = calibrate(Generator(tiny()), sample_z(range(8), 8)).requires_grad_(False)
    alone = LossWeights(pyramid=0, similarity=0, prior=0)
    ws = G.mapping(sample_z([1, 2], 8))
    target, see = G.synthesis(ws[:1]), lambda img: [img]
    *_, found = project(G, target, ws[1:], everywhere(G, torch.eye(12)), 10, see, alone)
    before, after = (feature_distance(see(G.synthesis(x)), [target]) for x in (ws[1:], found))
    assert after < before
