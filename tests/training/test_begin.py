"""What is refused before anything is built."""

import dataclasses
from pathlib import Path

import pytest

from evaluation.dataset import ImageDataset
from training.begin import check


@pytest.mark.parametrize(
    "batch, num_processes, sentence",
    [
        (9, 2, "--batch 9 cannot be split over 2 processes"),
        (6, 1, "--batch 6 gives 6 images per process and part; .* a multiple of 4"),
        (12, 2, "--batch 12 gives 6 images per process"),
        (4, 2, "--batch 4 gives 2 images per process"),
    ],
)
def test_batches_that_do_not_fit_are_named(config, batch, num_processes, sentence):
    config = dataclasses.replace(config, batch=batch)
    with pytest.raises(ValueError, match=sentence):
        check(config, ImageDataset(config.data), num_processes)


def test_parts_that_do_not_fit_are_named(config):
    config = dataclasses.replace(config, accumulate=3)
    with pytest.raises(ValueError, match="--batch 8 cannot .* 1 processes in 3 parts each"):
        check(config, ImageDataset(config.data), 1)


def test_labels_and_loggers_that_are_not_there_are_named(config, tmp_path, monkeypatch):
    alone = Path(config.data) / "early"
    config = dataclasses.replace(config, data=str(alone), conditional=True)
    with pytest.raises(ValueError, match="--conditional needs sub-folders"):
        check(config, ImageDataset(config.data), 1)
    config = dataclasses.replace(config, conditional=False, log_with="wandb")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="--log-with wandb needs: pip install wandb"):
        check(config, ImageDataset(config.data), 1)


def test_batches_that_fit_pass(config):
    for batch, num_processes in [(3, 1), (8, 1), (16, 2), (8, 2)]:
        check(dataclasses.replace(config, batch=batch), ImageDataset(config.data), num_processes)
