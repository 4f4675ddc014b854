"""One step of either network: what moves, what stays, and the gradient it follows."""

import copy
import math

import pytest
import torch
from accelerate import Accelerator
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import training.steps
from stylegan import Discriminator, DiscriminatorConfig, Generator, ops
from training.augment import AdaptiveAugment, augment
from training.config import TrainConfig
from training.draws import Dealer
from training.ema import update_ema
from training.losses import logistic_d, logistic_g, path_lengths, r1_penalty
from training.steps import Recipe, Run, TrainedGenerator, discriminator_step, generator_step

NAMES = ["a", "b"]


@pytest.fixture
def start(tiny):
    """Build a run of plain gradient descent with a rate of 1: a step is the negative gradient."""

    def start(*, c_dim=0, lr=1.0, p=0.5, D=None):
        torch.manual_seed(1)
        G = Generator(tiny(c_dim=c_dim))
        D = D or Discriminator(
            DiscriminatorConfig(32, c_dim=c_dim, channel_base=128, channel_max=8)
        )
        G_opt = torch.optim.SGD(G.parameters(), lr=lr)
        D_opt = torch.optim.SGD([p for p in D.parameters() if p.requires_grad], lr=lr)
        ada, G_ema = AdaptiveAugment(start=p), copy.deepcopy(G)
        accelerator = Accelerator(cpu=True)
        wrapped = TrainedGenerator(G)
        return Run(accelerator, wrapped, D, G_ema, G_opt, D_opt, ada, torch.tensor(0.5))

    return start


@pytest.fixture
def deal(tmp_path):
    """Shares of a batch of which image n has the label n % 3 % 2."""

    def deal(batch=4, accumulate=1, paths=False, reals=None):
        config = TrainConfig(str(tmp_path), "o", batch=batch, accumulate=accumulate, z_dim=8)
        where = dict(rank=0, num_processes=1, device=torch.device("cpu"))
        dealer = Dealer(config, num_labels=len(NAMES), **where)
        if reals is None:
            generator = torch.Generator().manual_seed(2)
            reals = torch.rand(batch, 3, 32, 32, generator=generator) * 2 - 1
        return dealer.deal(0, reals, torch.arange(batch) % 3 % 2, paths=paths)

    return deal


def plain(**changes):
    return Recipe(**dict(batch=4, augment=False) | changes)


def draw(run, drawing):
    """By a copy of the generator; and the copy."""
    G = copy.deepcopy(run.G.G)
    return G(drawing.z), G


def parameters(network):
    return {name: p.detach().clone() for name, p in network.named_parameters()}


def assert_equal(actual, expected):
    for name, tensor in expected.items():
        assert torch.equal(actual[name], tensor), name


def assert_stepped(network, before):
    """Its parameters are those of `before`, which has its gradients, one step of rate 1 later."""
    for (name, after), old in zip(network.named_parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(after, old - old.grad, msg=name)
    assert any(p.grad.any() for p in before.parameters())


# The generator as a step calls it


@torch.no_grad()
def test_a_step_gets_images_and_their_styles(tiny):
    G = Generator(tiny(c_dim=2))
    twin, z, c = copy.deepcopy(G), torch.randn(4, 8), torch.eye(2).repeat(2, 1)
    img, ws = TrainedGenerator(G)(z, c, label_weight=0.25, ema_images=4)
    expected = twin.mapping(z, c, label_weight=0.25)
    assert torch.equal(ws, expected)
    assert torch.equal(img, twin.synthesis(expected))
    torch.testing.assert_close(G.mapping.w_avg, 0.002 * expected[:, 0].mean(dim=0))


# The generator's step


def test_a_generator_step_follows_its_loss_and_leaves_d_alone(start, deal):
    run, shares = start(), deal()
    D_before, buffers = parameters(run.D), dict(copy.deepcopy(run.G).named_buffers())
    fakes, twin = draw(run, shares[0].for_g)
    loss = logistic_g(copy.deepcopy(run.D)(fakes))
    loss.backward()
    stats = generator_step(run, shares, plain())
    assert_stepped(run.G.G, twin)
    assert_equal(parameters(run.D), D_before)
    assert_equal(dict(run.G.named_buffers()), buffers)  # averages belong to the other step
    assert all(p.requires_grad and p.grad is None for p in run.D.parameters())
    assert set(stats) == {"loss/G"} and not stats["loss/G"].requires_grad
    torch.testing.assert_close(stats["loss/G"], loss.detach())
    assert run.mean_path == 0.5 and run.ada.signs.tolist() == [0, 0]


def test_path_lengths_are_held_to_their_mean_on_half_of_the_images(start, deal):
    """The mean goes a hundredth of the way to this step's before they are compared with it."""
    run, (share,) = start(), deal(paths=True)
    fakes, twin = draw(run, share.for_g)
    ws = twin.mapping(share.for_g.z[:2])
    lengths = path_lengths(twin.synthesis(ws), ws, share.paths[:2])
    mean = lengths.mean().item()
    new = 0.5 + 0.01 * (mean - 0.5)
    penalty = (lengths - new).square().mean()
    (logistic_g(copy.deepcopy(run.D)(fakes)) + 3.0 * penalty).backward()
    stats = generator_step(run, [share], plain(path_weight=3.0))
    assert_stepped(run.G.G, twin)
    torch.testing.assert_close(stats["path/penalty"], penalty.detach())
    torch.testing.assert_close(stats["path/length"], torch.tensor(mean))
    torch.testing.assert_close(run.mean_path, torch.tensor(new))
    assert penalty > 1e-4  # large enough to be missed in the gradient


# The discriminator's step


@pytest.mark.parametrize("r1_weight", [0.0, 2.5])
def test_a_discriminator_step_follows_its_loss_and_leaves_g_alone(start, deal, r1_weight):
    run, (share,) = start(), deal()
    G_before, twin = parameters(run.G), copy.deepcopy(run.D)
    fakes = draw(run, share.for_d)[0].detach()
    images = share.reals.clone().requires_grad_()
    logits = twin(images)
    loss = logistic_d(logits, twin(fakes))
    (loss + r1_weight * r1_penalty(logits, images)).backward()
    stats = discriminator_step(run, [share], plain(r1_weight=r1_weight), NAMES)
    assert_equal(parameters(run.G), G_before)
    assert_stepped(run.D, twin)
    torch.testing.assert_close(stats["loss/D"], loss.detach())
    torch.testing.assert_close(stats["logits/real"], logits.detach().mean())
    assert ("r1" in stats) == (r1_weight > 0)
    assert not any(x.requires_grad for x in [share.reals, *stats.values()])


def test_averages_move_once_with_the_images_drawn_for_d(start, deal):
    """w_avg by 0.002 of the way; magnitudes decay by half in 20 000 images, here after 16."""
    run, (share,) = start(), deal()
    layer, seen = run.G.G.synthesis.get_submodule("L0_36_8"), []
    layer.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    w = run.G.G.mapping(share.for_d.z)[:, 0].detach()
    discriminator_step(run, [share], plain(batch=16), NAMES)
    torch.testing.assert_close(run.G.G.mapping.w_avg, 0.002 * w.mean(dim=0))
    magnitude, keep = seen[0].square().mean(), 0.5 ** (16 / 20_000)
    torch.testing.assert_close(
        layer.magnitude_ema - 1, (1 - keep) * (magnitude - 1), rtol=1e-3, atol=1e-7
    )


# Augmentation and labels


def test_both_networks_judge_augmented_images(start, deal):
    """R1 is taken through the augmentation, with respect to the reals as they are."""
    run, (share,) = start(p=0.7), deal()
    p, D = torch.tensor(0.7), copy.deepcopy(run.D)
    fakes, twin = draw(run, share.for_g)
    logistic_g(D(augment(fakes, p, share.for_g.numbers))).backward()
    generator_step(run, [share], plain(augment=True))
    assert_stepped(run.G.G, twin)

    run, D = start(p=0.7), copy.deepcopy(run.D)
    fakes, reals = draw(run, share.for_d)[0].detach(), share.reals.clone().requires_grad_()
    logits = D(augment(reals, p, share.numbers))
    loss = logistic_d(logits, D(augment(fakes, p, share.for_d.numbers)))
    (loss + r1_penalty(logits, reals)).backward()
    discriminator_step(run, [share], plain(augment=True, r1_weight=1.0), NAMES)
    assert_stepped(run.D, D)


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_both_networks_see_the_labels_with_their_weight(start, deal, weight):
    run, (share,) = start(c_dim=2), deal()
    c, recipe = share.labels, plain(labels=torch.tensor(weight))
    assert c.argmax(1).tolist() == [0, 1, 0, 0]

    def drawn(G, drawing):
        return G.synthesis(G.mapping(drawing.z, c, label_weight=weight))

    twin, D = copy.deepcopy(run.G.G), copy.deepcopy(run.D)
    logistic_g(D(drawn(twin, share.for_g), c, weight)).backward()
    generator_step(run, [share], recipe)
    assert_stepped(run.G.G, twin)

    run = start(c_dim=2)
    D = copy.deepcopy(run.D)
    fakes = drawn(run.G.G, share.for_d).detach()
    logistic_d(D(share.reals, c, weight), D(fakes, c, weight)).backward()
    discriminator_step(run, [share], recipe, NAMES)
    assert_stepped(run.D, D)


class Brightness(nn.Module):
    """The mean of an image as its logit."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, img):
        return self.weight * img.mean(dim=(1, 2, 3))[:, None]


@pytest.mark.parametrize("accumulate", [1, 2, 4])
def test_signs_are_counted_by_label_and_noted(start, deal, accumulate):
    """Labels a b a a b a a b; of the five a three are called real, of the three b two."""
    signs = torch.tensor([1.0, -1, -1, 1, 1, -1, 1, 1])
    reals = (signs * torch.arange(1, 9) / 9)[:, None, None, None].expand(8, 3, 32, 32)
    run, shares = start(D=Brightness()), deal(8, accumulate, reals=reals)
    stats = discriminator_step(run, shares, plain(batch=8), NAMES)
    assert stats["signs/real/a"].tolist() == [3 - 2, 5]
    assert stats["signs/real/b"].tolist() == [2 - 1, 3]
    assert run.ada.signs.tolist() == [2, 8]
    assert stats["signs/real"] == 0.25
    assert stats["logits/real"].item() == pytest.approx((1 - 2 - 3 + 4 + 5 - 6 + 7 + 8) / 9 / 8)


# A batch in parts


@pytest.fixture
def both_ways(start, deal):
    """Runs that stand still, after a step on 8 images at once, and on two parts of 4."""

    def both_ways(recipe, c_dim=2, **kwargs):
        results = []
        for accumulate in (1, 2):
            run, shares = start(c_dim=c_dim, lr=0.0), deal(8, accumulate, **kwargs)
            assert len(shares) == accumulate
            stats = generator_step(run, shares, recipe)
            stats |= discriminator_step(run, shares, recipe, NAMES)
            results.append((run, stats))
        return results

    return both_ways


def assert_same_gradients(a, b):
    """Up to rounding, measured at 1e-5 of each tensor's largest."""
    noise = 1e-6 * max(p.grad.abs().max().item() for p in a.parameters())
    for (name, p), q in zip(a.named_parameters(), b.parameters(), strict=True):
        atol = 1e-4 * p.grad.abs().max().item() + noise
        torch.testing.assert_close(q.grad, p.grad, rtol=0, atol=atol, msg=name)


def assert_same_stats(a, b):
    assert a.keys() == b.keys()
    for name, x in a.items():
        torch.testing.assert_close(x, b[name], rtol=1e-4, atol=1e-6, msg=name)


def test_a_batch_in_parts_is_the_batch_at_once(both_ways):
    """Its gradients and statistics, regularized, augmented and with labels. (Groups that the
    discriminator compares are dealt to one part.)"""
    recipe = plain(batch=8, augment=True, labels=torch.tensor(0.5), r1_weight=1.0)
    (whole, stats), (parts, stats_of_parts) = both_ways(recipe)
    assert_same_gradients(whole.G, parts.G)
    assert_same_gradients(whole.D, parts.D)
    assert_same_stats(stats, stats_of_parts)
    assert torch.equal(whole.ada.signs, parts.ada.signs)


def test_path_lengths_in_parts_are_those_of_the_batch(both_ways, monkeypatch):
    """The first halves of all parts are the first half of the batch. Here the running mean stands
    still; else each part moves it."""
    monkeypatch.setattr(training.steps, "PATH_DECAY", 0.0)
    recipe = plain(batch=8, path_weight=100.0)
    (whole, stats), (parts, stats_of_parts) = both_ways(recipe, c_dim=0, paths=True)
    assert_same_gradients(whole.G, parts.G)
    assert_same_stats(stats, stats_of_parts)


def test_averages_move_once_for_a_batch_in_parts(start, deal):
    """As far as for a whole batch, towards the images of the last part."""
    run, shares = start(lr=0.0), deal(8, accumulate=2)
    alone = start(lr=0.0)
    discriminator_step(run, shares, plain(batch=8), NAMES)
    discriminator_step(alone, shares[1:], plain(batch=8), NAMES)
    assert run.G.G.mapping.w_avg.any()
    assert_equal(dict(run.G.named_buffers()), dict(alone.G.named_buffers()))


# What a step must not touch


def test_frozen_blocks_of_d_stay(start, deal):
    D = Discriminator(DiscriminatorConfig(32, channel_base=128, channel_max=8))
    D.b32.requires_grad_(False)
    run, shares, before = start(D=D), deal(), parameters(D)
    generator_step(run, shares, plain())
    discriminator_step(run, shares, plain(r1_weight=1.0), NAMES)
    for name, p in D.named_parameters():
        frozen = name.startswith("b32")
        assert p.requires_grad != frozen, name
        assert torch.equal(p, before[name]) == frozen, name


def test_gradients_that_overflowed_do_not_spoil_the_weights(start, deal):
    """nan counts as 0, infinities as 1e5."""
    run, shares = start(), deal()
    weight = run.D.b4.out.bias
    before = weight.detach().clone()
    for bad, step in [(math.nan, 0.0), (math.inf, -1e5), (-math.inf, 1e5)]:
        with torch.no_grad():
            weight.copy_(before)
        hook = weight.register_hook(lambda grad, bad=bad: torch.full_like(grad, bad))
        discriminator_step(run, shares, plain(), NAMES)
        hook.remove()
        torch.testing.assert_close(weight.detach(), before + step)


class NoReading(TorchDispatchMode):
    """Refuses what would have to wait for an accelerator: a value read, a shape that depends on
    one."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        assert name not in ("_local_scalar_dense", "nonzero", "masked_select", "equal"), name
        return function(*args, **kwargs or {})


def test_the_guard_against_reading_sees_a_value_read():
    with NoReading(), pytest.raises(AssertionError, match="_local_scalar_dense"):
        torch.ones(1).item()


def test_no_step_reads_a_value_or_makes_a_shape_of_one(start, deal, monkeypatch):
    """No result is waited for (copies to a device are not seen here): augmentation, labels, blur,
    R1, path lengths, the controller and the average included. Whether anything is clamped is asked
    on a CPU only (test_ops.py)."""
    monkeypatch.setattr(ops, "may_clamp", lambda *_: True)
    run = start(c_dim=2)
    shares = deal(paths=True)
    extras = dict(labels=torch.tensor(0.5), blur=torch.ones(7) / 7, r1_weight=1.0, path_weight=1.0)
    recipe = plain(augment=True, **extras)
    with NoReading():
        generator_step(run, shares, recipe)
        discriminator_step(run, shares, recipe, NAMES)
        run.ada.adjust(16)
        update_ema(run.G_ema, run.G.G, 0.5)
