"""The comparison of figures on spoiled faces."""

import json

import pytest
import torch
from PIL import Image

from benchmarks import metrics


def test_blur_spreads_a_point_and_keeps_an_even_picture():
    even = torch.full((1, 3, 16, 16), 0.5)
    torch.testing.assert_close(metrics.blurred(even), even)
    point = torch.zeros(1, 3, 17, 17)
    point[:, :, 8, 8] = 1
    spread = metrics.blurred(point)[0, 0]
    assert spread.sum().item() == pytest.approx(1) and spread[8, 8] < 0.2
    ratio = (spread[8, 9] / spread[8, 8]).item()  # a standard deviation of one pixel
    assert ratio == pytest.approx(0.6065, abs=1e-3)


def test_bending_moves_and_keeps_an_even_picture():
    """The mean move is as large as asked for: a ramp shows it, away from the edges."""
    even = torch.full((2, 3, 32, 32), 0.5)
    torch.testing.assert_close(metrics.bent(even), even)
    ramp = torch.linspace(-0.9, 0.9, 64).expand(50, 1, 64, 64)
    moved = (metrics.bent(ramp) - ramp)[..., 8:-8, 8:-8] / (1.8 / 63)
    assert moved.std().item() == pytest.approx(metrics.BENT, rel=0.1)


def test_every_set_has_every_figure(weights, distinct_folder, tmp_path, monkeypatch, capsys):
    """The picture shows what was drawn, not the reals."""
    monkeypatch.setattr(metrics, "keep_freed_memory", lambda: None)
    out = tmp_path / "metrics.json"
    arguments = ["--weights", weights, "--samples", "120", "--out", str(out)]
    metrics.main(["--data", str(distinct_folder), *arguments])
    sets = json.loads(out.read_text())["sets"]
    spoiled = ["blurred", "bent", "noisy", "only dark", "reals returned"]
    assert list(sets) == ["floor", weights, *spoiled]
    assert all(found.keys() == sets["floor"].keys() for found in sets.values())
    assert sets["reals returned"]["as close as a copy"] == 1 > sets[weights]["as close as a copy"]
    scores = {name: found["score"] for name, found in sets.items()}
    assert scores["reals returned"] == 0 < scores["only dark"] < scores[weights] <= 100
    assert scores["floor"] == 100 and scores[weights] > max(scores["noisy"], scores["bent"])
    assert sets["noisy"]["patches/0"] > 3 * sets[weights]["patches/0"]
    assert sets["only dark"]["coverage"] < 0.8 * sets[weights]["coverage"]
    assert Image.open(out.with_suffix(".png")).size == (12 * 64, 5 * 64)
    assert "as close as a copy" in capsys.readouterr().out
