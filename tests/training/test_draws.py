"""The parts of a batch: what they depend on, and that together they are the whole batch."""

import dataclasses
import random

import numpy as np
import pytest
import torch

from stylegan.discriminator import minibatch_deviation
from training.config import TrainConfig
from training.data import EndlessSampler
from training.draws import FAKES, PATHS, REALS, Dealer
from training.redraw import Redraw

NUM_LABELS = 2


@pytest.fixture
def config(tmp_path):
    return TrainConfig(str(tmp_path), "o", batch=16, z_dim=8)


def deal(config, nimg=48, rank=0, num_processes=1, paths=True, redraw=None):
    """A process's shares of a batch whose image n is filled with n and has the label n % 3 % 2.

    With `redraw` each is a slope instead, up to the number of the face.
    """
    where = dict(rank=rank, num_processes=num_processes)
    how = dict(batch=config.batch, first=nimg, seed=config.seed, mirror=config.mirror)
    sampler = EndlessSampler([range(20), range(20, 40)], **how, **where)
    where |= dict(device=torch.device("cpu"), sampler=sampler, redraw=redraw)
    dealer = Dealer(config, num_labels=NUM_LABELS, **where)
    mine = torch.arange(config.batch)[rank::num_processes]
    reals = mine.float()[:, None, None, None].expand(-1, 3, 4, 4)
    if redraw:
        reals = torch.stack([slope(face) for face, _ in next(iter(sampler))])
    return dealer.deal(nimg, reals, mine % 3 % 2, paths=paths)


def slope(face):
    return torch.linspace(0, float(face), 4).expand(3, 4, 4)


def tensors(share):
    """All that a share holds, by name."""
    found = {field.name: getattr(share, field.name) for field in dataclasses.fields(share)}
    return {name: x for name, x in found.items() if x is not None}


def assert_same(a, b):
    assert tensors(a).keys() == tensors(b).keys()
    for name, x in tensors(a).items():
        assert torch.equal(x, tensors(b)[name]), name


def all_shares(config, num_processes, accumulate):
    """Of all processes, in turns: the first of each process, then the second of each."""
    config = dataclasses.replace(config, accumulate=accumulate)
    dealt = [deal(config, rank=r, num_processes=num_processes) for r in range(num_processes)]
    return [share for turn in zip(*dealt, strict=True) for share in turn]


def in_turns(parts):
    """One image of each part, then the next of each."""
    return torch.stack(parts, dim=1).flatten(0, 1)


def test_shapes(config):
    (share,) = deal(config)
    shapes = {name: tuple(x.shape) for name, x in tensors(share).items()}
    num_numbers = shapes["numbers"][1]
    assert shapes == {
        "reals": (16, 3, 4, 4),
        "labels": (16, 2),
        "numbers": (16, num_numbers),
        "z": (16, 8),
        "numbers_fake": (16, num_numbers),
        "paths": (16, 3, 4, 4),
    }
    assert share.labels.argmax(1).tolist() == [n % 3 % 2 for n in range(16)]
    assert (share.labels.sum(1) == 1).all() and share.labels.dtype == torch.float32
    assert deal(config, paths=False)[0].paths is None


def test_seed_and_progress_decide_and_nothing_else(config):
    """Asked again, by another dealer, in another order: the same. Every purpose has its own."""
    torch.manual_seed(0)
    (share,) = deal(config)
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    deal(config, nimg=64)
    assert_same(deal(config)[0], share)
    others = deal(config, nimg=64) + deal(dataclasses.replace(config, seed=1))
    for other in others:
        for name, x in tensors(other).items():
            given = name in ("reals", "labels")
            assert torch.equal(x, tensors(share)[name]) == given, name
    assert not torch.equal(share.numbers, share.numbers_fake)


def test_every_purpose_has_a_stream_of_its_own():
    assert len({FAKES, REALS, PATHS}) == 3


def test_what_was_drawn_for_one_purpose_does_not_hang_on_the_others(config):
    """A step that measures path lengths draws the same images as one that does not."""
    assert_same(dataclasses.replace(deal(config)[0], paths=None), deal(config, paths=False)[0])


def test_global_generators_are_left_alone(config):
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    deal(config)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before[1:]


@pytest.mark.parametrize("num_processes, accumulate", [(2, 1), (1, 2), (2, 2), (1, 4), (4, 2)])
def test_processes_and_parts_together_see_what_one_sees(config, num_processes, accumulate):
    (whole,) = deal(config)
    shares = all_shares(config, num_processes, accumulate)
    assert len(shares) == num_processes * accumulate
    for name, x in tensors(whole).items():
        assert torch.equal(in_turns([tensors(share)[name] for share in shares]), x), name


@pytest.mark.parametrize("num_processes, accumulate", [(1, 1), (2, 1), (2, 2), (1, 16)])
def test_fakes_are_drawn_from_z_near_those_of_the_real_faces(config, num_processes, accumulate):
    """Whoever draws them; these faces are the reals of the step."""
    z = torch.arange(40.0)[:, None].expand(40, 8).clone()
    redraw = Redraw(1.0, None, z, [torch.arange(40)], [torch.zeros(40, 0)], [1.0], 0)
    config, dealt = dataclasses.replace(config, accumulate=accumulate), []
    for rank in range(num_processes):
        dealt.append(deal(config, rank=rank, num_processes=num_processes, redraw=redraw))
    shares = [share for turn in zip(*dealt, strict=True) for share in turn]
    faces = in_turns([share.faces for share in shares])
    assert len(faces.unique()) == 16 and (faces >= 0).all()
    (plain,) = deal(dataclasses.replace(config, accumulate=1))
    noise = in_turns([share.noise for share in shares])
    assert len(noise.unique()) == 16 and (noise >= 0).all() and (noise < 1).all()
    assert noise.max() - noise.min() > 0.5
    drawn = in_turns([share.z for share in shares])
    expected = (1 - noise).sqrt()[:, None] * z[faces] + noise.sqrt()[:, None] * plain.z
    torch.testing.assert_close(drawn, expected)
    for share in shares:
        for face, real in zip(share.faces, share.reals, strict=True):
            assert torch.equal(real, slope(face))


@pytest.mark.parametrize("num_processes, accumulate", [(2, 1), (1, 2), (2, 2), (1, 4)])
def test_the_discriminator_compares_the_same_images_in_parts(config, num_processes, accumulate):
    """Groups of 4 of the batch of 16 stay groups in shares of 8 or 4; not so in blocks."""
    x = torch.randn(16, 2, 4, 4)
    parts = [
        minibatch_deviation(x[share.reals[:, 0, 0, 0].long()], 4)
        for share in all_shares(config, num_processes, accumulate)
    ]
    whole = minibatch_deviation(x, 4)
    torch.testing.assert_close(in_turns(parts), whole)
    blocks = torch.cat([minibatch_deviation(block, 4) for block in x.split(8)])
    assert not torch.allclose(blocks, whole)


def test_latents_and_path_noise_are_standard_normal(config):
    (share,) = deal(dataclasses.replace(config, batch=2000))
    for x in (share.z, share.paths):
        assert x.dtype == torch.float32
        assert x.mean().item() == pytest.approx(0, abs=0.03)
        assert x.std().item() == pytest.approx(1, abs=0.03)
