"""Pictures are read once before the first step."""

import os

import numpy as np
import pytest
from PIL import Image

from evaluation.dataset import ImageDataset
from training.verify import verify


@pytest.fixture
def data(tmp_path):
    """Twelve pictures of noise."""
    (tmp_path / "data").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    for i, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / "data" / f"{i:02d}.png")
    return tmp_path / "data"


def test_broken_pictures_are_counted_and_some_are_named(data, tmp_path):
    for i in range(4, 12):
        path = data / f"{i:02d}.png"
        path.write_bytes(path.read_bytes()[:-2000] if i < 11 else b"<html>")
    with pytest.raises(ValueError) as told:
        verify(ImageDataset(str(data)), tmp_path)
    words = str(told.value)
    assert words.startswith("8 of 12 pictures cannot be read; replace or remove them: ")
    assert f"{data / '04.png'} cannot be decoded" in words and words.endswith("; and others")
    assert words.count(str(data)) == 5


def test_a_later_start_reads_only_what_has_changed(data, tmp_path, monkeypatch):
    first = ImageDataset(str(data))
    verify(first, tmp_path)
    assert first.sums == ImageDataset(str(data)).sums
    os.utime(data / "03.png", ns=(1, 1))
    read = []
    monkeypatch.setattr(ImageDataset, "_pixels", lambda self, index: read.append(index))
    verify(ImageDataset(str(data)), tmp_path)
    assert read == [3]
    verify(ImageDataset(str(data)), tmp_path)
    assert read == [3]


def test_what_is_passed_over_is_told(data, tmp_path, capsys):
    (data / "notes.txt").write_text("text")
    (data / "12.png").touch()
    verify(ImageDataset(str(data)), tmp_path)
    assert "files that are no pictures: 1; empty files: 1\n" in capsys.readouterr().err
