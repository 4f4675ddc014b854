"""A run in this process, and what it leaves."""

from pathlib import Path

import torch
from accelerate import Accelerator

import training.train
from evaluation.dataset import ImageDataset
from training.build import build
from training.config import TrainConfig
from training.run import Run


def run(config: TrainConfig) -> None:
    """As main() does after reading the flags."""
    training.train.start(config)


def state_of(config: TrainConfig) -> dict[str, object]:
    """The newest."""
    path = max((Path(config.out) / "state").iterdir())
    return torch.load(path, weights_only=True)


def built(config: TrainConfig) -> Run:
    """Before its first step."""
    return build(config, Accelerator(cpu=True), ImageDataset(config.data))
