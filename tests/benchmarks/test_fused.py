"""The comparison on a GPU: what it says of two forms, and that it asks for one."""

import pytest
import torch

from benchmarks import fused
from stylegan import GeneratorConfig, ops
from stylegan.specs import layer_specs


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_it_asks_for_a_gpu(capsys):
    with pytest.raises(SystemExit) as stop:
        fused.main([])
    assert stop.value.code == 2 and "needs a GPU" in capsys.readouterr().err


def test_the_distance_of_two_forms_is_over_the_largest_value():
    """The second form is a tenth larger everywhere, so all its gradients are as well."""
    spec = layer_specs(GeneratorConfig.stylegan3_t(32, num_layers=4))[0]
    forms = {
        "one": ops.convolved_lrelu,
        "other": lambda *arguments: 1.1 * ops.convolved_lrelu(*arguments),
    }
    x = torch.randn(1, 2, spec.in_size + 2, spec.in_size + 2)
    result = fused.compare(forms, spec, x, lambda work: 1.0 if work() is None else 2.0)
    assert result["layer"] == spec.name and result["dtype"] == "float32"
    tenth = dict.fromkeys(("values", "x", "gain", "bias"), 0.1)
    assert result["error"] == pytest.approx(tenth, rel=1e-4)  # rounding of float32
    assert set(result["ms"]) == {f"{f}{g}" for f in forms for g in ("", " with gradients")}
