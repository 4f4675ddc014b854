"""Flags become a config, or a sentence that names the flag and its value."""

import dataclasses

import pytest

from stylegan import DiscriminatorConfig, GeneratorConfig
from training.config import PRESETS, TrainConfig, parse_args


def parse(folder, line=""):
    return parse_args(["--data", str(folder), "--out", "o", *line.split()])


@pytest.mark.parametrize(
    "field, value",
    [
        ("preset", "huge"),
        ("config", "x"),
        ("num_layers", 0),
        ("channel_base", 0),
        ("channel_max", -1),
        ("d_channel_base", 0),
        ("d_channel_max", 0),
        ("z_dim", 0),
        ("batch", 0),
        ("accumulate", 0),
        ("r1_interval", 0),
        ("total_kimg", 0.0),
        ("total_kimg", float("nan")),
        ("snapshot_kimg", float("inf")),
        ("g_lr", -0.1),
        ("d_lr", 0.0),
        ("gamma", -1.0),
        ("path_length", -2.0),
        ("path_length", float("nan")),
        ("ada_target", -0.1),
        ("ada_kimg", 0.0),
        ("ada_start", 1.1),
        ("ada_start", -0.1),
        ("ada_max", 1.5),
        ("freeze_d", -1),
        ("mixed_precision", "fp16"),
        ("keep", 0),
        ("log_with", "paper"),
        ("seed", -1),
        ("seed", 2**31),
    ],
)
def test_a_refused_value_is_named_with_its_flag(tmp_path, field, value):
    flag = "--" + field.replace("_", "-")
    with pytest.raises(ValueError, match=f"^{flag} must be .*, got {value}$"):
        TrainConfig(**{"data": str(tmp_path), "out": "x", field: value})


@pytest.mark.parametrize(
    "field, value",
    [("ada_max", 1.0), ("path_length", 0.0), ("ada_start", 0.8), ("gamma", 0.0)],
)
def test_bounds_themselves_are_accepted(tmp_path, field, value):
    config = TrainConfig(**{"data": str(tmp_path), "out": "x", field: value})
    assert getattr(config, field) == value


def test_a_folder_that_does_not_exist_is_named():
    with pytest.raises(
        ValueError, match="--data nowhere is no folder, no zip file and no user/name"
    ):
        TrainConfig(data="nowhere", out="x")


@pytest.mark.parametrize("flags", [dict(partial=True), dict(freeze_d=2)])
def test_what_concerns_loaded_weights_needs_some(tmp_path, flags):
    flag = "--" + next(iter(flags)).replace("_", "-")
    with pytest.raises(ValueError, match=f"^{flag} needs --init-from"):
        TrainConfig(str(tmp_path), "o", **flags)
    TrainConfig(str(tmp_path), "o", **flags, init_from="alice/faces")


def test_flags_are_read_with_their_types(tmp_path):
    config = parse(tmp_path, "--config r --batch 8 --gamma 0.5 --no-mirror --total-kimg 3")
    assert (config.config, config.batch, config.gamma, config.mirror) == ("r", 8, 0.5, False)
    assert config.total_kimg == 3.0 and config.d_channel_base is None
    config = parse(tmp_path, "--conditional --no-balance --path-length 0.9")
    assert (config.conditional, config.balance, config.path_length) == (True, False, 0.9)
    config = parse(tmp_path, "--init-from alice/faces --partial --freeze-d 3 --push-to-hub a/b")
    assert (config.init_from, config.partial, config.freeze_d) == ("alice/faces", True, 3)
    assert config.push_to_hub == "a/b"


@pytest.mark.parametrize(
    "argv, sentence",
    [
        ("--batch 0", "--batch must be at least 1, got 0"),
        ("--batch many", "invalid int value: 'many'"),
        ("--colour blue", "unrecognized arguments: --colour"),
        ("--bat 4", "unrecognized arguments: --bat"),  # no abbreviations
        ("--pre tiny", "unrecognized arguments: --pre"),
        ("--preset huge", "argument --preset: invalid choice: 'huge'"),
        ("--config x", "argument --config: invalid choice: 'x'"),
        ("--freeze-d 2", "--freeze-d needs --init-from"),
        ("--redraw 5 --conditional", "leave out --redraw or --conditional"),
        ("--redraw 5", "train without it first, then give the weights as --init-from"),
        ("--redraw 5 --init-from .", "add --no-mirror"),
        ("--redraw 5 --init-from . --no-mirror", "add --ada-max 0"),
        ("--critic both", "add --redraw, or choose pixels or features"),
    ],
)
def test_wrong_flags_end_with_a_sentence(tmp_path, capsys, argv, sentence):
    with pytest.raises(SystemExit) as e:
        parse(tmp_path, argv)
    assert e.value.code == 2 and sentence in capsys.readouterr().err


def test_data_and_out_are_required(tmp_path, capsys):
    with pytest.raises(SystemExit):
        parse_args(["--data", str(tmp_path), "--preset", "tiny"])
    assert "required: --out" in capsys.readouterr().err


# Presets


def test_without_a_preset_the_defaults_are_those_of_space(tmp_path):
    assert parse(tmp_path) == parse(tmp_path, "--preset space") == TrainConfig(str(tmp_path), "o")
    assert parse(tmp_path).preset == "space"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_changes_its_defaults_and_nothing_else(tmp_path, preset):
    config = parse(tmp_path, f"--preset {preset} --init-from weights")
    given = dict(preset=preset, init_from="weights")
    expected = TrainConfig(str(tmp_path), "o", **PRESETS[preset] | given | {"z_dim": None})
    assert config == expected


def test_the_size_of_z_is_the_presets_or_that_of_the_weights_to_begin_with(tmp_path):
    for words, z_dim in (("", 64), (" --init-from a/b", None), (" --init-from a/b --z-dim 9", 9)):
        assert parse(tmp_path, f"--preset tiny{words}").z_dim == z_dim


def test_widths_batches_and_lengths_of_the_presets(tmp_path):
    tiny, space, quality = (
        parse(tmp_path, f"--preset {name}") for name in ("tiny", "space", "quality")
    )
    assert [c.channel_base for c in (tiny, space, quality)] == [2048, 8192, 16384]
    assert [c.channel_max for c in (tiny, space, quality)] == [64, 128, 256]
    assert [c.batch for c in (tiny, space, quality)] == [8, 32, 64]
    assert [c.total_kimg for c in (tiny, space, quality)] == [300, 1000, 5000]
    D = tiny.discriminator(64, 2)
    assert (D.channel_base, D.channel_max) == (4096, 128)
    assert tiny.snapshot_kimg == tiny.eval_kimg == 5
    assert [c.g_lr for c in (tiny, space, quality)] == [0.005, 0.0025, 0.0025]
    assert [c.d_lr for c in (tiny, space, quality)] == [0.004, 0.002, 0.002]
    assert [c.rate_kimg for c in (tiny, space, quality)] == [20, 0, 0]
    for config in (tiny, space, quality):  # what helps with few pictures
        assert config.mirror and config.balance and config.ada_max == 0.8


def test_the_seed_preset_is_the_plain_recipe(tmp_path):
    """The published networks at 64 px, which both config classes have as defaults."""
    config = parse(tmp_path, "--preset seed")
    assert config.generator(64, 2) == GeneratorConfig.stylegan3_t(64)
    assert config.discriminator(64, 2) == DiscriminatorConfig(64)
    assert (config.batch, config.r1_gamma(64), config.r1_interval) == (32, 0.025, 16)
    assert (config.g_lr, config.d_lr) == (0.0025, 0.002)
    assert not (config.mirror or config.balance or config.conditional)
    assert config.ada_max == config.path_length == 0


@pytest.mark.parametrize("line", ["--preset seed --mirror {}", "--mirror {} --preset=seed"])
def test_a_flag_wins_over_the_preset_wherever_it_stands(tmp_path, line):
    config = parse(tmp_path, line.format("--batch 16 --gamma 2"))
    preset = parse(tmp_path, "--preset seed")
    assert config == dataclasses.replace(preset, mirror=True, batch=16, gamma=2.0)


@pytest.mark.parametrize(
    "preset, base", [("seed", 32768), ("tiny", 2048), ("space", 8192), ("quality", 16384)]
)
def test_help_names_every_flag_and_the_defaults_of_the_preset(capsys, preset, base):
    with pytest.raises(SystemExit) as e:
        parse_args(["--preset", preset, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert e.value.code == 0
    for name in TrainConfig.__dataclass_fields__:
        assert "--" + name.replace("_", "-") in text
    assert f"width of the generator: features x resolution (default: {base})" in text


# What follows from the flags


def test_gamma_grows_with_the_resolution_and_falls_with_the_batch(tmp_path):
    config = TrainConfig(str(tmp_path), "o", batch=32)
    assert [config.r1_gamma(r) for r in (64, 128, 256)] == [0.125, 0.5, 2.0]
    assert TrainConfig(str(tmp_path), "o", batch=8).r1_gamma(64) == 0.5
    given = TrainConfig(str(tmp_path), "o", batch=8, gamma=3.0)
    assert given.r1_gamma(64) == given.r1_gamma(256) == 3.0
    assert TrainConfig(str(tmp_path), "o", gamma=0.0).r1_gamma(64) == 0


def test_the_half_life_of_the_average_grows_with_the_batch_and_the_run(tmp_path):
    """A twentieth of the images seen, up to 10 kimg at batch 32 or as many steps."""
    config = TrainConfig(str(tmp_path), "o", batch=32)
    assert [config.ema_half_life(n) for n in (0, 4000, 10**6)] == [0, 200, 10_000]
    assert TrainConfig(str(tmp_path), "o", batch=8).ema_half_life(10**6) == 2500


def test_weights_that_one_begins_with_bring_their_average_and_their_labels(tmp_path):
    config = TrainConfig(str(tmp_path), "o", batch=32, conditional=True, init_from="weights")
    assert config.ema_half_life(0) == 10_000 and config.label_weight(0) == 1
    assert dataclasses.replace(config, partial=True).label_weight(0) == 0


def test_labels_wait_for_a_fifth_of_the_run_and_count_fully_after_two(tmp_path):
    config = TrainConfig(str(tmp_path), "o", total_kimg=10.0)
    weights = [config.label_weight(nimg) for nimg in (0, 1000, 2000, 2500, 3000, 4000, 9000)]
    assert weights == pytest.approx([0, 0, 0, 0.25, 0.5, 1, 1])


def test_networks_follow_the_flags(tmp_path):
    shape = dict(num_layers=8, channel_base=2048, channel_max=20, z_dim=16)
    config = TrainConfig(str(tmp_path), "o", config="r", **shape, d_channel_max=40)
    assert config.generator(32, 2) == GeneratorConfig.stylegan3_r(32, w_dim=16, **shape)
    assert config.discriminator(32, 2) == DiscriminatorConfig(32, channel_base=2048, channel_max=40)
    config = dataclasses.replace(config, conditional=True, d_channel_base=4096)
    D = config.discriminator(32, 3)
    assert config.generator(32, 3).c_dim == D.c_dim == 3 and D.channel_base == 4096


def test_what_only_a_discriminator_of_pixels_has_is_refused_for_features(tmp_path):
    for name, flags in (("gamma", {}), ("freeze-d", {"init_from": "w"})):
        flags = flags | {"critic": "features", name.replace("-", "_"): 1}
        with pytest.raises(ValueError, match=f"--{name} is for --critic pixels or both"):
            TrainConfig(str(tmp_path), "o", **flags)
    assert parse(tmp_path, "--critic features").r1_gamma(64) == 0
