"""The benchmark of faces looked for: what it reports, on networks too small to find one."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import inversion
from stylegan import Generator, sample_z
from stylegan.encoder import Encoder


@pytest.fixture
def weights(tiny, calibrate, tmp_path):
    """A folder of a small generator of 32 pixels and an encoder for it."""
    G = calibrate(Generator(tiny(num_layers=4)), sample_z(range(8), 8))
    G.save_pretrained(tmp_path / "weights")
    Encoder.of(G, width=8, features=16, directions=5).save_pretrained(tmp_path / "weights")
    return str(tmp_path / "weights")


def test_every_way_is_measured_after_every_step(weights, faces, tmp_path, monkeypatch):
    monkeypatch.setattr(inversion, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(inversion, "SEARCHES", {2: (1, 2), 3: (3,)})
    monkeypatch.setattr(inversion, "SHOWN", (0, 2))
    monkeypatch.setattr(inversion, "SEEDS", 4)
    out, nobody = tmp_path / "inversion.json", str(tmp_path / "none")
    flags = ["--weights", weights, "--faces", "3", "--identity", nobody, "--out", str(out)]
    inversion.main(["--data", str(faces), "--reals", str(faces), *flags])
    report = json.loads(out.read_text())
    long, short = (
        ("encoder", "nearest"),
        ["w_avg", "features of the evaluation", "all places alike"],
    )
    short += [f"without {term}" for term in ("features", "pyramid", "similarity", "prior")]
    names = [f"{name}, {step}" for name in long for step in (0, 1, 2, 3)]
    names += [f"{name}, {step}" for name in short for step in (0, 1, 2)]
    assert sorted(report["found"]) == sorted(names)
    assert all(set(row) == {"psnr", "ssim", "features"} for row in report["found"].values())
    kernel = report["kernel distance of mixes"]
    assert list(kernel) == ["reals", "two seeds", "encoder, 0", "encoder, 2"]
    assert kernel["two seeds"] > kernel["reals"]  # noise is no face
    with Image.open(out.with_suffix(".png")) as strip:
        assert strip.size == (3 * 32, 3 * 32)


def test_a_copy_is_told_to_be_no_nearer_than_rounding_allows(tmp_path):
    face = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    judged = inversion.Judge(face, tmp_path / "none")(face)
    assert judged["psnr"] == pytest.approx(10 * np.log10(255**2 * 12))
    assert judged["ssim"] == judged["features"] == pytest.approx(1)


def test_what_cannot_be_read_is_named(weights, tmp_path, capsys):
    with pytest.raises(SystemExit):
        inversion.main(["--data", str(tmp_path / "nowhere"), "--weights", weights])
    assert "nowhere is not a folder" in capsys.readouterr().err


def test_mixes_of_real_faces_are_as_real_as_reals(weights):
    """What a generator draws is near to what it draws, and far from noise."""
    G, monochrome = Generator.from_pretrained(weights), torch.rand(40, 3, 32, 32) * 2 - 1
    ws = G.mapping(sample_z(range(40), 8))
    near = inversion.realism(G, {"drawn": ws[:4]}, inversion.drawn_of(G, ws).clamp(-1, 1))
    far = inversion.realism(G, {"drawn": ws[:4]}, monochrome)
    assert near["drawn"] < far["drawn"] and abs(near["reals"]) < far["drawn"]
