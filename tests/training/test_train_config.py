"""Flags become a config, or a sentence that names the flag and its value."""

import pytest

from stylegan import GeneratorConfig
from training.config import TrainConfig, parse_args


@pytest.mark.parametrize(
    "field, value",
    [
        ("config", "x"),
        ("num_layers", 0),
        ("channel_base", 0),
        ("channel_max", -1),
        ("d_channel_base", 0),
        ("d_channel_max", 0),
        ("z_dim", 0),
        ("batch", 0),
        ("r1_interval", 0),
        ("total_kimg", 0.0),
        ("total_kimg", float("nan")),
        ("snapshot_kimg", float("inf")),
        ("g_lr", -0.1),
        ("d_lr", 0.0),
        ("r1_gamma", -1.0),
        ("seed", -1),
        ("seed", 2**31),
    ],
)
def test_a_refused_value_is_named_with_its_flag(tmp_path, field, value):
    flag = "--" + field.replace("_", "-")
    with pytest.raises(ValueError, match=f"^{flag} must be .*{value}"):
        TrainConfig(**{"data": str(tmp_path), "out": "x", field: value})


def test_a_folder_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="--data nowhere is not a folder"):
        TrainConfig(data="nowhere", out="x")


def test_flags_are_read_with_their_types(tmp_path):
    argv = f"--data {tmp_path} --out o --config r --batch 8 --r1-gamma 0.5 --no-mirror".split()
    config = parse_args(argv + ["--total-kimg", "3", "--push-to-hub", "alice/faces"])
    assert (config.config, config.batch, config.r1_gamma, config.mirror) == ("r", 8, 0.5, False)
    assert config.total_kimg == 3.0 and config.push_to_hub == "alice/faces"
    assert config.d_channel_base is None
    assert parse_args(["--data", str(tmp_path), "--out", "o"]) == TrainConfig(str(tmp_path), "o")


@pytest.mark.parametrize(
    "argv, sentence",
    [
        ("--batch 0", "--batch must be at least 1, got 0"),
        ("--batch many", "invalid int value: 'many'"),
        ("--colour blue", "unrecognized arguments: --colour"),
        ("--bat 4", "unrecognized arguments: --bat"),  # no abbreviations
    ],
)
def test_wrong_flags_end_with_a_sentence(tmp_path, capsys, argv, sentence):
    with pytest.raises(SystemExit) as e:
        parse_args(["--data", str(tmp_path), "--out", "o", *argv.split()])
    assert e.value.code == 2 and sentence in capsys.readouterr().err


def test_data_and_out_are_required(tmp_path, capsys):
    with pytest.raises(SystemExit):
        parse_args(["--data", str(tmp_path)])
    assert "required: --out" in capsys.readouterr().err


def test_help_names_every_flag_and_its_default(capsys):
    with pytest.raises(SystemExit):
        parse_args(["--help"])
    text = capsys.readouterr().out
    for name in TrainConfig.__dataclass_fields__:
        assert "--" + name.replace("_", "-") in text
    assert "(default: 16384)" in text


def test_gamma_grows_with_the_resolution_and_falls_with_the_batch(tmp_path):
    config = TrainConfig(str(tmp_path), "o", batch=32)
    assert [config.gamma(r) for r in (64, 128, 256)] == [0.125, 0.5, 2.0]
    assert TrainConfig(str(tmp_path), "o", batch=8).gamma(64) == 0.5
    assert TrainConfig(str(tmp_path), "o", r1_gamma=0.0).gamma(64) == 0


def test_the_half_life_of_the_average_grows_with_the_batch(tmp_path):
    assert TrainConfig(str(tmp_path), "o", batch=32).ema_half_life() == 10_000
    assert TrainConfig(str(tmp_path), "o", batch=8).ema_half_life() == 2500


def test_networks_follow_the_flags(tmp_path):
    shape = dict(num_layers=8, channel_base=2048, channel_max=20, z_dim=16)
    config = TrainConfig(str(tmp_path), "o", config="r", **shape, d_channel_max=40)
    D = config.discriminator(32)
    expected = GeneratorConfig.stylegan3_r(32, w_dim=16, **shape)
    assert config.generator(32) == expected
    assert (D.img_resolution, D.channel_base, D.channel_max) == (32, 2048, 40)
