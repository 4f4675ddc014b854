"""Pictures of a folder and the order in which they come."""

from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image

from training.data import EndlessSampler, ImageDataset, endless_batches


def save(path, size=(32, 32), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return pixels


def test_pictures_of_all_sub_folders_as_bytes_in_rgb(tmp_path):
    save(tmp_path / "b" / "grey.png", mode="L")
    pixels = save(tmp_path / "a" / "colour.PNG")
    (tmp_path / "a" / "notes.txt").write_text("not a picture")
    dataset = ImageDataset(str(tmp_path))
    assert len(dataset) == 2 and dataset.resolution == 32 and dataset.labels == ["a", "b"]
    plain, mirrored = dataset[0, False], dataset[0, True]
    assert plain.dtype == torch.uint8 and plain.shape == dataset[1, False].shape == (3, 32, 32)
    np.testing.assert_array_equal(plain.permute(1, 2, 0), pixels)
    assert torch.equal(mirrored, plain.flip(2))


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


def sampler(size=10, batch=4, first=0, seed=3, mirror=True, **processes):
    return EndlessSampler(size, batch=batch, first=first, seed=seed, mirror=mirror, **processes)


def take(count, *args, **kwargs):
    """The first items of a sampler, batches joined."""
    batches = islice(sampler(*args, **kwargs), count)
    return [item for batch in batches for item in batch]


def test_order_depends_on_the_seed_alone():
    torch.manual_seed(0)
    once = take(20)
    np.random.seed(1)
    torch.manual_seed(1)
    assert take(20) == once
    assert take(20, seed=4) != once


def test_every_epoch_shows_every_picture_once_in_a_new_order():
    items = take(10)  # four epochs of ten pictures
    epochs = [[index for index, _ in items[i : i + 10]] for i in range(0, 40, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] and epochs[0] != sorted(epochs[0])


def test_about_half_of_the_pictures_are_mirrored():
    flips = [flip for _, flip in take(100, size=400)]
    assert 150 < sum(flips) < 250
    assert not any(flip for _, flip in take(100, size=400, mirror=False))


@pytest.mark.parametrize("num_processes", [2, 4])
def test_processes_together_see_what_one_sees(num_processes):
    """In turns: image n of the run goes to process n mod num_processes."""
    alone = take(12)
    shares = [take(12, rank=r, num_processes=num_processes) for r in range(num_processes)]
    assert [item for turn in zip(*shares, strict=True) for item in turn] == alone


@pytest.mark.parametrize("first", [4, 12, 40])
def test_going_on_equals_the_tail_of_the_unbroken_order(first):
    assert take(6, first=first) == take(20)[first : first + 24]


def test_batches_are_floats_between_minus_one_and_one(faces):
    dataset = ImageDataset(str(faces))
    order = sampler(size=8)
    batches = list(islice(endless_batches(dataset, order), 5))
    assert all(b.shape == (4, 3, 32, 32) and b.dtype == torch.float32 for b in batches)
    for batch, items in zip(batches, order, strict=False):
        expected = torch.stack([dataset[item] for item in items]).float() / 127.5 - 1
        torch.testing.assert_close(batch, expected)
    assert -1 <= torch.cat(batches).min() < -0.5 and 0.5 < torch.cat(batches).max() <= 1
