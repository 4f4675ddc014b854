"""One step of both networks: what moves, what stays, and the gradients they follow."""

import copy
import dataclasses
import math

import pytest
import torch
from accelerate import Accelerator
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import stylegan.generator
import training.steps
from stylegan import Discriminator, DiscriminatorConfig, Generator, ops
from training.adversary import HEADS_WEIGHT, Heads, identity
from training.augment import AdaptiveAugment, augment
from training.config import TrainConfig
from training.critic import FeatureCritic, MapCritic
from training.draws import Dealer
from training.ema import update_ema
from training.losses import (
    HINGE,
    LOGISTIC,
    PAIRED,
    logistic_d,
    logistic_g,
    path_lengths,
    r1_penalty,
)
from training.percept import SIDE, Percept
from training.redraw import Redraw
from training.run import Recipe, Run, TrainedGenerator
from training.steps import take_step
from training.variety import vary

NAMES = ["a", "b"]


@pytest.fixture
def start(tiny):
    """Build a run of plain gradient descent: with a rate of 1 a step is the negative gradient, with
    a rate of 0 a network stands still."""

    def start(*, c_dim=0, g_lr=0.0, d_lr=0.0, redraw=None, heads=None, p=0.5, D=None):
        torch.manual_seed(1)
        G = Generator(tiny(c_dim=c_dim))
        D = D or Discriminator(
            DiscriminatorConfig(32, c_dim=c_dim, channel_base=128, channel_max=8)
        )
        G_opt = torch.optim.SGD(G.parameters(), lr=g_lr)
        D_opt = torch.optim.SGD([p for p in D.parameters() if p.requires_grad], lr=d_lr)
        ada, G_ema = AdaptiveAugment(start=p), copy.deepcopy(G)
        accelerator = Accelerator(cpu=True)
        parts = accelerator, TrainedGenerator(G), D, G_ema, G_opt, D_opt, ada, torch.tensor(0.5)
        kind = (D.see, HINGE) if isinstance(D, FeatureCritic) else (identity, LOGISTIC)
        return Run(*parts, *kind, redraw, heads)

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
    return Recipe(**dict(batch=4) | changes)


def draw(run, share):
    """By a copy of the generator; and the copy."""
    G = copy.deepcopy(run.G.G)
    return G(share.z), G


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


# What each network follows


@pytest.fixture
def redraw():
    percept = Percept(torch.rand(8, 3, 32, 32) * 2 - 1)
    z, looks = torch.randn(4, 8), torch.zeros(4, 0)
    return Redraw(5.0, percept, z, [torch.arange(4)], [looks], [1.0], 0)


def of_faces(share, redraw, faces, noise):
    """A share whose fakes are to be real faces."""
    z = redraw.near(faces, share.z, noise)
    return dataclasses.replace(share, z=z, faces=faces, noise=noise)


@pytest.mark.parametrize("accumulate", [1, 2, 4])
def test_g_follows_how_unlike_its_fakes_of_real_faces_are_and_tells_how_z_should(
    start, deal, redraw, accumulate
):
    """The less so the more noise there is in its z."""
    run, shares = start(g_lr=1.0, redraw=redraw), deal(accumulate=accumulate)
    faces, noise = torch.tensor([2, 0, 3, 1]), torch.tensor([0.0, 0.5, 0.9, 1.0])
    split = [(x[part::accumulate] for x in (faces, noise)) for part in range(accumulate)]
    shares = [of_faces(share, redraw, *x) for share, x in zip(shares, split, strict=True)]
    twin, D = copy.deepcopy(run.G), copy.deepcopy(run.D)
    z = [share.z.clone().requires_grad_() for share in shares]
    losses = []
    for part, share in enumerate(shares):
        fakes, _ = twin(z[part], ema_images=4 if part == accumulate - 1 else 0)
        unlike = redraw.percept(fakes, share.reals)
        loss = logistic_g(D(fakes)) + 5 * ((1 - share.noise) * unlike).mean()
        losses.append(unlike.detach())
        (loss / accumulate).backward()
    stats = take_step(run, shares, plain(), NAMES)
    assert_stepped(run.G, twin)
    torch.testing.assert_close(stats["grad/z"], torch.cat([x.grad for x in z]))
    torch.testing.assert_close(stats["loss/redraw"], torch.cat(losses).mean())


@pytest.fixture
def heads(redraw):
    """A critic on what `redraw` compares faces by, of plain gradient descent."""
    torch.manual_seed(4)
    critic = MapCritic(SIDE).eval()
    critic.calibrate(redraw.percept.maps(torch.rand(8, 3, 32, 32) * 2 - 1))
    return Heads(critic, critic.mixed, torch.optim.SGD(critic.parameters(), lr=1.0))


def test_heads_learn_beside_d_and_then_judge_for_g(start, deal, redraw, heads):
    """What they judge is what faces are compared by; spectral norms are renewed once a step."""
    run, (share,) = start(g_lr=1.0, redraw=redraw, heads=heads), deal()
    share = of_faces(share, redraw, torch.arange(4), torch.ones(4))  # as unlike as they may be
    critic, D = copy.deepcopy(heads.critic), copy.deepcopy(run.D)
    fakes, twin = draw(run, share)
    maps = critic.mixed(redraw.percept.maps(fakes))
    fake_logits = critic.train()([x.detach() for x in maps])
    real_logits = critic.eval()(critic.mixed(redraw.percept.maps(share.reals)))
    loss = HINGE.of_d(real_logits, fake_logits)
    loss.backward()
    with torch.no_grad():
        for p in critic.parameters():
            p -= p.grad
    (logistic_g(D(fakes)) + HEADS_WEIGHT * HINGE.of_g(critic(maps))).backward()
    stats = take_step(run, [share], plain(), NAMES)
    torch.testing.assert_close(stats["loss/heads"], loss.detach())
    torch.testing.assert_close(stats["heads/real"], real_logits.detach().mean())
    torch.testing.assert_close(stats["heads/fake"], fake_logits.detach().mean())
    assert_equal(parameters(heads.critic), parameters(critic))
    assert all(p.requires_grad for p in heads.critic.parameters())
    assert_stepped(run.G.G, twin)


def test_g_follows_its_loss_and_leaves_d_alone(start, deal):
    run, (share,) = start(g_lr=1.0), deal()
    D_before = parameters(run.D)
    fakes, twin = draw(run, share)
    loss = logistic_g(copy.deepcopy(run.D)(fakes))
    loss.backward()
    stats = take_step(run, [share], plain(), NAMES)
    assert_stepped(run.G.G, twin)
    assert_equal(parameters(run.D), D_before)
    assert all(p.requires_grad for p in run.D.parameters())
    torch.testing.assert_close(stats["loss/G"], loss.detach())
    assert not any(x.requires_grad for x in stats.values())
    assert "path/length" not in stats and run.mean_path == 0.5


@pytest.mark.parametrize("r1_weight", [0.0, 2.5])
def test_d_follows_its_loss_and_leaves_g_alone(start, deal, r1_weight):
    run, (share,) = start(d_lr=1.0), deal()
    G_before, twin = parameters(run.G), copy.deepcopy(run.D)
    fakes = draw(run, share)[0].detach()
    images = share.reals.clone().requires_grad_()
    logits = twin(images)
    loss = logistic_d(logits, twin(fakes))
    (loss + r1_weight * r1_penalty(logits, images)).backward()
    stats = take_step(run, [share], plain(r1_weight=r1_weight), NAMES)
    assert_equal(parameters(run.G), G_before)
    assert_stepped(run.D, twin)
    torch.testing.assert_close(stats["loss/D"], loss.detach())
    torch.testing.assert_close(stats["logits/real"], logits.detach().mean())
    assert ("r1" in stats) == (r1_weight > 0)
    assert not any(x.requires_grad for x in [share.reals, *stats.values()])


def test_d_learns_first_and_then_judges_the_same_fakes_for_g(start, deal):
    run, (share,) = start(g_lr=1.0, d_lr=1.0), deal()
    D, (fakes, twin) = copy.deepcopy(run.D), draw(run, share)
    logistic_d(D(share.reals), D(fakes.detach())).backward()
    with torch.no_grad():
        for p in D.parameters():
            p -= p.grad
    logistic_g(D(fakes)).backward()
    take_step(run, [share], plain(), NAMES)
    assert_stepped(run.G.G, twin)


def test_path_lengths_are_held_to_their_mean_on_half_of_the_images(start, deal):
    """The mean goes a hundredth of the way to this step's before they are compared with it."""
    run, (share,) = start(g_lr=1.0), deal(paths=True)
    fakes, twin = draw(run, share)
    # averages have moved with the fakes by then
    moved = copy.deepcopy(twin)
    moved.synthesis(moved.mapping(share.z, ema_images=4), ema_images=4)
    for buffer, new in zip(twin.buffers(), moved.buffers(), strict=True):
        buffer.data = new.clone()
    ws = twin.mapping(share.z[:2])
    lengths = path_lengths(twin.synthesis(ws), ws, share.paths[:2])
    mean = lengths.mean().item()
    new = 0.5 + 0.01 * (mean - 0.5)
    penalty = (lengths - new).square().mean()
    (logistic_g(copy.deepcopy(run.D)(fakes)) + 3.0 * penalty).backward()
    stats = take_step(run, [share], plain(path_weight=3.0), NAMES)
    assert_stepped(run.G.G, twin)
    torch.testing.assert_close(stats["path/penalty"], penalty.detach())
    torch.testing.assert_close(stats["path/length"], torch.tensor(mean))
    torch.testing.assert_close(run.mean_path, torch.tensor(new))
    assert penalty > 1e-4  # large enough to be missed in the gradient


def test_averages_move_once_with_the_fakes(start, deal):
    """w_avg by 0.002 of the way; magnitudes decay by half in 20 000 images, here after 16."""
    run, (share,) = start(), deal()
    layer, seen = run.G.G.synthesis.get_submodule("L0_36_8"), []
    layer.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    w = run.G.G.mapping(share.z)[:, 0].detach()
    take_step(run, [share], plain(batch=16), NAMES)
    torch.testing.assert_close(run.G.G.mapping.w_avg, 0.002 * w.mean(dim=0))
    assert len(seen) == 1  # drawn once
    magnitude, keep = seen[0].detach().square().mean(), 0.5 ** (16 / 20_000)
    torch.testing.assert_close(
        layer.magnitude_ema - 1, (1 - keep) * (magnitude - 1), rtol=1e-3, atol=1e-7
    )


# Features, augmentation and labels


def test_a_critic_on_features_sees_varied_images(start, deal):
    """Spectral norms are renewed by the first pass of a step and by no other."""
    torch.manual_seed(3)
    D = FeatureCritic(32)
    run, (share,) = start(g_lr=1.0, d_lr=1.0, D=copy.deepcopy(D)), deal()
    fakes, twin = draw(run, share)

    def seen(img, numbers):
        return D.see(vary(img, numbers))

    maps = seen(fakes, share.numbers_fake)
    fake_logits = D.train()([x.detach() for x in maps])
    real_logits = D.eval()(seen(share.reals, share.numbers))
    HINGE.of_d(real_logits, fake_logits).backward()
    with torch.no_grad():
        for p in D.parameters():
            p -= p.grad
    HINGE.of_g(D(maps)).backward()
    stats = take_step(run, [share], plain(augment="fixed"), NAMES)
    torch.testing.assert_close(stats["logits/real"], real_logits.mean().detach())
    for name, p in D.named_parameters():
        torch.testing.assert_close(run.D.get_parameter(name), p, msg=name)
    assert_stepped(run.G.G, twin)


def test_both_networks_judge_augmented_images(start, deal):
    """R1 is taken through the augmentation, with respect to the reals as they are."""
    run, (share,) = start(p=0.7, g_lr=1.0, d_lr=1.0), deal()
    p, D = torch.tensor(0.7), copy.deepcopy(run.D)
    fakes, twin = draw(run, share)
    augmented, reals = augment(fakes, p, share.numbers_fake), share.reals.clone().requires_grad_()
    logits = D(augment(reals, p, share.numbers))
    (logistic_d(logits, D(augmented.detach())) + r1_penalty(logits, reals)).backward()
    with torch.no_grad():
        for parameter in D.parameters():
            parameter -= parameter.grad
    logistic_g(D(augmented)).backward()
    take_step(run, [share], plain(augment="ada", r1_weight=1.0), NAMES)
    assert_stepped(run.G.G, twin)
    for name, parameter in D.named_parameters():
        torch.testing.assert_close(run.D.get_parameter(name), parameter, msg=name)


def test_pairs_are_judged_by_their_difference_and_d_is_not_steep_at_either(start, deal):
    """G follows the logits that reals had when D learned; signs are those of differences, for in
    pairs all logits may be far from 0."""
    run, (share,) = start(g_lr=1.0, d_lr=1.0), deal()
    run.loss, run.D.b4.out.bias.data[0] = PAIRED, 30.0
    D = copy.deepcopy(run.D)
    fakes, twin = draw(run, share)
    reals, seen = share.reals.clone().requires_grad_(), fakes.detach().requires_grad_()
    real_logits, fake_logits = D(reals), D(seen)
    r1, r2 = r1_penalty(real_logits, reals), r1_penalty(fake_logits, seen)
    (PAIRED.of_d(real_logits, fake_logits) + r1 + r2).backward()
    with torch.no_grad():
        for parameter in D.parameters():
            parameter -= parameter.grad
    PAIRED.of_g(D(fakes), real_logits.detach()).backward()
    stats = take_step(run, [share], plain(r1_weight=1.0), NAMES)
    assert_stepped(run.G.G, twin)
    assert_equal(parameters(run.D), parameters(D))
    torch.testing.assert_close(stats["r2"], r2.detach())
    signs = (real_logits - fake_logits).sign()
    assert real_logits.min() > 1 and run.ada.signs[0] == signs.sum() != len(signs)


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_both_networks_see_the_labels_with_their_weight(start, deal, weight):
    run, (share,) = start(c_dim=2, g_lr=1.0), deal()
    c, recipe = share.labels, plain(labels=torch.tensor(weight))
    assert c.argmax(1).tolist() == [0, 1, 0, 0]

    def drawn(G):
        return G.synthesis(G.mapping(share.z, c, label_weight=weight))

    twin, D = copy.deepcopy(run.G.G), copy.deepcopy(run.D)
    logistic_g(D(drawn(twin), c, weight)).backward()
    take_step(run, [share], recipe, NAMES)
    assert_stepped(run.G.G, twin)

    run = start(c_dim=2, d_lr=1.0)
    D = copy.deepcopy(run.D)
    fakes = drawn(run.G.G).detach()
    logistic_d(D(share.reals, c, weight), D(fakes, c, weight)).backward()
    take_step(run, [share], recipe, NAMES)
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
    stats = take_step(run, shares, plain(batch=8), NAMES)
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
            run, shares = start(c_dim=c_dim), deal(8, accumulate, **kwargs)
            assert len(shares) == accumulate
            stats = take_step(run, shares, recipe, NAMES)
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
    recipe = plain(batch=8, augment="ada", labels=torch.tensor(0.5), r1_weight=1.0)
    (whole, stats), (parts, stats_of_parts) = both_ways(recipe)
    assert_same_gradients(whole.G, parts.G)
    assert_same_gradients(whole.D, parts.D)
    assert_same_stats(stats, stats_of_parts)
    assert torch.equal(whole.ada.signs, parts.ada.signs)


def test_path_lengths_in_parts_are_those_of_the_batch(both_ways, monkeypatch):
    """The first halves of all parts are the first half of the batch. Here the running means
    stand still; else each part moves that of lengths, and the last part the magnitudes."""
    monkeypatch.setattr(training.steps, "PATH_DECAY", 0.0)
    monkeypatch.setattr(stylegan.generator, "MAGNITUDE_HALF_LIFE", math.inf)
    recipe = plain(batch=8, path_weight=100.0)
    (whole, stats), (parts, stats_of_parts) = both_ways(recipe, c_dim=0, paths=True)
    assert_same_gradients(whole.G, parts.G)
    assert_same_stats(stats, stats_of_parts)


def test_averages_move_once_for_a_batch_in_parts(start, deal):
    """As far as for a whole batch, towards the images of the last part."""
    run, shares = start(), deal(8, accumulate=2)
    alone = start()
    take_step(run, shares, plain(batch=8), NAMES)
    take_step(alone, shares[1:], plain(batch=8), NAMES)
    assert run.G.G.mapping.w_avg.any()
    assert_equal(dict(run.G.named_buffers()), dict(alone.G.named_buffers()))


# What a step must not touch


def test_frozen_blocks_of_d_stay(start, deal):
    D = Discriminator(DiscriminatorConfig(32, channel_base=128, channel_max=8))
    D.b32.requires_grad_(False)
    run, shares, before = start(D=D, g_lr=1.0, d_lr=1.0), deal(), parameters(D)
    take_step(run, shares, plain(r1_weight=1.0), NAMES)
    for name, p in D.named_parameters():
        frozen = name.startswith("b32")
        assert p.requires_grad != frozen, name
        assert torch.equal(p, before[name]) == frozen, name


def test_gradients_that_overflowed_do_not_spoil_the_weights(start, deal):
    """nan counts as 0, infinities as 1e5."""
    run, shares = start(d_lr=1.0), deal()
    weight = run.D.b4.out.bias
    before = weight.detach().clone()
    for bad, step in [(math.nan, 0.0), (math.inf, -1e5), (-math.inf, 1e5)]:
        with torch.no_grad():
            weight.copy_(before)
        hook = weight.register_hook(lambda grad, bad=bad: torch.full_like(grad, bad))
        take_step(run, shares, plain(), NAMES)
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


def test_no_step_reads_a_value_or_makes_a_shape_of_one(start, deal, redraw, heads, monkeypatch):
    """No result is waited for (copies to a device are not seen here): augmentation, labels, blur,
    R1, path lengths, faces drawn again, heads, the controller and the average included. Whether
    anything is clamped is asked on a CPU only (test_ops.py)."""
    monkeypatch.setattr(ops, "may_clamp", lambda *_: True)
    shares = [of_faces(deal(paths=True)[0], redraw, torch.arange(4), torch.rand(4))]
    extras = dict(augment="ada", blur=torch.ones(7) / 7, r1_weight=1.0, path_weight=1.0)
    again = start(redraw=redraw, heads=heads)
    for run, labels in ((start(c_dim=2), torch.tensor(0.5)), (again, None)):
        with NoReading():
            take_step(run, shares, plain(labels=labels, **extras), NAMES)
            run.ada.adjust(16)
            update_ema(run.G_ema, run.G.G, 0.5)
