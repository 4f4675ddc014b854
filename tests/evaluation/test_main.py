"""The command that says how good a generator is."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from evaluation import __main__ as evaluate
from evaluation.card import section
from evaluation.quality import ALL


@pytest.fixture
def quick(monkeypatch):
    """Few pictures where their number does not matter."""
    for name, value in dict(NUM_MOVED=25, NUM_PATHS=25).items():
        monkeypatch.setattr(evaluate, name, value)
    monkeypatch.setattr("evaluation.mixing.PAIRS", 3)
    monkeypatch.setattr(evaluate, "keep_freed_memory", lambda: None)


def test_the_command_writes_figures_and_a_page(quick, face_folder, weights, tmp_path, capsys):
    """These weights drew the pictures, from other seeds, so the figures are at the floor."""
    out = tmp_path / "evaluation"
    data = str(face_folder)
    copy = shutil.copytree(weights, tmp_path / "weights")
    command = [str(copy), "--data", data, "--samples", "100", "--out", str(out), "--card"]
    evaluate.main(command)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["samples"] == 100
    assert [len(name) for name in metrics["features"].split()] == [12, 12]
    assert set(metrics["distances"]) >= {ALL}
    figures = metrics["distances"][ALL]
    assert figures["frechet"]["value"] < 1.5 * figures["frechet"]["floor"]
    assert sum(metrics["shares"].values()) == pytest.approx(1)
    assert metrics["EQ-T"] > 50 > metrics["EQ-T_frac"] > 25 > metrics["EQ-R"] > 5
    assert metrics["score"] > 80 and metrics["turned"] < 0.05
    assert metrics["path length"] > 0 and metrics["as close as a copy"] < 0.1
    assert Image.open(out / "page.png").width == 12 * 64
    table = capsys.readouterr().out
    assert all(name in table for name in [*figures, "EQ-T", "share of", "mixing, own centres"])
    names = {"weights": "weights", "data": face_folder.name}  # nobody's paths
    assert json.loads((copy / "metrics.json").read_text()) == metrics | names
    card = (copy / "README.md").read_text()
    assert section(metrics) in card and "## Credits" in card


def test_who_stops_it_finds_nothing_half_done(face_folder, weights, tmp_path, monkeypatch, capsys):
    """Before that it says what takes so long."""

    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "evaluate", interrupted)
    out = tmp_path / "evaluation"
    with pytest.raises(SystemExit, match="stopped before all was measured"):
        evaluate.main([weights, "--data", str(face_folder), "--out", str(out)])
    assert "drawing 1000 faces and measuring them" in capsys.readouterr().err
    assert not out.exists()


def test_what_does_not_fit_is_named(quick, face_folder, weights, tmp_path, capsys):
    data = ["--data", str(face_folder)]
    with pytest.raises(SystemExit, match="error: .*nowhere"):
        evaluate.main([str(tmp_path / "nowhere"), *data])
    with pytest.raises(SystemExit, match="holds no pictures"):
        evaluate.main([weights, "--data", str(tmp_path)])
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    with pytest.raises(SystemExit, match="draws 64 pixels and the pictures .* have 32"):
        evaluate.main([weights, "--data", str(tmp_path)])
    with pytest.raises(SystemExit):
        evaluate.main([weights, *data, "--samples", "1"])
    assert "--samples must be at least 100" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        evaluate.main(["alice/faces", *data, "--card"])
    assert "--card is for a folder of weights, and alice/faces is none" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="error: --inception .*(not a file|pip install)"):
        evaluate.main([weights, *data, "--inception", str(tmp_path / "nothing")])


def test_files_go_to_a_folder_of_their_own(face_folder, tmp_path, monkeypatch):
    """New, empty or of the same weights and faces; by default another one for other weights."""
    monkeypatch.chdir(tmp_path)
    data, out = str(face_folder), tmp_path / "out"
    found = evaluate.own_folder(None, "runs/first/best", data)
    assert found == Path("evaluations/runs-first-best")
    assert evaluate.own_folder(str(out), "mine", data) == out and not out.exists()
    out.mkdir()
    (out / "page.png").touch()
    (out / "metrics.json").write_text(json.dumps({"weights": "mine", "data": data}))
    assert evaluate.own_folder(str(out), "mine", data) == out
    with pytest.raises(ValueError, match=f"--out {out} holds the figures of mine"):
        evaluate.own_folder(str(out), "yours", data)
    (out / "config.json").touch()
    with pytest.raises(ValueError, match=f"--out {out} holds config.json; name a new folder"):
        evaluate.own_folder(str(out), "mine", data)
    with pytest.raises(ValueError, match="lie in one another"):
        evaluate.own_folder(f"{data}/out", "mine", data)
    assert evaluate.own_folder("alice", "mine", "alice/faces") == Path("alice")  # on the Hub
    with pytest.raises(ValueError, match="--out is empty"):
        evaluate.own_folder("", "mine", data)


def test_path_length_of_a_turning_direction(quick):
    """Colours (cos w, sin w, 0) of length 1: a step of s * e in w moves them by 2 sin(s e / 2), so
    the path from w = 0 to w = 3 has length 9 per squared step; two layers see it twice."""

    def synthesis(ws):
        angle = ws[:, 0, 0].double()[:, None, None]
        return torch.stack([angle.cos(), angle.sin(), 0 * angle], dim=1).expand(-1, -1, 2, 2)

    class Mapping:
        w_avg = torch.zeros(1)

        def __call__(self, z, c):
            second_half = torch.arange(len(z)) >= len(z) // 2
            return (3.0 * second_half)[:, None, None]

    G = SimpleNamespace(z_dim=4, c_dim=0, mapping=Mapping(), synthesis=synthesis)
    network = SimpleNamespace(maps=lambda img: [img, 5 * img])
    assert evaluate.path_length(G, network) == pytest.approx(2 * 9, rel=1e-2)
