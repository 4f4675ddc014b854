"""The discriminator: shapes, labels and the minibatch statistics by hand."""

import math

import pytest
import torch

from stylegan import Discriminator, DiscriminatorConfig
from stylegan.discriminator import conv_act, minibatch_deviation
from stylegan.layers import EqualizedConv2d


def small(**shape):
    return DiscriminatorConfig(**dict(img_resolution=32, channel_base=128, channel_max=8) | shape)


@torch.no_grad()
@pytest.mark.parametrize("shape", [{}, {"img_channels": 1}, {"img_resolution": 64}, {"c_dim": 3}])
def test_one_logit_per_image(shape):
    config = small(**shape)
    D = Discriminator(config)
    img = torch.randn(4, config.img_channels, config.img_resolution, config.img_resolution)
    logits = D(img, torch.eye(4, 3)) if config.c_dim else D(img)
    assert logits.shape == (4, 1) and logits.dtype == torch.float32 and logits.std() > 0


def test_groups_take_every_second_image_of_eight():
    """Images 0, 2, 4, 6 are 0 or 2: a deviation of 1. Images 1, 3, 5, 7 agree but in one of the
    two channels, where they are 0 or 6: a deviation of 3, averaged with the root of 1e-8."""
    x = torch.zeros(8, 2, 1, 1)
    x[[2, 6]] = 2.0
    x[[3, 7], 0] = 6.0
    y = minibatch_deviation(x.expand(-1, -1, 4, 4), group_size=4)
    assert y.shape == (8, 3, 4, 4)
    torch.testing.assert_close(y[:, :2], x.expand(-1, -1, 4, 4))
    expected = torch.tensor([1.0, (3 + 1e-4) / 2] * 4)[:, None, None].expand(-1, 4, 4)
    torch.testing.assert_close(y[:, 2], expected)


def test_a_small_batch_is_one_group():
    x = torch.tensor([0.0, 2.0])[:, None, None, None]
    torch.testing.assert_close(minibatch_deviation(x, group_size=4)[:, 1], torch.ones(2, 1, 1))


def test_a_batch_that_groups_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="a batch of 6 images .* groups of 4"):
        Discriminator(small())(torch.zeros(6, 3, 32, 32))


@torch.no_grad()
def test_an_image_is_judged_within_its_group():
    """With groups of 1 each image is alone; with 4 a copy of itself lowers its deviation."""
    img = torch.randn(4, 3, 32, 32)
    D = Discriminator(small(mbstd_group_size=1))
    alone = torch.cat([D(img[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(D(img), alone)
    D = Discriminator(small())
    assert not torch.allclose(D(img)[:1], D(img[:1].expand(4, -1, -1, -1))[:1])


@torch.no_grad()
def test_labels_project_the_features():
    """The logit is one without label plus <features, direction of the label> / sqrt(dim), scaled
    by the label's weight."""
    D = Discriminator(small(c_dim=2))
    img, c = torch.randn(4, 3, 32, 32), torch.tensor([[1.0, 0], [0, 1.0]] * 2)
    seen = {}
    D.b4.register_forward_hook(lambda m, a, y: seen.update(plain=y[0], features=y[1]))
    logits = D(img, c)
    directions = D.mapping(c)
    projection = (seen["features"] * directions).sum(dim=1, keepdim=True) / math.sqrt(8)
    assert seen["features"].shape == directions.shape == (4, 8)
    torch.testing.assert_close(logits, seen["plain"] + projection)
    torch.testing.assert_close(D(img, c, 0.25), seen["plain"] + projection / 4)
    assert torch.equal(D(img, c, 0.0), D(img, c.flip(1), 0.0))
    assert not torch.allclose(D(img, c.flip(1)), logits)
    with pytest.raises(ValueError, match="give labels c"):
        D(img)


def test_activations_are_clamped_at_256_before_their_gain():
    """Unit input, weight w / sqrt(1): lrelu(1000) sqrt 2 is held at 256, then halved to 128;
    -1000 becomes -200 sqrt 2 and is held at -256; 1 passes as sqrt 2."""
    conv = EqualizedConv2d(1, 3, 1)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([1000.0, -1000.0, 1.0])[:, None, None, None])
    y = conv_act(conv, torch.ones(1, 1, 1, 1), gain=0.5).flatten()
    torch.testing.assert_close(y, torch.tensor([128.0, -128.0, math.sqrt(0.5)]))


def test_r1_reaches_every_parameter():
    """The second derivative exists through all blocks and the minibatch statistics."""
    D = Discriminator(small())
    img = torch.randn(4, 3, 32, 32, requires_grad=True)
    (grad,) = torch.autograd.grad(D(img).sum(), img, create_graph=True)
    grad.square().sum().backward()
    for name, parameter in D.named_parameters():
        if name != "b4.out.bias":  # moves all logits alike
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@torch.no_grad()
def test_half_precision_ends_in_float32():
    D, img = Discriminator(small()), torch.randn(4, 3, 32, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = D(img)
    exact = D(img)
    assert rough.dtype == torch.float32 and not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, rtol=0, atol=0.1)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.half, torch.bfloat16, torch.double])
def test_weights_of_another_type_judge_nearly_the_same(dtype):
    D, img, c = Discriminator(small(c_dim=2)), torch.randn(4, 3, 32, 32), torch.eye(2)[[0, 1] * 2]
    exact = D(img, c)
    found = D.to(dtype)(img, c)
    assert found.dtype == (torch.double if dtype == torch.double else torch.float32)
    torch.testing.assert_close(
        found.float(), exact, rtol=0, atol=10 * torch.finfo(dtype).eps + 1e-6
    )
