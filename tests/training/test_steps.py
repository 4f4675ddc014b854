"""One step of either network: what moves, what stays, and the gradient it follows."""

import copy

import pytest
import torch
from accelerate import Accelerator

from stylegan import Discriminator, DiscriminatorConfig, Generator
from training.losses import logistic_d, logistic_g, r1_penalty
from training.steps import Run, discriminator_step, generator_step


@pytest.fixture
def run(tiny):
    """Plain gradient descent with a rate of 1, so that a step is the negative gradient."""
    G = Generator(tiny())
    D = Discriminator(DiscriminatorConfig(32, channel_base=128, channel_max=8))
    G_opt = torch.optim.SGD(G.parameters(), lr=1.0)
    D_opt = torch.optim.SGD(D.parameters(), lr=1.0)
    return Run(Accelerator(cpu=True), G, D, G_opt, D_opt)


def parameters(network):
    return {name: p.detach().clone() for name, p in network.named_parameters()}


def assert_equal(actual, expected):
    for name, tensor in expected.items():
        assert torch.equal(actual[name], tensor), name


def test_a_generator_step_follows_its_loss_and_leaves_d_alone(run):
    z = torch.randn(4, 8)
    D_before, buffers = parameters(run.D), dict(copy.deepcopy(run.G).named_buffers())
    twin = copy.deepcopy(run.G)
    logistic_g(run.D(twin(z))).backward()
    stats = generator_step(run, z)
    assert_equal(parameters(run.D), D_before)
    assert_equal(dict(run.G.named_buffers()), buffers)  # averages belong to the other step
    for (name, after), before in zip(run.G.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(after, before - before.grad, msg=name)
    assert any(p.grad.any() for p in twin.parameters())
    assert all(p.requires_grad for p in run.D.parameters())
    assert set(stats) == {"loss/G"} and not stats["loss/G"].requires_grad


@pytest.mark.parametrize("r1_weight", [0.0, 2.5])
def test_a_discriminator_step_follows_its_loss_and_leaves_g_alone(run, r1_weight):
    z, reals = torch.randn(4, 8), torch.rand(4, 3, 32, 32) * 2 - 1
    G_before, twin = parameters(run.G), copy.deepcopy(run.D)
    with torch.no_grad():
        fakes = copy.deepcopy(run.G)(z, update_emas=True)
    images = reals.clone().requires_grad_()
    logits = twin(images)
    loss = logistic_d(logits, twin(fakes))
    (loss + r1_weight * r1_penalty(logits, images)).backward()
    stats = discriminator_step(run, reals, z, r1_weight)
    assert_equal(parameters(run.G), G_before)
    for (name, after), before in zip(run.D.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(after, before - before.grad, msg=name)
    torch.testing.assert_close(stats["loss/D"], loss.detach())
    assert ("r1" in stats) == (r1_weight > 0) and not reals.requires_grad
    assert run.G.mapping.w_avg.any()  # the averages follow this step's images
    assert stats["logits/real"] == pytest.approx(logits.mean().item())


def test_gradients_that_overflowed_do_not_spoil_the_weights(run):
    """nan counts as 0, infinities as 1e5."""
    weight = run.D.b4.out.bias
    before = weight.detach().clone()
    for bad, step in [(float("nan"), 0.0), (float("inf"), -1e5), (float("-inf"), 1e5)]:
        with torch.no_grad():
            weight.copy_(before)
        hook = weight.register_hook(lambda grad, bad=bad: torch.full_like(grad, bad))
        discriminator_step(run, torch.zeros(4, 3, 32, 32), torch.randn(4, 8), 0.0)
        hook.remove()
        torch.testing.assert_close(weight.detach(), before + step)
