"""The averaged generator by hand."""

import pytest
import torch
from torch import nn

from training.ema import ema_decay, update_ema


def test_decay_halves_over_its_half_life():
    """Late in a run 250 steps of 40 images are one half-life of 10 000."""
    assert ema_decay(40, 10_000, nimg=10**6) ** 250 == pytest.approx(0.5)


def test_the_half_life_is_short_early_on():
    """After 4000 images it is 200, so a step of 100 images keeps sqrt(1/2)."""
    assert ema_decay(100, 10_000, nimg=4000) == pytest.approx(0.5**0.5)
    assert ema_decay(32, 10_000, nimg=0) == 0
    assert ema_decay(32, 0, nimg=4000) == 0


def test_parameters_are_averaged_and_buffers_copied():
    """0.75 * 1 + 0.25 * 5 = 2; the source stays."""
    target, source = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    nn.init.constant_(target.weight, 1.0)
    nn.init.constant_(source.weight, 5.0)
    source.running_mean.fill_(7.0)
    source.num_batches_tracked.fill_(4)
    update_ema(target, source, 0.75)
    assert (target.weight == 2).all() and (source.weight == 5).all()
    assert (target.running_mean == 7).all() and target.num_batches_tracked == 4
    source.running_mean.zero_()
    assert (target.running_mean == 7).all()  # a copy, not the same memory
    assert torch.equal(target.bias, source.bias)
