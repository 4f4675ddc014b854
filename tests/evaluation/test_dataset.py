"""Pictures of a folder."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation.dataset import ImageDataset
from preprocessing.read import read_image


def save(path, size=(32, 32), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return pixels


def test_pictures_of_all_sub_folders_as_bytes_in_rgb_with_their_label(tmp_path):
    save(tmp_path / "b" / "grey.png", mode="L")
    pixels = save(tmp_path / "a" / "colour.PNG")
    (tmp_path / "a" / "notes.txt").write_text("not a picture")
    dataset = ImageDataset(str(tmp_path))
    assert len(dataset) == 2 and dataset.resolution == 32 and dataset.labels == ["a", "b"]
    (plain, label), (mirrored, same), (grey, other) = (
        dataset[item] for item in ((0, False), (0, True), (1, False))
    )
    assert plain.dtype == torch.uint8 and plain.shape == grey.shape == (3, 32, 32)
    np.testing.assert_array_equal(plain.permute(1, 2, 0), pixels)
    assert torch.equal(mirrored, plain.flip(2))
    assert (label, same, other) == (0, 0, 1)


def test_groups_are_the_sub_folders_or_all_as_one(tmp_path):
    for name in ("late/1.png", "early/1.png", "late/2.png", "early/deep/1.png"):
        save(tmp_path / name)
    dataset = ImageDataset(str(tmp_path))
    assert dataset.labels == ["early", "early/deep", "late"]
    assert dataset.groups(balance=False) == [[0, 1, 2, 3]]
    names = [
        [dataset.paths[i].relative_to(tmp_path).as_posix() for i in group]
        for group in dataset.groups(balance=True)
    ]
    assert names == [["early/1.png"], ["early/deep/1.png"], ["late/1.png", "late/2.png"]]


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match=f"--data {tmp_path} holds no pictures"):
        ImageDataset(str(tmp_path))


def test_a_picture_that_is_not_square_is_named(tmp_path):
    save(tmp_path / "a.png", size=(32, 31))
    with pytest.raises(ValueError, match="a.png is 32x31 pixels, .* 32x32"):
        ImageDataset(str(tmp_path))


def test_a_picture_of_another_size_is_named(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "b.png", size=(64, 64))
    with pytest.raises(ValueError, match="b.png is 64x64 pixels, .* 32x32"):
        ImageDataset(str(tmp_path))


def test_a_picture_that_is_cut_short_is_named(tmp_path):
    save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:-2000])
    with pytest.raises(ValueError, match=f"{tmp_path}/a.png cannot be decoded "):
        ImageDataset(str(tmp_path))[0, False]


def test_pictures_are_read_as_preparation_reads_them(tmp_path):
    """16 bits a value, hidden pixels, turned by EXIF, and formats of all kinds."""
    grey = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32) * 64
    Image.fromarray(grey).save(tmp_path / "16bit.png")
    colour = Image.fromarray(save(tmp_path / "plain.tiff"))
    exif = Image.Exif()
    exif[0x0112] = 6
    colour.save(tmp_path / "turned.png", exif=exif)
    colour.save(tmp_path / "a.bmp")
    colour.putalpha(0)
    colour.save(tmp_path / "hidden.webp", lossless=True)
    dataset = ImageDataset(str(tmp_path))
    assert len(dataset) == 5
    for i, path in enumerate(dataset.paths):
        pixels = dataset[i, False][0].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(pixels, read_image(path))
    assert (dataset[2, False][0] == 255).all() and dataset.names[2] == "hidden.webp"


def test_what_is_hidden_or_empty_is_no_kind_and_is_counted(tmp_path):
    save(tmp_path / "photos" / "a.png")
    save(tmp_path / "photos" / ".ipynb_checkpoints" / "a-checkpoint.png")
    save(tmp_path / "__MACOSX" / "a.png")
    (tmp_path / "photos" / "b.png").touch()
    (tmp_path / "photos" / "c.png").mkdir()
    (tmp_path / "dataset.json").write_text("{}")
    dataset = ImageDataset(str(tmp_path))
    assert dataset.counts() == {"photos": 1}
    told = {"hidden": 2, "folders named as pictures": 1, "empty files": 1}
    assert dataset.passed_over == told


def test_a_label_is_text_though_a_folder_is_named_in_other_bytes(tmp_path):
    save(tmp_path / os.fsdecode(b"Andr\xe9") / "a.png")
    dataset = ImageDataset(str(tmp_path))
    assert dataset.labels == [r"Andr\xe9"] and dataset[0, False][1] == 0
    assert dataset.is_the_one(dataset.identity())


def test_a_folder_that_is_none_is_named(tmp_path):
    for folder in (str(tmp_path / "nowhere"), ""):
        with pytest.raises(ValueError, match=f"--data {folder or '.empty.'} is not a folder"):
            ImageDataset(folder)


def test_a_set_is_known_by_its_size_its_names_and_what_they_hold(tmp_path):
    save(tmp_path / "a" / "x.png")
    before = ImageDataset(str(tmp_path)).identity()
    assert before["resolution"] == 32 and before["labels"] == ["a"]
    (tmp_path / "a" / "x.png").rename(tmp_path / "a" / "y.png")
    renamed = ImageDataset(str(tmp_path))
    assert renamed.is_the_one(renamed.identity()) and not renamed.is_the_one(before)
    older = {name: x for name, x in renamed.identity().items() if name != "content"}
    save(tmp_path / "a" / "y.png", mode="L")
    changed = ImageDataset(str(tmp_path))
    assert not changed.is_the_one(renamed.identity())
    assert changed.is_the_one(older) and not changed.is_the_one({})
