"""The averaged generator by hand."""

import pytest
import torch
from torch import nn

from training.ema import ema_decay, update_ema


def test_decay_halves_over_its_half_life():
    """250 steps of 40 images are one half-life of 10 000."""
    assert ema_decay(40, 10_000) ** 250 == pytest.approx(0.5)
    assert ema_decay(32, 0) == 0


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
