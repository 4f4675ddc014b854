"""What G is trained against: a discriminator of pixels, or a critic on frozen features.

`Adversary.see` turns images into what D judges, `loss` says what D and G are to do with its logits.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from evaluation.dataset import ImageDataset
from stylegan import Discriminator
from stylegan.images import from_uint8
from training.config import TrainConfig
from training.critic import GROUP, FeatureCritic
from training.losses import HINGE, LOGISTIC, Loss

CALIBRATION = 128  # reals over which the features are brought to unit size


class Adversary(NamedTuple):
    """A network that learns, in eval mode but for one pass a step, and what belongs to its kind."""

    D: nn.Module
    see: Callable[[Tensor], Tensor | list[Tensor]]
    loss: Loss


def images_compared(config: TrainConfig, dataset: ImageDataset) -> int:
    """How many images D compares with each other."""
    if config.critic == "features":
        return GROUP
    return config.discriminator(dataset.resolution, len(dataset.labels)).mbstd_group_size


def spread(dataset: ImageDataset, n: int) -> Tensor:
    """At most n pictures from all over the set, (n, C, H, H) in [-1, 1]."""
    step = max(1, len(dataset) // n)
    chosen = range(0, len(dataset), step)[:n]
    return from_uint8(torch.stack([dataset[i, False][0] for i in chosen]))


def identity(img: Tensor) -> Tensor:
    """Pixels are seen as they are."""
    return img


def build_adversary(config: TrainConfig, dataset: ImageDataset) -> Adversary:
    """As the flags say, untrained.

    Raises: FileNotFoundError if the weights of the features are missing.
    """
    num_labels = len(dataset.labels)
    if config.critic == "pixels":
        D = Discriminator(config.discriminator(dataset.resolution, num_labels, dataset.channels))
        return Adversary(D.eval(), identity, LOGISTIC)
    D = FeatureCritic(dataset.resolution, num_labels if config.conditional else 0)
    D.calibrate(spread(dataset, CALIBRATION))
    return Adversary(D.eval(), D.see, HINGE)
