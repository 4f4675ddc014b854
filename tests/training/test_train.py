"""The loop in one process: going on where a run stopped, and what it refuses."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

import training.train
from stylegan import Generator
from training.checkpoint import check_flags, save_flags
from training.config import TrainConfig
from training.data import ImageDataset
from training.train import build, check, draw_z


@pytest.fixture
def config(faces, tmp_path):
    """Eight steps of eight images, R1 every second step, snapshots after 24, 48 and 64 images."""
    size = dict(num_layers=4, channel_base=128, channel_max=8, z_dim=8, batch=8, r1_interval=2)
    kimg = dict(total_kimg=0.064, snapshot_kimg=0.024)
    return TrainConfig(str(faces), str(tmp_path / "run"), **size, **kimg)


def run(config):
    """As main() does after reading the flags."""
    check_flags(config)
    save_flags(config)
    training.train.train(config, ImageDataset(config.data), Accelerator(cpu=True))


def state_of(config):
    return torch.load(Path(config.out) / "state.pt", weights_only=True)


def assert_same(a, b, path="state"):
    """Bit by bit, through dicts and lists."""
    assert type(a) is type(b), path
    if isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for key in a:
            assert_same(a[key], b[key], f"{path}.{key}")
    elif isinstance(a, list | tuple):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{path}[{i}]")
    else:
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b, path


def test_a_killed_run_goes_on_as_if_it_had_never_stopped(config, tmp_path, monkeypatch, capsys):
    """Killed in its sixth step, two after the snapshot at 24 images; then the same command."""
    unbroken = dataclasses.replace(config, out=str(tmp_path / "unbroken"))
    run(unbroken)
    steps = []

    def die_in_the_sixth(*args):
        steps.append(args)
        if len(steps) == 6:
            raise KeyboardInterrupt
        return generator_step(*args)

    generator_step = training.train.generator_step
    monkeypatch.setattr(training.train, "generator_step", die_in_the_sixth)
    with pytest.raises(KeyboardInterrupt):
        run(config)
    assert state_of(config)["nimg"] == 24
    torch.randn(7)  # the state of the global generator plays no part
    run(config)
    assert "going on at kimg 0.024" in capsys.readouterr().out
    assert len(steps) == 6 + 5  # 40 more images
    assert state_of(config)["nimg"] == 64
    assert_same(state_of(config), state_of(unbroken))
    z = torch.randn(1, 8)
    a, b = (
        Generator.from_pretrained(Path(c.out) / "weights/kimg-000000.064")
        for c in (config, unbroken)
    )
    assert torch.equal(a(z), b(z))


def test_a_finished_run_can_be_made_longer(config, tmp_path):
    run(dataclasses.replace(config, total_kimg=0.048))
    run(config)
    whole = dataclasses.replace(config, out=str(tmp_path / "whole"))
    run(whole)
    assert_same(state_of(config), state_of(whole))


def test_training_moves_all_that_it_should(config):
    """Weights of G and D, and G_ema after them; buffers of G_ema are those of G."""
    run(dataclasses.replace(config, total_kimg=0.016))
    state = state_of(config)
    fresh, ema = build(config, Accelerator(cpu=True), 32)
    for name, parameter in fresh.G.named_parameters():
        assert not torch.equal(parameter, state["G"][name]), name
        assert not torch.equal(parameter, state["G_ema"][name]), name
        assert not torch.equal(state["G"][name], state["G_ema"][name]) or parameter.ndim == 1, name
    for name, parameter in fresh.D.named_parameters():
        assert not torch.equal(parameter, state["D"][name]) or name == "b4.out.bias", name
    for name, buffer in ema.named_buffers():
        if name in state["G"]:
            assert torch.equal(state["G_ema"][name], state["G"][name]), name
            assert torch.equal(buffer, state["G"][name]) == name.endswith(("freqs", "phases"))


def test_a_changed_flag_is_named_and_the_record_kept(config):
    run(dataclasses.replace(config, total_kimg=0.008))
    with pytest.raises(ValueError, match="begun with --batch 8, not 4; give another --out"):
        run(dataclasses.replace(config, batch=4))
    with pytest.raises(ValueError, match="begun with --channel-max 8, not 16"):
        run(dataclasses.replace(config, channel_max=16))
    assert json.loads((Path(config.out) / "config.json").read_text())["batch"] == 8


@pytest.mark.parametrize(
    "batch, num_processes, sentence",
    [
        (9, 2, "--batch 9 cannot be split over 2 processes"),
        (6, 1, "--batch 6 gives 6 images per process; .* a multiple of 4"),
        (12, 2, "--batch 12 gives 6 images per process"),
    ],
)
def test_batches_that_do_not_fit_are_named(config, batch, num_processes, sentence):
    config = dataclasses.replace(config, batch=batch)
    with pytest.raises(ValueError, match=sentence):
        check(config, ImageDataset(config.data), num_processes)


def test_batches_that_fit_pass(config):
    for batch, num_processes in [(3, 1), (8, 1), (16, 2), (6, 2)]:
        check(dataclasses.replace(config, batch=batch), ImageDataset(config.data), num_processes)


def test_latents_depend_on_seed_progress_rank_and_purpose(config):
    class Process:
        num_processes, device = 2, "cpu"

        def __init__(self, process_index):
            self.process_index = process_index

    z = draw_z(config, Process(0), 24, 0)
    assert z.shape == (4, 8) and z.dtype == torch.float32
    assert torch.equal(z, draw_z(config, Process(0), 24, 0))
    other_seed = dataclasses.replace(config, seed=1)
    others = [(config, 1, 24, 0), (config, 0, 32, 0), (config, 0, 24, 1), (other_seed, 0, 24, 0)]
    for config, rank, nimg, purpose in others:
        assert not torch.equal(z, draw_z(config, Process(rank), nimg, purpose))


def test_lazy_regularization_corrects_the_rates_of_d(config):
    """R1 every 16th step makes 17 updates' worth of 16: rate and memory shrink by 16 / 17."""
    run, _ = build(dataclasses.replace(config, r1_interval=16), Accelerator(cpu=True), 32)
    D, G = run.D_opt.param_groups[0], run.G_opt.param_groups[0]
    assert D["lr"] == pytest.approx(0.002 * 16 / 17)
    assert D["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))
    assert (G["lr"], G["betas"]) == (0.0025, (0.0, 0.99))


def test_r1_is_applied_rarely_and_weighted_up(config, monkeypatch):
    """Every third of six steps, with gamma / 2 times the interval: 0.8 / 2 * 3 = 1.2."""
    weights = []
    step = training.train.discriminator_step

    def spy(run, reals, z, r1_weight):
        weights.append(r1_weight)
        return step(run, reals, z, r1_weight)

    monkeypatch.setattr(training.train, "discriminator_step", spy)
    run(dataclasses.replace(config, r1_gamma=0.8, r1_interval=3, total_kimg=0.048))
    assert weights == pytest.approx([1.2, 0, 0, 1.2, 0, 0])


def test_what_does_not_fit_ends_with_a_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    argv = ["train.py", "--data", str(tmp_path / "empty"), "--out", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", argv)
    monkeypatch.setattr(training.train, "use_all_cores", lambda: None)
    monkeypatch.setattr(training.train, "keep_freed_memory", lambda: None)
    with pytest.raises(SystemExit, match="^error: --data .* holds no pictures"):
        training.train.main()
    assert not (tmp_path / "run").exists()
