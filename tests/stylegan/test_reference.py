"""Official checkpoints: names and arguments one by one, and refusal of what is not followed."""

import pytest
import torch

from stylegan import Discriminator, DiscriminatorConfig, Generator
from stylegan.reference import discriminator_from_reference, generator_from_reference

ARGS = dict(z_dim=8, w_dim=12, c_dim=2, img_resolution=32, img_channels=3)
SIZE = dict(channel_base=128, channel_max=8, num_layers=6)


@pytest.fixture
def labelled(tiny):
    """A generator and its state as the official one has it: with filters and a transform."""
    G = Generator(tiny("r", c_dim=2)).eval()
    state = dict(G.state_dict())
    state |= {name: buffer for name, buffer in G.named_buffers() if name.endswith("_filter")}
    state["synthesis.input.transform"] = torch.eye(3)
    return G, state


R = dict(conv_kernel=1, use_radial_filters=True)


@torch.no_grad()
def test_a_labelled_generator_survives_the_round_trip(labelled):
    G, state = labelled
    copy = generator_from_reference(state, ARGS | SIZE | R)
    z, c = torch.randn(2, 8), torch.eye(2)
    assert copy.config == G.config and not copy.training
    assert torch.equal(copy(z, c), G(z, c))


def test_names_and_shapes_are_the_official_ones(labelled):
    """Six layers at 32 pixels: 36 samples a side, 52 from layer 2 on, 32 in the last two; 8
    features while 128 / (2 cutoff) allows, then 7 and 4."""
    shapes = {name: tuple(tensor.shape) for name, tensor in labelled[1].items()}
    assert shapes["mapping.embed.weight"] == (12, 2)
    assert shapes["mapping.fc0.weight"] == (12, 8 + 12)
    assert shapes["mapping.fc1.bias"] == shapes["mapping.w_avg"] == (12,)
    assert shapes["synthesis.input.weight"] == (8, 8)
    assert shapes["synthesis.input.freqs"] == (8, 2) and shapes["synthesis.input.phases"] == (8,)
    assert shapes["synthesis.input.affine.weight"] == (4, 12)
    assert shapes["synthesis.L0_36_8.magnitude_ema"] == ()
    assert shapes["synthesis.L3_52_7.weight"] == (7, 8, 1, 1)
    assert shapes["synthesis.L3_52_7.down_filter"] == (12, 12)
    assert shapes["synthesis.L4_52_4.down_filter"] == (12,)  # critically sampled: separable
    assert shapes["synthesis.L5_32_4.affine.weight"] == (4, 12)
    assert shapes["synthesis.L6_32_3.weight"] == (3, 4, 1, 1)
    assert "synthesis.L6_32_3.up_filter" not in shapes


def test_older_files_nest_the_synthesis_arguments(labelled):
    G, state = labelled
    nested = ARGS | dict(synthesis_kwargs=SIZE | R, mapping_kwargs=dict(num_layers=2))
    assert generator_from_reference(state, nested).config == G.config


def test_arguments_that_change_nothing_are_accepted(labelled):
    G, state = labelled
    neutral = dict(num_fp16_res=4, conv_clamp=256, margin_size=10, filter_size=None)
    assert generator_from_reference(state, ARGS | SIZE | R | neutral).config == G.config


@pytest.mark.parametrize(
    "args, sentence",
    [
        (dict(colour="blue"), "colour='blue' is not supported"),
        (dict(margin_size=8), "margin_size=8 is not supported, only 10"),
        (dict(conv_clamp=128), "conv_clamp=128 is not supported, only 256"),
        (dict(mapping_kwargs=dict(lr_multiplier=0.1)), "lr_multiplier=0.1 .* only 0.01"),
    ],
)
def test_arguments_that_are_not_followed_are_named(labelled, args, sentence):
    with pytest.raises(ValueError, match=sentence):
        generator_from_reference(labelled[1], ARGS | SIZE | R | args)


def test_the_callers_arguments_and_state_are_left_alone(labelled):
    state, args = dict(labelled[1]), ARGS | dict(synthesis_kwargs=SIZE | R)
    names, before = set(state), repr(args)
    generator_from_reference(state, args)
    assert set(state) == names and repr(args) == before


def test_a_wrong_filter_is_named(labelled):
    state = dict(labelled[1])
    state["synthesis.L0_36_8.up_filter"] = state["synthesis.L0_36_8.up_filter"] * 1.001
    with pytest.raises(ValueError, match="filter synthesis.L0_36_8.up_filter differs by"):
        generator_from_reference(state, ARGS | SIZE | R)
    state["synthesis.L0_36_8.up_filter"] = torch.ones(12, dtype=torch.long)
    with pytest.raises(ValueError, match="up_filter is missing or has another shape or type"):
        generator_from_reference(state, ARGS | SIZE | R)
    del state["synthesis.L0_36_8.up_filter"]
    with pytest.raises(ValueError, match="filter synthesis.L0_36_8.up_filter is missing"):
        generator_from_reference(state, ARGS | SIZE | R)


def test_a_transform_is_refused(labelled):
    state = dict(labelled[1])
    state["synthesis.input.transform"] = torch.diag(torch.tensor([-1.0, -1.0, 1.0]))
    with pytest.raises(ValueError, match="transform is not the identity"):
        generator_from_reference(state, ARGS | SIZE | R)


def test_missing_and_surplus_weights_are_named(labelled):
    state = dict(labelled[1])
    state["synthesis.extra"] = torch.zeros(1)
    with pytest.raises(ValueError, match="synthesis.extra"):
        generator_from_reference(state, ARGS | SIZE | R)
    del state["synthesis.extra"], state["mapping.embed.bias"]
    with pytest.raises(ValueError, match="mapping.embed.bias"):
        generator_from_reference(state, ARGS | SIZE | R)


@torch.no_grad()
def test_a_labelled_discriminator_survives_the_round_trip():
    config = DiscriminatorConfig(32, c_dim=2, channel_base=128, channel_max=8, mapping_layers=3)
    D = Discriminator(config)
    for parameter in D.b4.unlabelled.parameters():  # not part of an official network
        parameter.zero_()
    state = {name: t for name, t in D.state_dict().items() if "unlabelled" not in name}
    state["b32.resample_filter"] = torch.zeros(4, 4)
    assert state["b32.fromrgb.weight"].shape == (4, 3, 1, 1) and "b32.skip.bias" not in state
    assert state["b4.conv.weight"].shape == (8, 9, 3, 3) and state["b4.fc.weight"].shape == (8, 128)
    args = dict(c_dim=2, img_resolution=32, img_channels=3, channel_base=128, channel_max=8)
    kwargs = dict(mapping_kwargs=dict(num_layers=3), epilogue_kwargs=dict(mbstd_group_size=4))
    copy = discriminator_from_reference(state, args | kwargs | dict(architecture="resnet"))
    img, c = torch.randn(4, 3, 32, 32), torch.eye(2).repeat(2, 1)
    assert copy.config == config and torch.equal(copy(img, c), D(img, c))
    with pytest.raises(ValueError, match="architecture='skip' .* only 'resnet'"):
        discriminator_from_reference(state, args | kwargs | dict(architecture="skip"))
    with pytest.raises(ValueError, match="cmap_dim=5"):
        discriminator_from_reference(state, args | kwargs | dict(cmap_dim=5))


def test_arguments_of_networks_that_were_tensorflows_are_accepted():
    """Those files spell out every default."""
    D = Discriminator(DiscriminatorConfig(32, channel_base=128, channel_max=8))
    default = dict(activation="lrelu", resample_filter=[1, 3, 3, 1], freeze_layers=0)
    args = dict(c_dim=0, img_resolution=32, img_channels=3, architecture="resnet", cmap_dim=None)
    args |= dict(channel_base=128, channel_max=8, num_fp16_res=0, block_kwargs=default)
    args |= dict(mapping_kwargs=dict(num_layers=0, lr_multiplier=0.1, activation="lrelu"))
    args |= dict(epilogue_kwargs=dict(mbstd_group_size=None, activation="lrelu"))
    copy = discriminator_from_reference(D.state_dict(), args)
    assert copy.config.mbstd_group_size == 4
    with pytest.raises(ValueError, match="activation='relu' is not supported, only 'lrelu'"):
        other = dict(block_kwargs=default | dict(activation="relu"))
        discriminator_from_reference(D.state_dict(), args | other)
    with pytest.raises(ValueError, match=r"resample_filter=\[1, 2, 1\] is not supported"):
        other = dict(block_kwargs=default | dict(resample_filter=[1, 2, 1]))
        discriminator_from_reference(D.state_dict(), args | other)
