"""Pictures of a folder."""

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation.dataset import ImageDataset


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
    with pytest.raises(ValueError, match="a.png cannot be read: "):
        ImageDataset(str(tmp_path))[0, False]


def test_a_set_is_known_by_its_size_and_its_names(tmp_path):
    save(tmp_path / "a" / "x.png")
    before = ImageDataset(str(tmp_path)).identity()
    assert before["resolution"] == 32 and before["labels"] == ["a"]
    (tmp_path / "a" / "x.png").rename(tmp_path / "a" / "y.png")
    assert ImageDataset(str(tmp_path)).identity()["names"] != before["names"]
