"""The benchmark of drawing: what it reports, on networks too small to time."""

import json

import pytest
import torch
from PIL import Image

from benchmarks import draw, machine
from stylegan import Generator, GeneratorConfig


@pytest.fixture
def networks(monkeypatch):
    sizes = dict(num_layers=4, channel_base=128, channel_max=8, z_dim=8, w_dim=8)
    names = {"small t": (draw.T, sizes), "small r": (draw.R, sizes)}
    monkeypatch.setattr(draw, "NETWORKS", names)
    return list(names)


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_form_of_every_setting_is_in_the_file(networks, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(draw, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(machine, "GEMM_SIZE", 128)  # bfloat16 is slow where no instruction has it
    out = tmp_path / "results" / "draw.json"
    sizes = ["--resolution", "32", "--batch", "1", "2", "--repeat", "2"]
    draw.main(["--network", *networks, *sizes, "--out", str(out)])
    report = json.loads(out.read_text())
    results = report["results"]
    found = [(r["network"], r["resolution"], r["batch"], r["form"]) for r in results]
    forms = ["float32", "bfloat16", "plain"]
    assert found == [(n, 32, b, f) for n in networks for b in (1, 2) for f in forms]
    for r in results:
        assert (
            r["cpu_ms"] > 0 and r["wall_ms"] > 0 and r["gemm_fraction"] > 0 and r["gemm_gflops"] > 0
        )
        if r["form"] == "plain":
            assert r["error"] < 1e-4 and r["of_plain"] == 1
        if r["form"] == "bfloat16":
            assert 1e-4 < r["error"] < 0.1 and 30 < r["psnr"] < 80
    assert Image.open(out.with_suffix(".png")).width > 300
    assert len(capsys.readouterr().out.splitlines()) == 2 + 1 + len(results)


def test_what_cannot_be_measured_is_named(capsys):
    with pytest.raises(SystemExit):
        draw.main(["--batch", "0"])
    assert "--batch must be at least 1" in capsys.readouterr().err


def test_convolutions_are_counted_by_hand():
    """A multiply-add is two; the full convolution of an image of side n has n + k - 1."""
    G = Generator(GeneratorConfig.stylegan3_t(32, num_layers=4, channel_base=128, channel_max=8))
    specs = [G.synthesis.get_submodule(name).spec for name in G.synthesis.layer_names]
    *hidden, torgb = specs
    expected = sum(2 * 9 * s.in_channels * s.out_channels * (s.in_size + 2) ** 2 for s in hidden)
    expected += 2 * torgb.in_channels * 3 * 32**2
    assert draw.convolution_flops(G) == expected


def test_magnitudes_are_those_of_what_the_layers_see():
    G = draw.calibrated(GeneratorConfig.stylegan3_t(32, num_layers=4, channel_base=128))
    layer, seen = G.synthesis.get_submodule(G.synthesis.layer_names[2]), []
    layer.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    with torch.no_grad():
        G.synthesis(G.mapping(draw.sample_z(range(4), G.z_dim)))
    torch.testing.assert_close(layer.magnitude_ema, seen[0].square().mean(), rtol=1e-4, atol=0)
