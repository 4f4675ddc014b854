"""The benchmark of the training step: what it reports, on networks too small to time."""

import dataclasses
import json
import math

import pytest
import torch

from benchmarks import train_step
from benchmarks.train_step import measure
from benchmarks.trainer import INSIDE, VARIANTS, Noise, Trainer, Variant, per_step
from training.config import TrainConfig
from training.graphs import WARM_UP, Graphed

pytestmark = pytest.mark.usefixtures("no_precision_left_behind")


@pytest.fixture
def config(tmp_path):
    size = dict(num_layers=4, channel_base=128, channel_max=8, z_dim=8)
    return TrainConfig(str(tmp_path), str(tmp_path), **size, batch=8, r1_interval=4)


def test_the_file_has_all_parts_and_their_weighted_sum(config, tmp_path, monkeypatch, capsys):
    """Of 4 steps 3 are without R1 and one with it, and p moves once."""
    monkeypatch.setattr(train_step, "parse_args", lambda flags: config)
    monkeypatch.setattr(train_step, "use_all_cores", lambda: None)
    monkeypatch.setattr(train_step, "keep_freed_memory", lambda: None)
    out = tmp_path / "results" / "step.json"
    train_step.main(["--resolution", "32", "--repeat", "2", "--out", str(out)])
    report = json.loads(out.read_text())
    assert report["machine"]["threads"] == 1 and report["resolution"] == 32
    assert [r["variant"] for r in report["settings"]][:2] == ["no", "bf16"]
    often = {"deal": 1, "step": 0.75, "step with R1": 0.25, "adjust": 0.25, "EMA": 1}
    for r in report["settings"]:
        assert {name: part["per_step"] for name, part in r["parts"].items()} == often
        assert set(r["inside"]) == set(INSIDE)
        numbers = [r["peak_bytes"], r["gflops"], *r["each_round"]]
        numbers += [part[k] for g in ("parts", "inside") for part in r[g].values() for k in part]
        assert all(0 < n < math.inf for n in numbers) and len(r["each_round"]) == 2
        total = sum(part["wall"] * often[name] for name, part in r["parts"].items())
        assert r["seconds_per_kimg"] == pytest.approx(total)
        assert r["gflops"] * r["seconds_per_kimg"] == pytest.approx(1000 * r["gflop_per_image"])
    assert "GFLOP/s" in capsys.readouterr().out.splitlines()[-1 - len(report["settings"])]


def test_precisions_in_one_process_do_not_mix(config):
    """Each keeps its own, whichever was built last."""
    trainers = {
        name: Trainer(config, VARIANTS[name], Noise(32)) for name in ("bf16", "no", "bf16")
    } | {"again": Trainer(config, VARIANTS["no"], Noise(32))}
    expected = {"bf16": torch.bfloat16, "no": torch.float32, "again": torch.float32}
    for name, trainer in trainers.items():
        seen = []
        layers = (
            trainer.run.D.b32,
            trainer.G.synthesis.get_submodule(trainer.G.synthesis.layer_names[1]),
        )
        for layer in layers:
            layer.register_forward_hook(lambda module, inputs, x, seen=seen: seen.append(x.dtype))
        for _, work in trainer.parts():
            work()
        assert set(seen) == {expected[name]}, name
        assert len(seen) > 10


def test_steps_do_what_they_are_timed_for(config):
    """R1 in its step only; every round has new numbers; all weights move."""
    trainer, seen = Trainer(config, VARIANTS["no"], Noise(32)), {}
    before = [p.detach().clone() for p in trainer.run.D.parameters()]
    ema = [p.clone() for p in trainer.run.G_ema.parameters()]
    for name, work in trainer.parts():
        seen[name] = work()
        if name == "deal":
            first = trainer.shares[0]
    assert "r1" in seen["step with R1"] and "r1" not in seen["step"] and "loss/G" in seen["step"]
    assert not any(
        torch.equal(a, b) for a, b in zip(before, trainer.run.D.parameters(), strict=True)
    )
    assert any(
        not torch.equal(a, b) for a, b in zip(ema, trainer.run.G_ema.parameters(), strict=True)
    )
    trainer.deal()
    assert not torch.equal(first.z, trainer.shares[0].z)
    assert not torch.equal(first.reals, trainer.shares[0].reals)


def test_a_variant_that_fails_is_named_and_stops_no_other(config, monkeypatch):
    def build(config, variant, dataset):
        if variant is VARIANTS["broken"]:
            raise RuntimeError("no such kernel\nand much more")
        return Trainer(config, variant, dataset)

    monkeypatch.setattr(train_step, "Trainer", build)
    monkeypatch.setitem(VARIANTS, "broken", Variant("no", gpu_only=True))
    broken, good = measure([config], ["broken", "no"], resolution=32, repeat=1)
    assert broken["failure"] == "RuntimeError: no such kernel"
    assert good["seconds_per_kimg"] > 0
    shown = train_step.summary([broken, good]).splitlines()
    assert shown[-2].endswith("RuntimeError: no such kernel")
    assert train_step.summary([broken])


def test_channels_last_changes_where_numbers_lie_and_not_what_they_are(config):
    plain = Trainer(config, VARIANTS["no"], Noise(32))
    other = Trainer(config, VARIANTS["bf16 channels_last"], Noise(32))
    assert plain.run.D.b32.conv0.weight.is_contiguous()
    weight = other.run.D.b32.conv0.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(plain.run.D.b32.conv0.weight, weight)


def test_r1_in_every_step_leaves_no_step_without_it(config, tmp_path):
    often = per_step(TrainConfig(str(tmp_path), str(tmp_path), r1_interval=1))
    assert often["step"] == 0 and often["step with R1"] == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_what_needs_a_gpu_is_refused_without_one(config):
    (result,) = measure([config], ["bf16 channels_last graphs"], resolution=32, repeat=1)
    assert result["failure"] == "ValueError: --cuda-graphs needs a GPU, and there is none"


def test_configs_are_measured_one_after_another(config, tmp_path, monkeypatch):
    """So that the file of a benchmark that was cut short has those that were done."""
    small = dataclasses.replace(config, batch=4)
    results = measure([config, small], ["no"], resolution=32, repeat=1)
    assert next(results)["batch"] == 8
    monkeypatch.setattr(train_step, "Setting", None)  # the next one is not begun before it is asked
    with pytest.raises(TypeError):
        next(results)


def test_graphs_are_recorded_before_rounds_count(config, recorder, monkeypatch):
    """Those of a step and of a step with R1, each replayed once before."""
    monkeypatch.setattr(
        "benchmarks.trainer.check", lambda *arguments, **kwargs: None
    )  # it asks for a GPU
    monkeypatch.setattr("benchmarks.trainer.Graphed", lambda step: Graphed(step, recorder))
    monkeypatch.setitem(VARIANTS, "graphs", Variant("no", graphs=True))
    (result,) = measure([config], ["graphs"], resolution=32, repeat=2)
    assert result["seconds_per_kimg"] > 0
    assert recorder.ran == 2 * WARM_UP and recorder.replays == [1 + 2] * 2
