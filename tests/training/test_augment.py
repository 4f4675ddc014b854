"""Each transform against an answer worked out by hand, their order and rates, and the controller.

`picture` is a sum of cosines that is even about the outermost pixels, so that reflected borders
continue it in closed form: moved images are known everywhere, borders included.
"""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from training.augment import (
    GATES,
    NORMALS,
    UNIFORMS,
    AdaptiveAugment,
    amounts,
    augment,
    draw_numbers,
)

SIZE = 64
HALF = torch.tensor(0.5)
PIXEL = (0.4, -0.2, 0.1)  # its mean is 0.1


def only(**values: float) -> Tensor:
    """Numbers (1, K) that open the gates of these transforms; the rest of an open one is 0."""
    opened = {name.removesuffix("_x").removesuffix("_y") for name in values}
    gates = [0.0 if name in opened else 1.0 for name in GATES]
    neutral = dict.fromkeys(UNIFORMS, 0.5) | dict.fromkeys(NORMALS, 0.0)
    return torch.tensor([gates + [(neutral | values)[name] for name in UNIFORMS + NORMALS]])


def places() -> tuple[Tensor, Tensor]:
    """x (1, SIZE) and y (SIZE, 1) of the pixels, from the image's centre."""
    axis = torch.arange(SIZE, dtype=torch.float64) - (SIZE - 1) / 2
    return axis[None, :], axis[:, None]


def picture(x: Tensor, y: Tensor) -> Tensor:
    """A smooth image (1, 3, SIZE, SIZE) without symmetry, defined for all x and y."""
    x, y = (math.pi * (v / (SIZE - 1) + 0.5) for v in (x, y))
    waves = [x.cos() + 0.6 * (2 * y).cos(), y.cos() - (2 * x).cos(), x.cos() * y.cos() + x.cos()]
    return torch.stack(torch.broadcast_tensors(*waves)).float()[None] / 2


def turned(x: Tensor, y: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    """Where a picture turned clockwise by `angle` has the point that is now at x, y."""
    cos, sin = math.cos(angle), math.sin(angle)
    return cos * x + sin * y, cos * y - sin * x


def moves_to(x: Tensor, y: Tensor, **values: float) -> None:
    """Assert that the transforms bring to each pixel what the picture has at x, y."""
    moved = augment(picture(*places()), HALF, only(**values))
    torch.testing.assert_close(moved, picture(x, y), atol=2e-3, rtol=0)


def recolored(*pixel: float, **values: float) -> list[float]:
    image = torch.tensor(pixel)[None, :, None, None].expand(1, len(pixel), 8, 8)
    result = augment(image, HALF, only(**values))
    torch.testing.assert_close(result, result[:, :, :1, :1].expand_as(result), atol=0, rtol=0)
    return pytest.approx(result[0, :, 0, 0].tolist(), abs=1e-6)


def test_nothing_happens_at_p_0():
    images = torch.randn(8, 3, 32, 32)
    numbers = draw_numbers(np.random.default_rng(0), 8)
    assert torch.equal(augment(images, torch.tensor(0.0), numbers), images)


def test_images_that_are_not_drawn_stay_to_the_bit():
    """Geometry, colour and nothing: each leaves alone what it does not concern."""
    images = torch.randn(3, 3, 32, 32)
    numbers = torch.cat([only(scale=1.0), only(), only(hue=0.1)])
    changed = augment(images, HALF, numbers) != images
    assert changed.flatten(1).any(dim=1).tolist() == [True, False, True]


# Geometry


def test_flip_happens_to_half_of_the_draws():
    """Against torch.flip, which knows nothing of filters and pixel centres."""
    image = picture(*places())
    x, y = places()
    moves_to(-x, y, flip=0.7)
    torch.testing.assert_close(
        augment(image, HALF, only(flip=0.7)), image.flip(3), atol=2e-3, rtol=0
    )
    assert torch.equal(augment(image, HALF, only(flip=0.3)), image)


@pytest.mark.parametrize("k", range(4))
def test_turn_is_rot90(k):
    image = picture(*places())
    turned = augment(image, HALF, only(turn=k / 4 + 0.1))
    torch.testing.assert_close(turned, image.rot90(-k, (2, 3)), atol=2e-3, rtol=0)


def test_integer_shift_copies_pixels_even_of_noise():
    """u = 0.875 is 0.75 of the way to 0.125 * 64 = 8 pixels: 6 to the right; 0.25 is 4 up."""
    noise = torch.randn(1, 3, SIZE, SIZE)
    shifted = augment(noise, HALF, only(shift_x=0.875, shift_y=0.25))
    inside = (..., slice(8, -12), slice(14, -8))  # away from where the borders are reflected
    torch.testing.assert_close(
        shifted[inside], noise.roll((-4, 6), (2, 3))[inside], atol=1e-3, rtol=0
    )


def test_shift_is_rounded_to_pixels():
    x, y = places()
    moves_to(x - 6, y, shift_x=0.86)  # 5.76 pixels
    moves_to(x, y + 2, shift_y=0.36)  # -2.24


def test_scale_enlarges():
    """The factor is 2^(0.2 n)."""
    x, y = places()
    moves_to(x / 2**0.3, y / 2**0.3, scale=1.5)
    moves_to(x * 2**0.4, y * 2**0.4, scale=-2.0)


@pytest.mark.parametrize("name", ["pre_rotation", "post_rotation"])
def test_rotations_turn_clockwise(name):
    """The angle is (2 u - 1) pi."""
    moves_to(*turned(*places(), angle=0.4 * math.pi), **{name: 0.7})


def test_stretch_keeps_the_area():
    x, y = places()
    moves_to(x / 2**0.4, y * 2**0.4, stretch=2.0)


def test_fractional_shift_is_not_rounded():
    """n = 0.3 is 0.3 * 0.125 * 64 = 2.4 pixels."""
    x, y = places()
    moves_to(x - 2.4, y + 9.2, fraction_x=0.3, fraction_y=-1.15)


def test_borders_reflect_however_far():
    x, y = places()
    moves_to(x - 200, y + 100, fraction_x=25.0, fraction_y=-12.5)


def test_motions_follow_one_another():
    """Undone from the last to the first: what is done early is carried along by what follows."""
    x, y = places()
    x, y = x - 4, y + 8  # fraction, 0.125 * 64 * (0.5, -1)
    x, y = turned(x, y, 0.3 * math.pi)  # post_rotation
    x, y = x / 2**0.2, y * 2**0.2  # stretch
    x, y = turned(x, y, -0.2 * math.pi)  # pre_rotation
    x, y = x / 2**0.1, y / 2**0.1  # scale
    x, y = x - 6, y + 4  # shift
    x, y = turned(x, y, math.pi / 2)  # turn
    drawn = dict(flip=0.7, turn=0.3, shift_x=0.875, shift_y=0.25, scale=0.5, pre_rotation=0.4)
    moves_to(-x, y, **drawn, stretch=1.0, post_rotation=0.65, fraction_x=0.5, fraction_y=-1.0)


def test_flip_precedes_turn():
    image = picture(*places())
    expected = image.flip(3).rot90(-1, (2, 3))
    result = augment(image, HALF, only(flip=0.7, turn=0.3))
    torch.testing.assert_close(result, expected, atol=2e-3, rtol=0)


def test_geometry_keeps_a_uniform_image():
    """Every filter sums to 1 at every phase, and no border is dark."""
    numbers = draw_numbers(np.random.default_rng(0), 32)
    numbers[:, GATES.index("brightness") : len(GATES)] = 1.0  # no colour
    images = torch.full((32, 3, 32, 32), 0.7)
    torch.testing.assert_close(augment(images, torch.tensor(1.0), numbers), images)


# Colour


def test_brightness_adds():
    assert recolored(*PIXEL, brightness=1.5) == [0.7, 0.1, 0.4]


def test_contrast_multiplies():
    assert recolored(*PIXEL, contrast=2.0) == [0.8, -0.4, 0.2]
    assert recolored(*PIXEL, contrast=-2.0) == [0.2, -0.1, 0.05]


def test_luma_flip_negates_the_mean_of_half_of_the_draws():
    """Twice the mean is taken off each channel, so hue and saturation stay."""
    assert recolored(*PIXEL, luma_flip=0.7) == [0.2, -0.4, -0.1]
    assert recolored(*PIXEL, luma_flip=0.3) == [*PIXEL]


def test_hue_rotates_the_channels():
    """(2 u - 1) pi; a third of a turn passes red on to green, green to blue, blue to red."""
    assert recolored(*PIXEL, hue=5 / 6) == [0.1, 0.4, -0.2]
    assert recolored(*PIXEL, hue=1 / 6) == [-0.2, 0.1, 0.4]


def test_saturation_scales_the_distance_from_grey():
    assert recolored(*PIXEL, saturation=1.0) == [0.7, -0.5, 0.1]


def test_colours_follow_one_another():
    """Brightened to (0.7, 0.1, 0.4) with mean 0.4, doubled to (1.4, 0.2, 0.8), less 1.6."""
    assert recolored(*PIXEL, brightness=1.5, contrast=2.0, luma_flip=0.7) == [-0.2, -1.4, -0.8]


def test_grey_images_change_in_lightness_alone():
    assert recolored(0.2, brightness=1.5, contrast=2.0, luma_flip=0.7) == [-1.0]
    assert recolored(0.2, hue=0.9, saturation=1.5) == [0.2]


# Chance


@pytest.mark.parametrize("p", [0.2, 0.8])
def test_rates(p):
    """Half of the flips and a quarter of the turns do nothing; the two rotations share one p."""
    numbers = draw_numbers(np.random.default_rng(0), 20_000)
    amount = amounts(torch.tensor(p), numbers, SIZE)
    happened = {name: value != 0 for name, value in amount.items()}
    happened["rotation"] = happened["pre_rotation"] | happened["post_rotation"]
    expected = dict.fromkeys(happened, p) | {"flip": p / 2, "luma_flip": p / 2, "turn": 3 * p / 4}
    expected |= dict.fromkeys(["pre_rotation", "post_rotation"], 1 - math.sqrt(1 - p))
    expected |= dict.fromkeys(["shift_x", "shift_y"], p * 15 / 16)  # 1 in 16 rounds to 0
    rates = {name: value.double().mean().item() for name, value in happened.items()}
    assert rates == pytest.approx(expected, abs=0.012)


def test_about_p_of_the_images_change_by_one_transform():
    numbers = draw_numbers(np.random.default_rng(0), 400)
    numbers[:, : len(GATES)].masked_fill_(torch.tensor([g != "scale" for g in GATES]), 1.0)
    images = torch.randn(400, 1, 8, 8)
    changed = (augment(images, torch.tensor(0.3), numbers) != images).flatten(1).any(dim=1)
    assert changed.double().mean().item() == pytest.approx(0.3, abs=0.07)


def test_draws_have_the_spread_of_the_paper():
    amount = amounts(torch.tensor(1.0), draw_numbers(np.random.default_rng(0), 20_000), SIZE)
    spread = {name: value.std().item() for name, value in amount.items()}
    expected = {"scale": 0.2, "stretch": 0.2, "fraction_x": 8.0, "fraction_y": 8.0}
    expected |= {"brightness": 0.2, "contrast": 0.5, "saturation": 1.0}
    expected |= dict.fromkeys(["pre_rotation", "post_rotation", "hue"], math.pi / math.sqrt(3))
    assert {name: spread[name] for name in expected} == pytest.approx(expected, rel=0.03)
    assert set(amount["shift_x"].tolist()) == set(range(-8, 9))


def test_numbers_come_from_the_generator_given():
    first, again = (draw_numbers(np.random.default_rng(3), 5) for _ in range(2))
    assert first.dtype == torch.float32 and torch.equal(first, again)
    assert first.shape == (5, len(GATES) + len(UNIFORMS) + len(NORMALS))
    rng = np.random.default_rng(3)
    assert not torch.equal(draw_numbers(rng, 5), draw_numbers(rng, 5))


def test_torch_generator_is_left_alone():
    images, before = torch.randn(4, 3, 16, 16), torch.get_rng_state()
    numbers = draw_numbers(np.random.default_rng(0), 4)
    first = augment(images, HALF, numbers)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(augment(images, HALF, numbers), first)


def test_batch_equals_its_images_one_by_one():
    images, numbers = torch.randn(6, 3, 32, 32), draw_numbers(np.random.default_rng(0), 6)
    batch = augment(images, HALF, numbers)
    singles = [augment(images[i : i + 1], HALF, numbers[i : i + 1]) for i in range(6)]
    torch.testing.assert_close(batch, torch.cat(singles))


# Derivatives and precision


def test_first_and_second_derivatives():
    numbers = draw_numbers(np.random.default_rng(0), 2)
    images = torch.randn(2, 3, 5, 5, dtype=torch.float64, requires_grad=True)

    def squared(images):  # augment alone is affine: its second derivative would be 0
        return augment(images, torch.tensor(0.9), numbers).square().mean(dim=(2, 3))

    assert augment(images, HALF, numbers).dtype == torch.float64
    assert gradcheck(squared, images)
    assert gradgradcheck(squared, images)


def test_autocast_does_not_reach_inside():
    images, numbers = torch.randn(4, 3, 16, 16), draw_numbers(np.random.default_rng(0), 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = augment(images, HALF, numbers)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, augment(images, HALF, numbers))


# How much


def test_p_moves_by_the_images_shown():
    """kimg = 1: 10 images are a hundredth. All signs +1 exceed the target, all -1 do not."""
    control = AdaptiveAugment(kimg=1.0, start=0.2)
    assert control.p.item() == pytest.approx(0.2)
    control.observe(torch.ones(8, 1))
    control.adjust(10)
    assert control.p.item() == pytest.approx(0.21)
    control.observe(-torch.ones(8, 1))
    control.adjust(20)
    assert control.p.item() == pytest.approx(0.19)


@pytest.mark.parametrize("num_positive, change", [(7, -0.1), (9, 0.1)])
def test_p_follows_the_mean_sign_of_all_that_was_observed(num_positive, change):
    """Of 10 logits, 8 positive ones have a mean sign of 0.6, the target; size is no matter."""
    control = AdaptiveAugment(kimg=1.0, start=0.5)
    signs = torch.tensor([1.0] * num_positive + [-1.0] * (10 - num_positive))
    logits = signs * torch.rand(10).add(0.1)
    for part in logits.split(4):
        control.observe(part)
    control.adjust(100)
    assert control.p.item() == pytest.approx(0.5 + change)


def test_p_stays_between_0_and_the_cap():
    control = AdaptiveAugment(kimg=1.0, start=0.2, cap=0.7)
    for sign, bound in [(1.0, 0.7), (-1.0, 0.0)]:
        control.observe(torch.full((4,), sign))
        control.adjust(5000)
        assert control.p.item() == pytest.approx(bound)


def test_adjusting_forgets_and_without_observations_does_nothing():
    control = AdaptiveAugment(kimg=1.0)
    control.observe(torch.ones(4))
    control.adjust(10)
    assert control.signs.tolist() == [0, 0]
    before = control.p.clone()
    control.adjust(10)
    assert torch.equal(control.p, before)


def test_processes_decide_together():
    """This one saw 4 of 4 positive; with another that saw none of 4 the mean sign is 0."""
    control = AdaptiveAugment(kimg=1.0)
    control.observe(torch.ones(4))
    control.adjust(10, lambda signs: signs + torch.tensor([-4.0, 4.0]))
    assert control.p.item() == pytest.approx(0.19)


def test_state_survives_saving():
    control, restored = AdaptiveAugment(kimg=1.0), AdaptiveAugment(kimg=1.0, start=0.0)
    control.observe(torch.tensor([0.5, -2.0, 3.0]))
    control.adjust(30)
    control.observe(torch.tensor([0.5, -2.0, 3.0]))
    assert control.state_dict().keys() == {"p", "signs"}
    restored.load_state_dict(control.state_dict())
    assert torch.equal(restored.p, control.p) and restored.signs.tolist() == [1, 3]
