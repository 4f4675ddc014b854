"""The load test itself, with few visitors for a moment."""

import numpy as np
import pytest
import torch

from benchmarks import load
from playground.limits import FULL


def test_visitors_get_what_they_should(monkeypatch):
    """Each action is asked for, all answers are right; their pictures differ enough to tell."""
    monkeypatch.setattr(load, "MIXES", 6)
    monkeypatch.setattr(load, "GRIDS", 2)
    monkeypatch.setattr(load, "SHARES", {"mix": 1, "grid": 1, "crop": 1})
    monkeypatch.setattr(load, "QUIET_SECONDS", 0.1)
    report = load.measure(clients=3, seconds=4, warm=0.1)
    assert report["said"] == []
    for values in report["actions"].values():
        assert values["right"] > 0 == values["wrong"] and values["median_s"] <= values["p95_s"]
    assert report["memory_mib"]["before"] > 100


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_another_picture_is_told_apart(dtype):
    direct = load.Direct(dtype)
    one, other = direct.mix(1, 2, 0.5, 0.7), direct.mix(1, 2, 0.6, 0.7)
    assert load.is_close(one, one, dtype)
    assert not load.is_close(one, other, dtype) and not load.is_close(one, one[:32], dtype)
    grid = direct.grid([1, 3, 4], [2, 3], 0.5, 0.7)
    assert grid.shape == (3, 4, 64, 64, 3) and not grid[0, 0].any()  # the corner is empty
    assert load.is_close(grid[1, 1], one, dtype)


def test_in_float32_two_of_255_are_close_and_three_are_not():
    one = np.full((8, 8, 3), 100, np.uint8)
    assert load.is_close(one, one + 2, torch.float32)
    assert not load.is_close(one, one + 3, torch.float32)
    assert not load.is_close(one, one - 3, torch.float32)


def test_what_was_met_is_summed_up():
    one, dtype = np.zeros((8, 8, 3), np.uint8), torch.float32
    for wrong in ("", "Seed A must be a whole number.", one + 9):
        assert load.judge(wrong, one, dtype)[0] == "wrong"
    assert load.judge(FULL, one, dtype)[0] == "refused"
    found = [load.Met(float(i), *load.judge(one, one, dtype)) for i in range(100)]
    found.append(load.Met(9.0, *load.judge("Try again later.", one, dtype)))
    assert load.summary(found) == dict(right=100, refused=1, wrong=0, median_s=49.5, p95_s=95.0)
    assert load.summary([]) == dict(right=0, refused=0, wrong=0)
