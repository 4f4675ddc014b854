"""Losses by hand."""

import math

import pytest
import torch

from training.losses import LOGISTIC, PAIRED, logistic_d, logistic_g, path_lengths, r1_penalty


def test_undecided_logits_cost_log_2():
    zero = torch.zeros(4, 1)
    torch.testing.assert_close(logistic_g(zero), torch.tensor(math.log(2)))
    torch.testing.assert_close(logistic_d(zero, zero), torch.tensor(2 * math.log(2)))


def test_losses_are_cross_entropies():
    """sigmoid(log 3) = 3/4. G wants fakes to be called real; D wants both right."""
    logits = torch.full((2, 1), math.log(3))
    torch.testing.assert_close(logistic_g(logits), torch.tensor(-math.log(3 / 4)))
    expected = -math.log(3 / 4) - math.log(1 / 4)  # reals right, fakes called real
    torch.testing.assert_close(logistic_d(logits, logits), torch.tensor(expected))
    torch.testing.assert_close(logistic_d(logits, -logits), torch.tensor(-2 * math.log(3 / 4)))


def test_pairs_are_judged_by_their_difference():
    """sigmoid(log 3) = 3/4: a fake that leads by log 3 is what G wants, and not D."""
    real, fake = torch.tensor([[5.0], [-2.0]]), torch.tensor([[5.0], [-2.0]]) + math.log(3)
    torch.testing.assert_close(PAIRED.of_g(fake, real), torch.tensor(-math.log(3 / 4)))
    torch.testing.assert_close(PAIRED.of_d(real, fake), torch.tensor(-math.log(1 / 4)))
    crossed = PAIRED.of_g(fake.flip(0), real)  # other pairs, another loss
    assert crossed > 2.9
    assert LOGISTIC.of_g(fake, real) == LOGISTIC.of_g(fake.flip(0), real)


def test_large_logits_stay_finite():
    far = torch.tensor([[-1000.0]])
    assert logistic_g(far) == 1000 and logistic_d(far, -far) == 2000


def test_penalty_of_a_linear_critic_is_its_squared_weight():
    """D(x) = <a, x> has gradient a everywhere, so the penalty is |a|^2 for any images."""
    a, x = torch.randn(3, 8, 8), torch.randn(5, 3, 8, 8, requires_grad=True)
    logits = (a * x).sum(dim=(1, 2, 3))
    torch.testing.assert_close(r1_penalty(logits, x), a.square().sum())


def test_penalty_averages_images_and_can_be_differentiated():
    """D(x) = b |x|^2 / 2 has gradient b x: the penalty is b^2 times the mean of |x|^2, and its
    derivative with respect to b is 2 b times that."""
    b = torch.tensor(3.0, requires_grad=True)
    x = torch.tensor([1.0, 2.0])[:, None, None, None].requires_grad_()
    penalty = r1_penalty(b * x.square().sum(dim=(1, 2, 3)) / 2, x)
    torch.testing.assert_close(penalty, torch.tensor(9 * 2.5))
    penalty.backward()
    torch.testing.assert_close(b.grad, torch.tensor(2 * 3 * 2.5))


def test_path_lengths_of_a_linear_generator():
    """Every pixel is s (3 w_0 + 4 w_1) of the first style. Against noise of ones on 2 x 8 pixels
    its gradient is 16 / sqrt(16) s (3, 4), of norm 20 s; with a second style, which does nothing,
    20 s / sqrt(2). Noise of another height moves its own image's length alone."""
    scale = torch.tensor(1.5, requires_grad=True)
    ws = torch.randn(2, 2, 2, requires_grad=True)
    pixel = scale * (3 * ws[:, 0, 0] + 4 * ws[:, 0, 1])
    img = pixel[:, None, None, None].expand(2, 1, 2, 8)
    noise = torch.tensor([1.0, -2.0])[:, None, None, None].expand(2, 1, 2, 8)
    lengths = path_lengths(img, ws, noise)
    expected = torch.tensor([20.0, 40.0]) / math.sqrt(2)
    torch.testing.assert_close(lengths, 1.5 * expected)
    lengths.sum().backward()
    torch.testing.assert_close(scale.grad, expected.sum())


@pytest.mark.parametrize("num_ws", [1, 3])
def test_path_length_of_styles_that_all_do_the_same(num_ws):
    """A mean over the styles: as many as there are, the length of one."""
    ws = torch.randn(1, num_ws, 4, requires_grad=True)
    img = (2 * ws.sum())[None, None, None, None]
    torch.testing.assert_close(
        path_lengths(img, ws, torch.ones(1, 1, 1, 1)), torch.tensor([2 * math.sqrt(4)])
    )
