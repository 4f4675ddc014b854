"""Configs refuse what no network can be, naming the field and its value."""

import pytest

from stylegan import DiscriminatorConfig, GeneratorConfig


@pytest.mark.parametrize(
    "field, value",
    [
        ("img_resolution", 48),
        ("img_resolution", "64"),
        ("img_channels", 2),
        ("z_dim", 0),
        ("w_dim", 2.5),
        ("c_dim", -1),
        ("mapping_layers", None),
        ("num_layers", 2),
        ("channel_base", True),
        ("channel_max", 0),
        ("conv_kernel", 5),
        ("radial_filters", 1),
    ],
)
def test_generator_config_names_the_field_and_its_value(field, value):
    with pytest.raises(ValueError, match=f"{field} .*{value!r}"):
        GeneratorConfig(**{field: value})


@pytest.mark.parametrize("field, value", [("channel_base", 32), ("mbstd_group_size", 0)])
def test_discriminator_config_names_the_field_and_its_value(field, value):
    with pytest.raises(ValueError, match=f"{field} .*{value!r}"):
        DiscriminatorConfig(**{field: value})


def test_presets_are_the_published_ones_and_take_other_fields():
    t, r = GeneratorConfig.stylegan3_t(128), GeneratorConfig.stylegan3_r(128)
    assert (t.conv_kernel, t.radial_filters, t.channel_base, t.channel_max) == (
        3,
        False,
        32768,
        512,
    )
    assert (r.conv_kernel, r.radial_filters, r.channel_base, r.channel_max) == (
        1,
        True,
        65536,
        1024,
    )
    assert t.img_resolution == 128 and t.num_ws == 16
    assert GeneratorConfig.stylegan3_r(64, channel_max=7, num_layers=8).channel_max == 7


def test_discriminator_channels_shrink_with_the_resolution():
    """2048 / 64 = 32 features at 64 pixels, 128 at 16, never more than 100."""
    config = DiscriminatorConfig(64, channel_base=2048, channel_max=100)
    assert [config.channels(r) for r in (64, 32, 16)] == [32, 64, 100]
