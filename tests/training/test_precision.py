"""The choice of a precision: by the measured times on a CPU, by what the GPU says on one."""

from itertools import cycle

import pytest
import torch

import training.precision
from training.precision import fastest_precision

CPU = torch.device("cpu")


@pytest.fixture
def times(monkeypatch):
    """Seconds that the measurements of each precision take, over and over."""

    def pretend(single, half):
        left = {torch.float32: cycle(single), torch.bfloat16: cycle(half)}
        monkeypatch.setattr(training.precision, "_seconds", lambda dtype: next(left[dtype]))

    return pretend


@pytest.mark.parametrize(
    "half, answer",
    [(0.5, "bf16"), (0.89, "bf16"), (0.95, "no"), (1.0, "no"), (3.0, "no")],
)
def test_bfloat16_must_be_a_tenth_faster(times, half, answer):
    times([1.0], [half])
    assert fastest_precision(CPU) == answer


def test_a_slow_start_and_busy_moments_do_not_count(times):
    disturbed = [9.0, 9.0, 0.5, 9.0, 0.5, 9.0, 0.5]
    times([1.0], disturbed)
    assert fastest_precision(CPU) == "bf16"
    times(disturbed, [0.5])
    assert fastest_precision(CPU) == "no"


def test_a_short_measurement_for_real():
    for dtype in (torch.float32, torch.bfloat16):
        assert 0 < training.precision._seconds(dtype) < 60


@pytest.mark.parametrize("supported, answer", [(True, "bf16"), (False, "no")])
def test_a_gpu_is_asked_whether_it_has_bfloat16_of_its_own(monkeypatch, supported, answer):
    def is_supported(including_emulation=True):
        return including_emulation or supported

    def measure(dtype):
        raise AssertionError("a GPU is not measured")

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    monkeypatch.setattr(training.precision, "_seconds", measure)
    assert fastest_precision(torch.device("cuda")) == answer
