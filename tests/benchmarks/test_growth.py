"""The benchmark of growth: its fit, and what it reports of networks too small to time."""

import json

import pytest
from PIL import Image

from benchmarks import growth


def test_the_exponent_of_a_power_is_its_power():
    assert growth.exponent([1, 2, 4, 8], [3 * n**1.5 for n in (1, 2, 4, 8)]) == pytest.approx(1.5)


def test_time_memory_and_operations_of_every_size_are_in_the_file(tmp_path, monkeypatch, capsys):
    """Operations are known: twice the batch has twice as many."""
    monkeypatch.setattr(growth, "AXES", {"batch": [1, 2], "channels": [4, 8]})
    small = {"resolution": 32, "batch": 1, "layers": 4, "channels": 8}
    monkeypatch.setattr(growth, "BASE", small)
    out = tmp_path / "results" / "growth.json"
    growth.main(["--repeat", "2", "--out", str(out)])
    batch, channels = json.loads(out.read_text())["results"]
    assert batch["exponents"]["gflop"] == pytest.approx(1)
    assert 1 < channels["exponents"]["gflop"] < 2  # the last layer has 3 at either size
    for result in (batch, channels):
        assert all(v > 0 for kind in growth.KINDS for v in result[kind])
    assert Image.open(out.with_suffix(".png")).width > 300
    assert "channels" in capsys.readouterr().out.splitlines()[-1]


def test_no_drawing_is_refused(capsys):
    with pytest.raises(SystemExit):
        growth.main(["--repeat", "0"])
    assert "--repeat must be at least 1" in capsys.readouterr().err
