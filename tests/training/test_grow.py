"""Going on with a wider generator: it draws the same, and what is new learns."""

import dataclasses

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import save_file

import training.train
from evaluation.source import open_dataset
from stylegan import Generator, sample_z
from training.build import build
from training.checkpoint import Checkpoint
from training.config import TrainConfig
from training.grow import can_grow, grown
from training.handover import HANDOVER, handover

pytestmark = pytest.mark.usefixtures("fresh_accelerate")


@pytest.mark.parametrize("preset", ["t", "r"])
@pytest.mark.parametrize("wide", [dict(channel_max=12), dict(channel_base=256, channel_max=20)])
def test_a_wider_one_draws_the_same_and_all_of_it_learns(tiny, calibrate, preset, wide):
    narrow = calibrate(Generator(tiny(preset)), torch.randn(8, 8)).eval()
    G = Generator(tiny(preset, **wide)).eval()
    assert can_grow(narrow.config, G.config)
    G.load_state_dict(grown(narrow.state_dict(), narrow.config, G))
    z = sample_z(range(4), 8)
    img = G(z)
    torch.testing.assert_close(img, narrow(z), rtol=1e-4, atol=1e-5)
    sgd, layers = torch.optim.SGD(G.parameters(), lr=1e-3), 0
    for _ in range(2):  # what reads new features learns first, then the features
        sgd.zero_grad()
        G(z).square().sum().backward()
        sgd.step()
    for old, new in zip(narrow.synthesis.children(), G.synthesis.children(), strict=True):
        grad = new.weight.grad
        layers += grad.shape != old.weight.shape
        assert (grad.flatten(2) if grad.ndim > 2 else grad[..., None]).any(dim=2).all()
    assert layers > 2


def test_what_differs_in_more_or_is_narrower_does_not_grow(tiny):
    own = tiny()
    wider = tiny(channel_max=12)
    assert can_grow(own, wider)
    others = own, tiny(channel_max=4), tiny(channel_max=12, z_dim=9), tiny("r", channel_max=12)
    assert not any(can_grow(own, other) for other in others)
    assert not can_grow(tiny(channel_base=256, channel_max=4), tiny(channel_base=64, channel_max=8))


def test_a_run_goes_on_from_narrower_weights(faces, tmp_path, capsys):
    size = dict(num_layers=4, channel_base=128, channel_max=8, z_dim=8, batch=8)
    kimg = dict(total_kimg=0.064, snapshot_kimg=0.064, eval_kimg=0.0, mixed_precision="no")
    first = TrainConfig(str(faces), str(tmp_path / "first"), **size, **kimg)
    training.train.start(first)
    folder, dataset = tmp_path / "first/weights/kimg-000000.064", open_dataset(str(faces))
    parts = Checkpoint(run := build(first, Accelerator(cpu=True), dataset), first)
    parts.load()
    trained = run.parts["G"]
    save_file(handover(run.parts), folder / HANDOVER)
    wide = dict(channel_base=256, channel_max=16, d_channel_base=128, d_channel_max=8)
    second = dataclasses.replace(first, out=str(tmp_path / "b"), init_from=str(folder), **wide)
    capsys.readouterr()
    run = build(second, Accelerator(cpu=True), dataset)
    assert f"the generator of {folder} is narrower; it goes on wider" in capsys.readouterr().err
    z, raw = sample_z(range(4), 8), run.accelerator.unwrap_model(run.G).G
    near = dict(rtol=1e-2, atol=1e-3)  # half precision
    torch.testing.assert_close(raw(z), trained(z), **near)
    torch.testing.assert_close(run.G_ema(z), Generator.from_pretrained(folder)(z), **near)
    assert not torch.allclose(raw(z), run.G_ema(z), **near)
    for parameter in raw.parameters():
        moment = run.G_opt.state[parameter]["exp_avg_sq"]
        assert moment.shape == parameter.shape and moment.mean() > 0
    training.train.start(second)
    assert (tmp_path / "b/weights").is_dir()
