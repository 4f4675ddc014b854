"""The comparison: what it says of two forms, and what it asks for."""

import sys

import pytest
import torch

from benchmarks import fused
from stylegan import GeneratorConfig, ops
from stylegan.specs import layer_specs


def test_it_asks_for_the_kernels_package(capsys, monkeypatch):
    needed = "triton" if torch.cuda.is_available() else "llvmlite"
    for name in (needed, "stylegan.fused", "stylegan.fused_cpu", "stylegan.jit"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, needed, None)
    with pytest.raises(SystemExit) as stop:
        fused.main([])
    assert stop.value.code == 2 and f"pip install {needed}" in capsys.readouterr().err


def test_forms_take_turns_after_three_rounds():
    done = []
    works = {name: lambda name=name: done.append(name) for name in ("one", "other")}
    times = fused.medians(works, lambda work: work() or float(len(done)), repeat=2)
    assert done == ["one", "other"] * 5 and times == {"one": 8.0, "other": 9.0}


def test_the_distance_of_two_forms_is_over_the_largest_value():
    """The second form is a tenth larger everywhere, so all its gradients are as well."""
    spec = layer_specs(GeneratorConfig.stylegan3_t(32, num_layers=4))[0]
    forms = {
        "one": ops.convolved_lrelu,
        "other": lambda *arguments: 1.1 * ops.convolved_lrelu(*arguments),
    }
    x = torch.randn(1, 2, spec.in_size + 2, spec.in_size + 2)
    result = fused.compare(
        forms, spec, x, lambda works: {name: work() or 1.0 for name, work in works.items()}
    )
    assert result["layer"] == spec.name and result["dtype"] == "float32"
    tenth = dict.fromkeys(("values", "x", "gain", "bias"), 0.1)
    assert result["error"] == pytest.approx(tenth, rel=1e-4)  # rounding of float32
    assert set(result["ms"]) == {f"{f}{g}" for f in forms for g in ("", " with gradients")}
