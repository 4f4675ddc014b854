"""The load test itself, with few visitors for a moment."""

import numpy as np

from benchmarks import load


def test_visitors_get_what_they_should(monkeypatch):
    """Each action is asked for, all answers are right; their pictures differ enough to tell."""
    monkeypatch.setattr(load, "MIXES", 6)
    monkeypatch.setattr(load, "GRIDS", 2)
    monkeypatch.setattr(load, "SHARES", {"mix": 1, "grid": 1, "crop": 1})
    monkeypatch.setattr(load, "QUIET_SECONDS", 0.1)
    report = load.measure(clients=3, seconds=4, warm=0.1)
    for values in report["actions"].values():
        assert values["right"] > 0 == values["wrong"] and values["median_s"] <= values["p95_s"]
    assert min(report["memory_mb"]) > 100


def test_another_picture_is_told_apart():
    direct = load.Direct()
    one, other = direct.mix(1, 2, 0.5, 0.7), direct.mix(1, 2, 0.6, 0.7)
    assert load.is_close(one, np.clip(one.astype(int) + 1, 0, 255).astype(np.uint8))
    assert not load.is_close(one, other) and not load.is_close(one, one[:32])
    grid = direct.grid([1], [2, 3], 0.5, 0.7)
    assert grid.shape == (3, 2, 64, 64, 3) and (grid[0, 0] == 255).all()
    assert load.is_close(grid[1, 1], one)


def test_what_was_met_is_summed_up():
    one = np.zeros((8, 8, 3), np.uint8)
    assert load.judge("", one)[0] == load.judge(one + 9, one)[0] == "wrong"
    found = [load.Met(float(i), *load.judge(one, one)) for i in range(100)]
    found.append(load.Met(9.0, *load.judge("Try again later.", one)))
    assert load.summary(found) == dict(right=100, refused=1, wrong=0, median_s=49.5, p95_s=95.0)
    assert load.summary([]) == dict(right=0, refused=0, wrong=0)
