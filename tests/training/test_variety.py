"""What the critic on features sees of an image, case by case."""

import pytest
import torch

from training.variety import vary

SAME = [0.5, 0.5, 0.5, 0.5, 0.5, 0.0, 0.0]  # but for the hole, a quarter of which lies inside


def numbers(**changes):
    """A row that changes little; names are those of its seven numbers."""
    names = ["brightness", "saturation", "contrast", "right", "down", "hole_x", "hole_y"]
    row = dict(zip(names, SAME, strict=True)) | changes
    return torch.tensor([[*row.values(), 0.25]])


@pytest.fixture
def img():
    return torch.rand(1, 3, 32, 32) * 2 - 1


def visible(img):
    """Of both halves, the one without the hole of SAME."""
    return img[:, :, 16:]


def test_in_the_middle_nothing_changes_but_for_the_hole(img):
    seen = vary(img, numbers())
    torch.testing.assert_close(seen[:, :, 8:], img[:, :, 8:])
    torch.testing.assert_close(seen[:, :, :, 8:], img[:, :, :, 8:])
    assert (seen[:, :, :8, :8] == 0).all()


def test_colours(img):
    brighter = vary(img, numbers(brightness=0.9))
    torch.testing.assert_close(visible(brighter), visible(img + 0.4))
    grey = vary(img, numbers(saturation=0.0))
    expected = img.mean(dim=1, keepdim=True).expand_as(img)
    torch.testing.assert_close(visible(grey), visible(expected))
    mean = img.mean()
    torch.testing.assert_close(
        visible(vary(img, numbers(contrast=0.0))), visible(mean + (img - mean) / 2)
    )


def test_translation_leaves_zeros_behind(img):
    """To the left by an eighth and down by an eighth, at the ends of what is drawn."""
    seen = vary(img, numbers(right=0.0, down=0.9999))
    torch.testing.assert_close(seen[:, :, 20:, :28], img[:, :, 16:28, 4:])
    assert (seen[:, :, :4] == 0).all() and (seen[:, :, :, 28:] == 0).all()


def test_every_image_gets_its_own_and_the_gradient_is_that_of_what_is_seen(img):
    images = img.repeat(2, 1, 1, 1).requires_grad_()
    seen = vary(images, torch.cat([numbers(hole_x=0.5, hole_y=0.5), numbers(right=0.0)]))
    (gradient,) = torch.autograd.grad(seen.sum(), images)
    inside = slice(8, 24)  # the hole of the first
    assert (seen[0, :, inside, inside] == 0).all() and (seen[1, :, inside, 8:24] != 0).all()
    hidden = 16 * 16, 4 * 32 + 8 * 8  # pixels of the first, and of the second
    assert gradient.sum(dim=(1, 2, 3)).tolist() == pytest.approx([3 * (1024 - n) for n in hidden])
