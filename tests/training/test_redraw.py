"""Real faces drawn again beside the adversary: what is kept, taken over and refused."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

import training.train
from stylegan import Generator
from stylegan.encoder import Encoder
from training.config import TrainConfig
from training.push import operations
from training.redraw import SpreadEncoder, first_encoder

pytestmark = pytest.mark.usefixtures("fresh_accelerate")


@pytest.fixture
def config(faces, tmp_path):
    """Eight steps of eight images, a snapshot of the last."""
    size = dict(num_layers=4, channel_base=128, channel_max=8, z_dim=8, batch=8, redraw=5.0)
    kimg = dict(total_kimg=0.064, snapshot_kimg=0.064, eval_kimg=0.0, mixed_precision="no")
    return TrainConfig(str(faces), str(tmp_path / "run"), **size, **kimg)


def test_a_run_that_went_on_ends_with_the_same_encoder(config, tmp_path, assert_same):
    training.train.start(config)
    broken = dataclasses.replace(config, out=str(tmp_path / "broken"))
    for kimg in (0.024, 0.064):
        training.train.start(dataclasses.replace(broken, total_kimg=kimg))
    states = [max((tmp_path / run / "state").iterdir()) for run in ("run", "broken")]
    assert_same(*(torch.load(path, weights_only=True) for path in states))
    saved = "encoder/model.safetensors"
    weights, others = (tmp_path / run / "weights/kimg-000000.064" for run in ("run", "broken"))
    assert (weights / saved).read_bytes() == (others / saved).read_bytes()
    lines = (tmp_path / "run/log.jsonl").read_text().splitlines()
    assert all(json.loads(line)["loss/redraw"] > 0 for line in lines)
    encoder = Encoder.from_pretrained(weights)
    answers = encoder(torch.rand(2, 3, 32, 32) * 2 - 1)
    assert (answers - encoder.w_avg).abs().max() > 1e-3  # an untaught one answers w_avg
    assert Generator.from_pretrained(weights).synthesis(answers).isfinite().all()
    sent = [operation.path_in_repo for operation in operations(tmp_path / "run", weights, "", None)]
    assert {saved, "encoder/config.json", "model.safetensors"} <= set(sent)


def test_a_run_begins_with_the_encoder_of_its_weights_and_goes_on_with_its_own(
    config, tiny, tmp_path, capsys
):
    G = Generator(config.generator(32, 0))
    folder = tmp_path / "begin"
    G.save_pretrained(folder)
    assert not first_encoder(G, str(folder)).w.bias.any()
    assert f"{folder} has no encoder; it begins anew" in capsys.readouterr().err
    taught = Encoder.of(G)
    torch.nn.init.normal_(taught.w.bias)
    taught.save_pretrained(folder)
    found = first_encoder(G, str(folder))
    torch.testing.assert_close(found.w.bias, taught.w.bias, rtol=1e-3, atol=1e-3)
    assert found.training and all(p.requires_grad for p in found.parameters())
    assert capsys.readouterr().err == ""
    begin = dataclasses.replace(config, init_from=str(folder))
    training.train.start(dataclasses.replace(begin, total_kimg=0.008))
    Encoder.of(Generator(tiny())).save_pretrained(folder)  # of another network, when it goes on
    capsys.readouterr()
    training.train.start(dataclasses.replace(begin, total_kimg=0.016))
    assert "begins anew" not in capsys.readouterr().err
    gone_on = Encoder.from_pretrained(tmp_path / "run/weights/kimg-000000.016")
    torch.testing.assert_close(gone_on.w.bias, taught.w.bias, rtol=0.1, atol=0.01)
    assert not first_encoder(G, str(folder)).w.bias.any()
    assert "is of another network; it begins anew" in capsys.readouterr().err
    (folder / "encoder/config.json").write_text("{}")
    with pytest.raises(ValueError, match="encoder/config.json lacks the field num_ws"):
        first_encoder(G, str(folder))


def test_features_may_judge_beside_it_in_bfloat16(config):
    flags = dict(critic="features", mixed_precision="bf16", batch=2, total_kimg=0.004)
    training.train.start(dataclasses.replace(config, **flags))
    (line,) = (Path(config.out) / "log.jsonl").read_text().splitlines()
    assert 0 < json.loads(line)["loss/redraw"] < 10


def test_a_damaged_encoder_is_told_and_takes_nothing_else_away(config, capsys):
    training.train.start(dataclasses.replace(config, total_kimg=0.008))
    folder = Path(config.out) / "weights/kimg-000000.008"
    (folder / "encoder/model.safetensors").write_bytes(b"short")
    training.train.start(dataclasses.replace(config, total_kimg=0.016))  # where it is the newest
    capsys.readouterr()
    training.train.start(dataclasses.replace(config, total_kimg=0.024))
    told = capsys.readouterr().err
    assert f"python training/train_encoder.py --generator {folder}" in told
    assert Generator.from_pretrained(folder)


def test_answers_spread_as_w_does_and_stay_when_the_encoder_stands_alone(tiny, monkeypatch):
    """Whatever mean and deviation the encoder gives its coordinates."""
    monkeypatch.setattr(training.redraw, "MOMENTUM", 0.05)
    torch.manual_seed(3)
    G = Generator(tiny())
    spread = SpreadEncoder(Encoder.of(G, width=8))
    torch.nn.init.normal_(spread.encoder.w.weight, std=0.02)
    torch.nn.init.normal_(spread.encoder.w.bias)
    torch.nn.init.normal_(spread.encoder.offsets.weight, std=0.02)
    img = torch.rand(64, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        before = spread.encoder.coordinates(img)[0].std(dim=0)
        for _ in range(300):
            answer = spread(img, move=True)
    alone = spread.plain()
    w, offsets = alone.coordinates(img)
    torch.testing.assert_close(w.mean(dim=0), torch.zeros(12), atol=0.02, rtol=0)
    expected = before / (before**2 + 1e-3).sqrt()
    torch.testing.assert_close(w.std(dim=0), expected, atol=0.02, rtol=0.02)
    torch.testing.assert_close(answer[32:], alone(img)[32:], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(answer[:32], alone(img, 0.0)[:32], rtol=1e-3, atol=1e-3)
    assert (offsets.abs() > 0).any()


def test_labels_are_refused(faces):
    with pytest.raises(ValueError, match="^--redraw is for networks without labels"):
        TrainConfig(str(faces), "out", redraw=1.0, conditional=True)
