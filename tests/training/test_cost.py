"""Operations and parameters counted by hand; a multiply-add is two operations."""

import pytest
import torch
from torch import nn

from stylegan import Discriminator, DiscriminatorConfig, Generator
from training.adversary import identity
from training.cost import Cost, Costs, _cost, costs, training_flops


def test_a_convolution():
    """5 x 3 x 9 weights and 5 biases; each weight is used at 8 x 8 pixels."""
    cost = _cost(nn.Conv2d(3, 5, 3, padding=1), torch.zeros(1, 3, 8, 8))
    assert cost == Cost(parameters=140, flops=2 * 135 * 64)


def test_a_depthwise_convolution_with_stride():
    cost = _cost(nn.Conv2d(6, 6, 3, padding=1, stride=2, groups=6), torch.zeros(1, 6, 8, 8))
    assert cost == Cost(parameters=60, flops=2 * 54 * 16)


def test_a_discriminator_block_by_block(tiny):
    """Widths 4, 8, 8, 8 at 32, 16, 8, 4 pixels. (Number of weights, pixels at which each is used);
    the blurs have 16 taps per channel and no weights to learn."""
    D = Discriminator(DiscriminatorConfig(32, channel_base=128, channel_max=8))
    layers = [
        *[(3 * 4, 32**2), (4 * 4 * 9, 32**2), (4 * 8 * 9, 16**2), (4 * 8, 16**2)],
        *[(8 * 8 * 9, 16**2), (8 * 8 * 9, 8**2), (8 * 8, 8**2)],
        *[(8 * 8 * 9, 8**2), (8 * 8 * 9, 4**2), (8 * 8, 4**2)],
        *[(9 * 8 * 9, 4**2), (8 * 16 * 8, 1), (8, 1)],
    ]
    biases = (4 + 4 + 8) + 2 * (8 + 8) + (8 + 8 + 1)
    skips, mains = 4 * 16**2 + 8 * 8**2 + 8 * 4**2, 4 * 33**2 + 8 * 17**2 + 8 * 9**2
    cost = costs(Generator(tiny()), D, identity).d
    assert cost.parameters == sum(number for number, _ in layers) + biases
    uses = sum(number * pixels for number, pixels in layers) + 16 * (skips + mains)
    assert cost.flops == 2 * uses


def test_labels_cost_their_own_layers_and_counting_changes_nothing(tiny):
    """In G an embedding of 2 labels, 12 wide, beside z in the first of two layers, 12 wide."""
    D = Discriminator(DiscriminatorConfig(32, c_dim=2, channel_base=128, channel_max=8))
    plain, labelled = Generator(tiny()), Generator(tiny(c_dim=2))
    before = {name: buffer.clone() for name, buffer in labelled.named_buffers()}
    g = costs(labelled, D, identity).g
    D = Discriminator(DiscriminatorConfig(32, channel_base=128))
    without = costs(plain, D, identity).g
    assert g.parameters - without.parameters == 2 * 12 + 12 + 12 * 12
    assert g.flops - without.flops == 2 * (2 * 12 + 12 * 12)
    for name, buffer in labelled.named_buffers():
        assert torch.equal(buffer, before[name]), name


def test_a_training_step_in_passes():
    """G: drawn once, differentiated once. D: three images forwards; backwards one to the image and
    two whole, which count twice; R1 five passes, here on every fifth step. What D sees: reals and
    fakes forwards, fakes backwards; the same of the maps, where faces are drawn again, which are
    mixed for fakes twice; and heads as D."""
    g, d, see = (Cost(parameters=1, flops=flops) for flops in (100, 1000, 10_000))
    cost = Costs(g, d, see)
    assert training_flops(cost, r1_interval=5) == pytest.approx(3 * 100 + 9 * 1000 + 3 * 10_000)
    pairs = training_flops(cost, r1_interval=5, in_pairs=True)
    assert pairs == pytest.approx(3 * 100 + 10 * 1000 + 3 * 10_000)
    assert training_flops(cost, r1_interval=None) == pytest.approx(3 * 100 + 8 * 1000 + 3 * 10_000)
    again = Costs(g, d, see, maps=Cost(1, 4), mixing=Cost(1, 50), heads=Cost(1, 700))
    more = training_flops(again, r1_interval=None) - training_flops(cost, r1_interval=None)
    assert more == pytest.approx(3 * 4 + 4 * 50 + 8 * 700)


def test_units_of_the_sentence():
    assert str(Cost(1_234_567, 5_670_000_000)) == "1.23 M parameters, 5.67 GFLOP an image"
