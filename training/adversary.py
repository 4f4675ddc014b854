"""What G is trained against: a discriminator of pixels, a critic on frozen features, or both.

`Adversary.see` turns images into what D judges, `loss` says what D and G are to do with its logits.
Beside a discriminator of pixels, `Heads` judge the maps by which redrawn faces are compared. These
maps are there already, so the heads cost little.

Reference: Sauer et al. 2021 (arXiv:2111.01007), Sec. 3.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from evaluation.dataset import ImageDataset
from stylegan import Discriminator
from stylegan.images import from_uint8
from training.config import TrainConfig
from training.critic import GROUP, FeatureCritic, MapCritic
from training.losses import HINGE, LOGISTIC, PAIRED, Loss
from training.percept import SIDE, Percept

CALIBRATION = 128  # reals over which the features are brought to unit size
HEADS_LR = 0.0005
HEADS_WEIGHT = 0.1  # of what the heads say to G, beside D


class Adversary(NamedTuple):
    """A network that learns, in eval mode but for one pass a step, and what belongs to its kind."""

    D: nn.Module
    see: Callable[[Tensor], Tensor | list[Tensor]]
    loss: Loss


@dataclass
class Heads:
    """The critic on features beside D, as accelerate prepared it, and its optimizer; `see` turns
    the maps of a `Percept` into what it judges, by the hinge loss."""

    critic: nn.Module
    see: Callable[[list[Tensor]], list[Tensor]]
    opt: Optimizer


def images_compared(config: TrainConfig, dataset: ImageDataset) -> int:
    """How many images are compared with each other."""
    groups = [GROUP] if config.critic != "pixels" else []
    if config.critic != "features":
        D = config.discriminator(dataset.resolution, len(dataset.labels))
        groups.append(D.mbstd_group_size)
    return math.lcm(*groups)


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
    if config.critic != "features":
        D = Discriminator(config.discriminator(dataset.resolution, num_labels, dataset.channels))
        return Adversary(D.eval(), identity, PAIRED if config.redraw else LOGISTIC)
    D = FeatureCritic(dataset.resolution, num_labels if config.conditional else 0)
    with torch.no_grad():
        D.calibrate(D.found(spread(dataset, CALIBRATION)))
    return Adversary(D.eval(), D.see, HINGE)


def build_map_critic(percept: Percept, dataset: ImageDataset, device: torch.device) -> MapCritic:
    """For what `percept` finds, untrained, in eval mode."""
    critic = MapCritic(SIDE).to(device)
    with torch.no_grad():
        critic.calibrate(percept.maps(spread(dataset, CALIBRATION).to(device)))
    return critic.eval()
