"""The order in which pictures come."""

import multiprocessing
import os
import signal
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation.dataset import ImageDataset
from training.data import EndlessSampler, endless_batches

GROUPS = [list(range(3)), list(range(10, 15)), list(range(20, 27))]  # of 3, 5 and 7 pictures


def sampler(groups=GROUPS, batch=4, first=0, seed=3, mirror=True, **processes):
    return EndlessSampler(groups, batch=batch, first=first, seed=seed, mirror=mirror, **processes)


def take(count, *args, **kwargs):
    """The first items of a sampler, batches joined."""
    batches = islice(sampler(*args, **kwargs), count)
    return [item for batch in batches for item in batch]


def one_group(size):
    return [list(range(size))]


@pytest.mark.parametrize("groups", [GROUPS, one_group(10)])
def test_order_depends_on_the_seed_alone(groups):
    torch.manual_seed(0)
    once = take(20, groups)
    np.random.seed(1)
    torch.manual_seed(1)
    assert take(20, groups) == once
    assert take(20, groups, seed=4) != once


@pytest.mark.parametrize("batch", [4, 25])  # 25: larger than the data
def test_every_epoch_shows_every_picture_once_in_a_new_order(batch):
    items = take(100 // batch, one_group(10), batch=batch)  # ten epochs of ten pictures
    epochs = [[index for index, _ in items[i : i + 10]] for i in range(0, 100, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 10 and epochs[0] != sorted(epochs[0])


def test_every_run_of_as_many_images_as_groups_has_one_of_each_in_changing_order():
    groups_shown = [index // 10 for index, _ in take(30)]  # 40 runs of three
    runs = [tuple(groups_shown[i : i + 3]) for i in range(0, 120, 3)]
    assert all(sorted(run) == [0, 1, 2] for run in runs)
    assert len(set(runs)) == 6  # every order there is


@pytest.mark.parametrize("batch", [4, 40])  # 40: larger than the data
def test_a_group_shows_all_its_pictures_before_it_begins_again(batch):
    """Whatever its size; the smaller, the more often."""
    items = take(1000 // batch, batch=batch)
    for i, group in enumerate(GROUPS):
        shown = [index for index, _ in items if index // 10 == i]
        size = len(group)
        epochs = [shown[j : j + size] for j in range(0, len(shown) - size + 1, size)]
        assert len(shown) >= 333
        assert all(sorted(epoch) == group for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs}) > 3  # in more than a few orders


def test_about_half_of_the_pictures_are_mirrored():
    flips = [flip for _, flip in take(100, one_group(400))]
    assert 150 < sum(flips) < 250
    assert not any(flip for _, flip in take(100, one_group(400), mirror=False))


@pytest.mark.parametrize("groups", [GROUPS, one_group(10)])
@pytest.mark.parametrize("num_processes", [2, 4])
def test_processes_together_see_what_one_sees(groups, num_processes):
    """In turns: image n of the run goes to process n mod num_processes."""
    alone = take(12, groups)
    shares = [take(12, groups, rank=r, num_processes=num_processes) for r in range(num_processes)]
    assert [item for turn in zip(*shares, strict=True) for item in turn] == alone


@pytest.mark.parametrize("groups", [GROUPS, one_group(10)])
@pytest.mark.parametrize("first", [4, 12, 40])
def test_going_on_equals_the_tail_of_the_unbroken_order(groups, first):
    assert take(6, groups, first=first) == take(20, groups)[first : first + 24]


def test_batches_are_floats_between_minus_one_and_one_with_their_labels(faces):
    dataset = ImageDataset(str(faces))
    order = sampler(dataset.groups(balance=True))
    batches = list(islice(endless_batches(dataset, order), 5))
    for (images, labels), items in zip(batches, order, strict=False):
        assert images.shape == (4, 3, 32, 32) and images.dtype == torch.float32
        expected = torch.stack([dataset[item][0] for item in items]).float() / 127.5 - 1
        torch.testing.assert_close(images, expected)
        assert labels.tolist() == [int(index >= 4) for index, _ in items]  # 4 early, 4 late
    images = torch.cat([images for images, _ in batches])
    assert -1 <= images.min() < -0.5 and 0.5 < images.max() <= 1


def test_helpers_that_read_are_not_ended_by_a_signal(tmp_path):
    """Pictures above 128 px are read by two more processes; a signal to stop is sent to all."""
    Image.new("RGB", (256, 256)).save(tmp_path / "a.png")
    batches = endless_batches(ImageDataset(str(tmp_path)), sampler([[0]]))
    expected = [next(batches)[0] for _ in range(4)][0]  # both have begun
    helpers = multiprocessing.active_children()
    assert len(helpers) == 2
    for helper in helpers:
        os.kill(helper.pid, signal.SIGTERM)
    assert [next(batches)[0].shape for _ in range(10)] == [expected.shape] * 10
