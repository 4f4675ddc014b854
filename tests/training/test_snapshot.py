"""What a run leaves behind: cards, grids of samples, and pushes that may fail."""

import dataclasses
import json
import os
import shutil
import subprocess

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import training.snapshot
from evaluation.card import section
from evaluation.dataset import ImageDataset
from stylegan import Discriminator, DiscriminatorConfig, Generator
from stylegan.latents import sample_z
from stylegan.layout import METRICS
from training.card import describe
from training.config import TrainConfig
from training.snapshot import (
    DISCRIMINATOR,
    name_at,
    restore,
    save_pictures,
    save_run_card,
    save_weights,
    with_full_labels,
)


def test_names_have_the_digits_that_the_flags_need(faces, tmp_path):
    config = TrainConfig(str(faces), str(tmp_path))
    assert name_at(config, 12_345_024) == "kimg-012345"
    assert name_at(config, 12_345_056) == "kimg-012345.056"  # between two: of a stop
    often = dataclasses.replace(config, eval_kimg=0.5)
    assert name_at(often, 12_345_024) == "kimg-012345.024"


def test_pictures_are_saved_as_they_are_returned(tiny, faces, tmp_path):
    pictures = save_pictures(TrainConfig(str(faces), str(tmp_path)), Generator(tiny()), nimg=4000)
    assert pictures.keys() == {"samples", "mix"}
    for name, file in (("samples", "kimg-000004.png"), ("mix", "kimg-000004-mix.png")):
        found = np.array(Image.open(tmp_path / "samples" / file))
        np.testing.assert_array_equal(found, pictures[name])


def test_a_snapshot_is_a_generator_with_its_story(tiny, faces, tmp_path):
    config = TrainConfig(str(faces), str(tmp_path), config="r", batch=8, gamma=0.25)
    dataset, G = ImageDataset(config.data), Generator(tiny()).eval()
    D = Discriminator(DiscriminatorConfig(32, channel_base=128, channel_max=8))
    pictures = save_pictures(config, G, nimg=12_345_000)
    folder = tmp_path / "weights" / "kimg-012345"
    leftover = folder.parent / ".kimg-012345.new"
    leftover.mkdir(parents=True)  # by a kill, half full
    (leftover / "README.md").write_text("old")
    for _ in range(2):  # a second time in place of the first
        save_weights(config, dataset, G, D, 12_345_000, folder, {})
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]
    assert not (folder / METRICS).exists()
    np.testing.assert_array_equal(np.array(Image.open(folder / "samples.png")), pictures["samples"])
    assert Generator.from_pretrained(folder).config == G.config
    saved = load_file(folder / DISCRIMINATOR)
    assert all(torch.equal(saved[name], tensor) for name, tensor in D.state_dict().items())
    text = (folder / "README.md").read_text()
    assert describe(config, dataset, 12_345_000) in text
    assert "Config R, 32x32 pixels" in text and "R1 gamma 0.25" in text and "early, late" in text


def test_measured_weights_have_their_figures_beside_them(tiny, faces, tmp_path, figures):
    config = TrainConfig(str(faces), str(tmp_path))
    G, D = Generator(tiny()), Discriminator(DiscriminatorConfig(32, channel_base=128))
    save_pictures(config, G, nimg=0)
    found = figures(61.25)
    save_weights(config, ImageDataset(config.data), G, D, 0, tmp_path / "best", found)
    assert json.loads((tmp_path / "best" / METRICS).read_text()) == found
    assert section(found) in (tmp_path / "best" / "README.md").read_text()


def test_weights_survive_a_kill_while_they_are_replaced(tiny, faces, tmp_path, monkeypatch):
    config = TrainConfig(str(faces), str(tmp_path))
    G, D = Generator(tiny()), Discriminator(DiscriminatorConfig(32, channel_base=128))
    save_pictures(config, G, nimg=0)
    what, folder = (config, ImageDataset(config.data), G, D, 0), tmp_path / "best"
    save_weights(*what, folder, {})
    was = (folder / "model.safetensors").read_bytes()
    replace = os.replace

    def killed(source, target):
        if source == tmp_path / ".best.new":
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(training.snapshot.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_weights(*what, folder, {})
    assert not folder.exists()
    restore(folder)
    assert (folder / "model.safetensors").read_bytes() == was


@torch.no_grad()
def test_labels_that_came_in_halfway_get_their_full_weight(tiny):
    """With labels, the copy draws what was drawn with half of them; at full weight it is itself."""
    G = Generator(tiny(c_dim=2)).eval()
    z, c = sample_z([0, 1], 8), torch.eye(2)
    full = with_full_labels(G, 0.5)
    assert not torch.equal(full.mapping(z, c), G.mapping(z, c))
    torch.testing.assert_close(full.mapping(z, c), G.mapping(z, c, label_weight=0.5))
    assert with_full_labels(G, 1.0) is G


def test_a_run_folder_says_what_it_is(faces, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py", "--data", "two words", "--batch", "8"])
    save_run_card(TrainConfig(str(faces), str(tmp_path)), ImageDataset(str(faces)))
    text = (tmp_path / "README.md").read_text()
    assert "python training/train.py --data 'two words' --batch 8" in text
    assert "on 8 pictures of 32 px: early, late" in text
    for name in ("config.json", "log.jsonl", "history.jsonl", "samples/", "weights/", "best/"):
        assert name in text


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_the_card_of_paths_that_are_no_utf8_has_the_command_for_a_shell(
    faces, tmp_path, monkeypatch
):
    data, out = (tmp_path / os.fsdecode(name) for name in (b"d\xe9 'ta", b"o\xe9t"))
    shutil.copytree(faces, data)
    out.mkdir()
    monkeypatch.setattr("sys.argv", ["train.py", "--data", str(data), "--out", "a b"])
    config = TrainConfig(str(data), str(out), init_from=str(out))
    for _ in range(2):  # a second time in place of the first
        save_run_card(config, ImageDataset(str(data)))
    line = (out / "README.md").read_text(encoding="utf-8").splitlines()[2]
    command = line.partition("train.py ")[2]
    shell = ["bash", "-c", f"printf '%s\n' {command}"]
    printed = subprocess.run(shell, capture_output=True, check=True).stdout
    assert printed.split(b"\n")[:-1] == [b"--data", os.fsencode(data), b"--out", b"a b"]
    assert "beginning with o\\xe9t." in describe(config, ImageDataset(str(data)), 0)
