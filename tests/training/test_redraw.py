"""Real faces drawn again beside the adversary: what is kept, taken over and refused."""

import dataclasses
import json
import shutil

import pytest
import torch

import training.train
from stylegan import Generator
from stylegan.encoder import Encoder
from training.config import TrainConfig
from training.push import operations
from training.redraw import first_encoder

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


def test_the_encoder_of_init_from_is_taken_if_it_fits(config, tiny, tmp_path, capsys):
    G = Generator(config.generator(32, 0))
    taught = Encoder.of(G)
    torch.nn.init.normal_(taught.w.bias)
    folder = tmp_path / "begin"
    G.save_pretrained(folder)
    begin = dataclasses.replace(config, init_from=str(folder))
    assert not first_encoder(begin, G).w.bias.any()  # it has none
    taught.save_pretrained(folder)
    found = first_encoder(begin, G)
    torch.testing.assert_close(found.w.bias, taught.w.bias, rtol=1e-3, atol=1e-3)
    assert found.training and all(p.requires_grad for p in found.parameters())
    assert capsys.readouterr().err == ""
    shutil.rmtree(folder / "encoder")
    Encoder.of(Generator(tiny())).save_pretrained(folder)
    assert not first_encoder(begin, G).w.bias.any()
    assert "is of another network; this run's begins anew" in capsys.readouterr().err


def test_labels_are_refused(faces):
    with pytest.raises(ValueError, match="^--redraw is for networks without labels"):
        TrainConfig(str(faces), "out", redraw=1.0, conditional=True)
