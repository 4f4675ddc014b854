"""What a run learns from: other pictures than it began with, a zip, a set of the Hub, grey ones."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import evaluation.__main__
import evaluation.catalogue
import training.follow
from evaluation.card import table
from evaluation.quality import reference_for
from playground.model import Model
from preprocessing.listing import append_decisions
from preprocessing.push import push
from stylegan import Generator, sample_z
from tests.training.one_run import built, run, state_of

pytestmark = pytest.mark.usefixtures("fresh_accelerate")


def test_other_pictures_are_not_gone_on_with(config, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(config.data, data)
    config = dataclasses.replace(config, data=str(data), total_kimg=0.008)
    run(config)
    next(data.rglob("*.png")).unlink()
    with pytest.raises(ValueError, match="was begun with.*; to go on with .*/kimg-000000.008$"):
        run(config)


def test_a_decision_makes_other_data_which_is_told(config, prepared):
    config = dataclasses.replace(config, data=str(prepared), total_kimg=0.008)
    run(config)
    append_decisions(prepared, {"film/000000-1.png": False})
    told = (
        r"was begun with \(it had 3 of film, 3 of photos, now 2 of film, 3 of photos\); to go on "
    )
    told += rf"with these, give another --out and --init-from {config.out}/weights/kimg-000000.008$"
    with pytest.raises(ValueError, match=told):
        run(dataclasses.replace(config, total_kimg=0.016))
    append_decisions(prepared, {"film/000000-1.png": None})
    run(dataclasses.replace(config, total_kimg=0.016))
    assert state_of(config)["nimg"] == 16


def test_a_run_on_a_zip_is_the_run_on_its_folder(config, faces, tmp_path, monkeypatch, assert_same):
    """The record keeps what was typed; with another cache it goes on all the same."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = shutil.make_archive(tmp_path / "faces", "zip", faces)
    zipped = dataclasses.replace(config, data=data, out=str(tmp_path / "zipped"))
    run(dataclasses.replace(zipped, total_kimg=0.024))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    run(zipped)
    assert json.loads((Path(zipped.out) / "config.json").read_text())["data"] == data
    run(config)
    assert_same(state_of(zipped), state_of(config))


def test_a_run_on_a_set_of_the_hub_goes_on_with_the_one_it_began_with(
    config, prepared, hub_here, monkeypatch, capsys
):
    """The set moves on and then the Hub goes away; a new run has the newest."""
    push(prepared, "alice/faces")
    config = dataclasses.replace(config, data="alice/faces", total_kimg=0.008)
    run(config)
    record = json.loads((Path(config.out) / "config.json").read_text())
    assert record["data"] == "alice/faces" and record["counts"] == {"film": 3, "photos": 3}
    append_decisions(prepared, {"film/000000-1.png": False})
    push(prepared, "alice/faces")
    run(dataclasses.replace(config, total_kimg=0.016))
    assert f"(alice/faces at commit {record['commit'][:7]})" in capsys.readouterr().out
    assert state_of(config)["nimg"] == 16
    new = dataclasses.replace(config, out=f"{config.out}-2")
    run(new)
    assert json.loads((Path(new.out) / "config.json").read_text())["counts"]["film"] == 2
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    run(dataclasses.replace(config, total_kimg=0.024))
    assert state_of(config)["nimg"] == 24


@pytest.fixture
def grey(faces, tmp_path):
    """Sixteen grey pictures of a kind."""
    (tmp_path / "grey").mkdir()
    for i, path in enumerate(sorted(faces.rglob("*.png"))):
        image = Image.open(path).convert("L")
        image.save(tmp_path / "grey" / f"{i}.png")
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "grey" / f"{i}m.png")
    return tmp_path / "grey"


def test_grey_pictures_make_a_grey_generator(config, grey, monkeypatch, capsys):
    """Trained, measured, told on its card, and drawn by the page."""
    for name, value in dict(NUM_MOVED=25, NUM_PATHS=25).items():
        monkeypatch.setattr(evaluation.__main__, name, value)
    monkeypatch.setattr(training.follow, "SAMPLES", 20)
    monkeypatch.setattr(evaluation.catalogue, "SEEDS", 20)
    small = dict(data=str(grey), eval_kimg=0.016, total_kimg=0.016, path_length=2.0)
    run(dataclasses.replace(config, **small))
    told = capsys.readouterr()
    assert "16 grey pictures of 32 px" in told.out
    assert "the folder has 16 pictures, fewer than 100: its figures are rough, of 8 pi" in told.err
    assert "(rough, with few real faces: 16)" in told.out
    best = Path(config.out) / "best"
    G = Generator.from_pretrained(best).eval()
    card = (best / "README.md").read_text()
    assert G.img_channels == 1 and "32x32 pixels, grey, 4 layers" in card
    assert "The figures are rough, with few real faces: 16." in card
    for path in Path(config.out).glob("samples/*.png"):
        pixels = np.asarray(Image.open(path))
        assert (pixels == pixels[..., :1]).all()
    with torch.inference_mode():
        picture = Model(G, "grey").draw(G.mapping(sample_z([0], G.z_dim)))
    assert picture.shape == (1, 32, 32, 3) and (picture == picture[..., :1]).all()
    figures = evaluation.__main__.evaluate(G, reference_for(G, str(grey)), 20)
    assert figures["few"] == {".": 16} and figures["path length"] > 0
    assert "rough, with few real faces: 16" in table(figures)


def test_weights_of_other_colours_are_refused(config, grey, tmp_path):
    run(dataclasses.replace(config, total_kimg=0.008))
    weights = str(Path(config.out) / "weights/kimg-000000.008")
    begun = dataclasses.replace(config, data=str(grey), out=str(tmp_path / "b"), init_from=weights)
    with pytest.raises(
        ValueError, match="draws in colour, and the pictures of .* are in grey; --p"
    ):
        run(begun)
    partial = built(dataclasses.replace(begun, partial=True))
    assert partial.G_ema.img_channels == 1
