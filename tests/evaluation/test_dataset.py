"""Pictures of a folder."""

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation.dataset import ImageDataset
from preprocessing.listing import append_decisions
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
    save(tmp_path / "a" / "y.png", mode="RGBA")
    changed = ImageDataset(str(tmp_path))
    assert not changed.is_the_one(renamed.identity())
    assert changed.is_the_one(older) and not changed.is_the_one({})


def test_of_a_prepared_folder_the_kept_faces_and_their_labels_are_taken(prepared):
    """One is brought back, one rejected by hand, one deleted, and one lies there unlisted."""
    dataset = ImageDataset(str(prepared))
    names = [f"{'photos' if n % 2 else 'film'}/{n:06d}-1.png" for n in (0, 2, 4, 1, 3, 5)]
    assert dataset.names == names and dataset.labels == ["film", "photos"]
    assert dataset.passed_over == {"rejected faces": 2}
    before = dataset.identity()
    append_decisions(prepared, {"rejected/photos/000007-1.png": True})
    append_decisions(prepared, {"film/000002-1.png": False})
    (prepared / "film/000004-1.png").unlink()
    save(prepared / "film" / "mine.png")
    dataset = ImageDataset(str(prepared))
    assert dataset.names == ["film/000000-1.png", *names[3:], "rejected/photos/000007-1.png"]
    assert dataset.counts() == {"film": 1, "photos": 4} and not dataset.is_the_one(before)
    assert dataset.passed_over == {
        "rejected faces": 2,
        "pictures that dataset.json does not list": 1,
        "pictures that are listed and gone": 1,
    }
    append_decisions(prepared, {"rejected/photos/000007-1.png": None})
    append_decisions(prepared, {"film/000002-1.png": True})
    save_again = ImageDataset(str(prepared))
    assert save_again.names == [name for name in names if name != "film/000004-1.png"]


def test_what_preparation_has_not_ended_or_somebody_damaged_is_said(prepared):
    (prepared / ".work").mkdir()
    (prepared / "dataset.json").rename(prepared / "away.json")
    with pytest.raises(ValueError, match="is unfinished; the same command of preprocessing.prep"):
        ImageDataset(str(prepared))
    for content, words in [("{", "it is no JSON"), ('{"format": 2}', "it does not list faces as")]:
        (prepared / "dataset.json").write_text(content)
        with pytest.raises(ValueError, match=f"dataset.json is damaged: {words}"):
            ImageDataset(str(prepared))


def test_other_programs_write_files_of_that_name_too(tmp_path):
    save(tmp_path / "00000" / "img0.png")
    (tmp_path / "dataset.json").write_text('{"labels": [["00000/img0.png", 6]]}')
    assert ImageDataset(str(tmp_path)).counts() == {"00000": 1}


def test_an_image_folder_tells_labels_itself(tmp_path):
    """A label, a number as label, and none: then the sub-folder's."""
    rows = [
        {"file_name": "data/a.png", "label": "late"},
        {"file_name": "data/b.png", "label": 7},
        {"file_name": "early/c.png"},
    ]
    for row in rows:
        save(tmp_path / row["file_name"])
    save(tmp_path / "data" / "of a push that has not ended.png")
    lines = "".join(json.dumps(row) + "\n" for row in reversed(rows))
    (tmp_path / "metadata.jsonl").write_text(lines)
    dataset = ImageDataset(str(tmp_path))
    assert dataset.names == [row["file_name"] for row in rows]
    assert [dataset.labels[i] for i in dataset.label_of] == ["late", "7", "early"]
    for bad in ('{"file_name": "../x.png"}', '{"file_name": "/x.png"}', '{"a": 1}', "[]", "{"):
        (tmp_path / "metadata.jsonl").write_text(lines + bad + "\n")
        with pytest.raises(ValueError, match="metadata.jsonl: line 4 tells no picture"):
            ImageDataset(str(tmp_path))


def test_grey_pictures_have_one_channel_unless_one_of_them_has_colours(tmp_path):
    pixels = save(tmp_path / "a.png", mode="L")
    grey = ImageDataset(str(tmp_path))
    stored = np.asarray(Image.fromarray(pixels).convert("L"))
    assert grey.channels == 1 and grey[0, False][0].shape == (1, 32, 32)
    np.testing.assert_array_equal(grey[0, False][0][0], stored)
    assert grey.identity()["channels"] == 1 and grey.is_the_one(grey.identity())
    save(tmp_path / "b.png")
    both = ImageDataset(str(tmp_path))
    assert both.channels == 3 and both[0, False][0].shape == (3, 32, 32)
    assert "channels" not in both.identity()


def test_a_set_tells_whether_its_eyes_are_level(prepared, faces):
    assert ImageDataset(prepared).level and not ImageDataset(faces).level
