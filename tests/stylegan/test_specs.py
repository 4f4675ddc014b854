"""The layer schedule against reference schedules and a row worked out by hand."""

import json
from pathlib import Path

import pytest

from stylegan import GeneratorConfig
from stylegan.specs import layer_specs, style_bands

SCHEDULES = json.loads((Path(__file__).parents[1] / "goldens/layer_schedules.json").read_text())
NAMES = {  # reference -> LayerSpec
    "name": "name",
    "in_channels": "in_channels",
    "out_channels": "out_channels",
    "is_torgb": "is_torgb",
    "is_critically_sampled": "is_critical",
    "in_sampling_rate": "in_rate",
    "out_sampling_rate": "out_rate",
    "tmp_sampling_rate": "tmp_rate",
    "in_cutoff": "in_cutoff",
    "out_cutoff": "out_cutoff",
    "in_half_width": "in_half_width",
    "out_half_width": "out_half_width",
    "up_factor": "up",
    "up_taps": "up_taps",
    "down_factor": "down",
    "down_taps": "down_taps",
    "down_radial": "down_radial",
}


def config_of(key):
    preset, resolution = key.split("_")
    presets = {"t": GeneratorConfig.stylegan3_t, "r": GeneratorConfig.stylegan3_r}
    return presets[preset](int(resolution))


@pytest.mark.parametrize("key", SCHEDULES)
def test_schedule_equals_the_reference(key):
    specs = layer_specs(config_of(key))
    for spec, row in zip(specs, SCHEDULES[key], strict=True):
        assert [spec.in_size] * 2 == row["in_size"] and [spec.out_size] * 2 == row["out_size"]
        assert list(spec.padding) * 2 == row["padding"], spec.name
        for theirs, own in NAMES.items():
            expected = row[theirs]
            if isinstance(expected, float):
                expected = pytest.approx(expected, rel=1e-12)
            assert getattr(spec, own) == expected, f"{spec.name} {own}"


def test_the_rate_doubles_in_layer_4_of_config_t_at_64():
    """36 samples grow to 38 by the full convolution and to 152 by up = 4; 52 samples at down = 2
    with 12 taps need 114 before, 24 taps up 137: 15 are cropped, 6 in front and 9 behind."""
    spec = layer_specs(GeneratorConfig.stylegan3_t(64))[4]
    assert (spec.in_size, spec.out_size, spec.up, spec.down) == (36, 52, 4, 2)
    assert (spec.up_taps, spec.down_taps, spec.padding) == (24, 12, (-6, -9))


def test_few_layers_change_the_rate_by_more():
    """With 10 layers at 64 pixels the sampling rates are 16 x 3, 32 x 2, then 64."""
    specs = layer_specs(GeneratorConfig.stylegan3_t(64, num_layers=10))
    assert [s.out_rate for s in specs] == [16] * 3 + [32] * 2 + [64] * 6
    assert max(s.up for s in layer_specs(GeneratorConfig.stylegan3_t(256, num_layers=5))) == 8


@pytest.mark.parametrize("num_layers", [3, 6, 8, 10, 14])
@pytest.mark.parametrize("resolution", [32, 64, 256])
def test_every_signal_fits_what_the_next_layer_reads(num_layers, resolution):
    specs = layer_specs(GeneratorConfig.stylegan3_r(resolution, num_layers=num_layers))
    assert len(specs) == num_layers + 1
    for before, after in zip(specs, specs[1:], strict=False):
        assert before.out_size == after.in_size and before.out_rate == after.in_rate
        assert before.out_channels == after.in_channels and before.out_cutoff == after.in_cutoff
    assert specs[-1].out_size == resolution and specs[-1].out_channels == 3


@pytest.mark.parametrize(
    "num_layers, shape, features",
    [(14, range(6), range(6, 10)), (10, range(4), range(4, 7))],
)
def test_bands_of_the_networks_at_64_pixels(num_layers, shape, features):
    config = GeneratorConfig.stylegan3_t(64, num_layers=num_layers)
    bands = style_bands(config)
    assert bands["shape"] == list(shape) and bands["features"] == list(features)
    assert bands["texture and colour"] == list(range(features.stop, config.num_ws))
