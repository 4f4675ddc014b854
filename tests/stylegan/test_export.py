"""ONNX files draw what PyTorch draws, in batches of any size, and have no float64."""

import numpy as np
import pytest
import torch

from stylegan import Generator, GeneratorConfig, export
from stylegan.transforms import rotation, translation

SIZE = dict(z_dim=8, w_dim=12, channel_base=128, channel_max=8)


@pytest.fixture
def packages():
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason=f"needs {name}, which requirements-dev.txt installs")


def run(file, **inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert {x.name for x in session.get_inputs()} == inputs.keys()
    (found,) = session.run(None, {name: x.numpy() for name, x in inputs.items()})
    return torch.from_numpy(found)


def near(actual, expected):
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= 1e-4 * expected.abs().max()


@torch.no_grad()
@pytest.mark.parametrize("kind", ["t", "r", "2"])
def test_files_draw_what_pytorch_draws(tiny, packages, tmp_path, kind, capsys):
    """Loaded and told by the command; batches of 1 and 4 were not those of the example."""
    shape = dict(num_layers=3, c_dim=2)
    config = GeneratorConfig.stylegan2(32, **SIZE) if kind == "2" else tiny(kind, **shape)
    G = Generator(config).eval()
    G.mapping.w_avg.normal_()
    G.save_pretrained(tmp_path / "model")
    export.main([str(tmp_path / "model"), "--onnx", str(tmp_path / "it.onnx")])
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 and all("MB, differs from PyTorch by " in line for line in said)
    for n in (1, 4):
        z, psi = torch.randn(n, 8), torch.linspace(0.3, 1.2, n)
        c = {"c": torch.eye(2)[torch.arange(n) % 2]} if config.c_dim else {}
        ws = G.mapping(z, c.get("c"), psi)
        near(run(tmp_path / "it-mapping.onnx", z=z, psi=psi, **c), ws)
        ws = ws.lerp(ws.flip(1), 0.3).contiguous()  # as if mixed
        move = {}
        if kind != "2":
            moves = [rotation(i) @ translation(0.2 * i, -0.1) for i in range(n)]
            move = {"transform": torch.stack(moves)}
        near(run(tmp_path / "it.onnx", ws=ws, **move), G.synthesis(ws, *move.values()))
    import onnx

    for name in ("it.onnx", "it-mapping.onnx"):
        assert not export.has_float64(onnx.load(tmp_path / name))


def test_float64_would_be_seen(packages):
    from onnx import TensorProto, helper, numpy_helper

    for wide in (True, False):
        dtype = np.float64 if wide else np.float32
        kind = TensorProto.DOUBLE if wide else TensorProto.FLOAT
        x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
        cast = helper.make_node("Cast", ["x"], ["y"], to=kind)
        graphs = [
            helper.make_graph([cast], "cast", [x], [y]),
            helper.make_graph([], "weight", [x], [], [numpy_helper.from_array(dtype(1), "w")]),
        ]
        for graph in graphs:
            assert export.has_float64(helper.make_model(graph)) == wide


def test_a_file_that_draws_something_else_is_not_written(tiny, packages, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "graph", lambda *_: b"")
    monkeypatch.setattr(export, "error", lambda *_: float("nan"))
    with pytest.raises(ValueError, match="the ws of ONNX Runtime differ by nan; not written"):
        export.export(Generator(tiny()), tmp_path / "it.onnx")
    assert not list(tmp_path.iterdir())


def test_missing_packages_are_named(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    Generator(tiny()).save_pretrained(tmp_path / "model")
    with pytest.raises(SystemExit, match="error: the package onnx is missing: pip install onnx on"):
        export.main([str(tmp_path / "model"), "--onnx", str(tmp_path / "it.onnx")])


def test_what_is_no_model_or_no_onnx_file_is_a_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit, match="error: .*nowhere.* is no folder"):
        export.main([str(tmp_path / "nowhere"), "--onnx", "it.onnx"])
    with pytest.raises(SystemExit):
        export.main([str(tmp_path), "--onnx", "it.pt"])
    assert "--onnx must name a file that ends in .onnx, got it.pt" in capsys.readouterr().err
