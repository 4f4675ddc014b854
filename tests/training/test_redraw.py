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
from training.redraw import NARROW, Anchor, energy_distance, first_encoder

pytestmark = pytest.mark.usefixtures("fresh_accelerate")


@pytest.fixture
def config(faces, tmp_path):
    """Eight steps of eight images, a snapshot of the last."""
    size = dict(num_layers=4, channel_base=128, channel_max=8, z_dim=8, batch=8, redraw=5.0)
    kimg = dict(total_kimg=0.064, snapshot_kimg=0.064, eval_kimg=0.0, mixed_precision="no")
    return TrainConfig(str(faces), str(tmp_path / "run"), **size, **kimg)


def test_a_run_that_went_on_ends_with_the_same_encoder(config, tmp_path, assert_same, monkeypatch):
    """It began with weights, whose W is not that of the seed; the average follows soon."""
    torch.manual_seed(5)
    Generator(config.generator(32, 0)).save_pretrained(tmp_path / "begin")
    config = dataclasses.replace(config, init_from=str(tmp_path / "begin"))
    monkeypatch.setattr(TrainConfig, "ema_half_life", lambda config, nimg: 8.0)
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


def test_an_energy_distance_tells_distributions_apart():
    torch.manual_seed(0)
    x, y, wide = torch.randn(500, 3), torch.randn(400, 3), 2 * torch.randn(500, 3)
    assert abs(energy_distance(x, y)) < 0.02
    assert energy_distance(x, wide) > 0.2 and energy_distance(x, y + 1) > 0.2
    points = torch.tensor([[0.0], [4.0]])
    assert energy_distance(torch.tensor([[1.0]]), points) == 2 * 2 - 0 - 4
    few = torch.stack([energy_distance(x[i : i + 4], y) for i in range(0, 500, 4)])
    assert abs(few.mean()) < 0.05  # no bias of small samples


def test_an_encoder_learns_to_answer_with_w_like_random_ones(tiny):
    """Along wide and narrow directions alike; those along which w hardly vary do not count."""
    torch.manual_seed(3)
    G = Generator(tiny())
    with torch.no_grad():
        G.mapping.w_avg.copy_(G.mapping(torch.randn(2000, G.z_dim))[:, 0].mean(dim=0))
    encoder = Encoder.of(G, width=8)
    anchor = Anchor(encoder, G.z_dim)
    counted = int(anchor.counted().sum())
    lengths = encoder.basis.norm(dim=1) / encoder.basis[0].norm()
    assert lengths[counted - 1] > NARROW > lengths[counted]
    torch.nn.init.normal_(encoder.w.weight, std=0.1)
    img = torch.rand(32, 3, 32, 32) * 2 - 1
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
    distances = []
    for _ in range(90):
        distance = anchor.distance(encoder(img, 0.0)[:, 0], G.mapping)
        optimizer.zero_grad()
        distance.backward()
        optimizer.step()
        distances.append(distance.item())
    assert distances[0] > 0.3 and distances[-1] < 0.05
    w = encoder.coordinates(img)[0][:, :counted]
    assert w.mean(dim=0).abs().max() < 0.4
    assert ((w.std(dim=0) > 0.7) & (w.std(dim=0) < 1.8)).all()


def test_labels_are_refused(faces):
    with pytest.raises(ValueError, match="^--redraw is for networks without labels"):
        TrainConfig(str(faces), "out", redraw=1.0, conditional=True)
