"""The parts of a batch: images and everything random that a step does with them.

All of it follows from the seed and the images shown so far. Numbers are drawn for the whole batch
and then dealt out in turns, as the images are, so that several processes, or one that takes its
batch in parts, do together what one process does with all of it at once. The discriminator's
groups of images that are compared stay together, too.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.augment import draw_numbers
from training.config import TrainConfig
from training.data import EndlessSampler
from training.redraw import Redraw

FAKES, REALS, PATHS, NOISE = 3, 5, 6, 11  # streams beside those of training.data and redraw


@dataclass(frozen=True)
class Share:
    """A part of a batch, on the device.

    Shapes: reals (N, C, H, W) in [-1, 1], labels (N, num_labels) one-hot, z (N, z_dim) of the
    fakes; numbers and numbers_fake (N, K) of the augmentation of reals and fakes; paths
    (N, C, H, W) standard normal, or None. Where faces are drawn again, fakes are to be the reals:
    faces (N,), the numbers of these; noise (N,), its share of the variance of the fakes' z.
    """

    reals: Tensor
    labels: Tensor
    numbers: Tensor
    z: Tensor
    numbers_fake: Tensor
    paths: Tensor | None
    faces: Tensor | None = None
    noise: Tensor | None = None


def send(x: Tensor, device: torch.device) -> Tensor:
    """A copy on the device, which is not waited for."""
    if device.type == "cuda":
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)


class Dealer:
    """Deals one process its shares of every batch.

    Args: num_labels of the data; with `redraw`, `sampler` says which faces a batch shows.
    """

    def __init__(
        self,
        config: TrainConfig,
        *,
        num_labels: int,
        rank: int,
        num_processes: int,
        device: torch.device,
        sampler: EndlessSampler | None = None,
        redraw: Redraw | None = None,
    ):
        self.config, self.num_labels = config, num_labels
        self.sampler, self.redraw = sampler, redraw
        self.rank, self.num_processes, self.device = rank, num_processes, device

    def _stream(self, nimg: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng((self.config.seed, purpose, nimg))

    def _places(self, part: int) -> slice:
        """Of a part, in the batch: every num_processes * accumulate-th."""
        start = self.rank + self.num_processes * part
        return slice(start, None, self.num_processes * self.config.accumulate)

    def _send(self, numbers: np.ndarray | Tensor, part: int) -> Tensor:
        """The rows of a part, on the device."""
        return send(torch.as_tensor(numbers)[self._places(part)], self.device)

    def _of_faces(self, share: Share, nimg: int, part: int) -> Share:
        """The share, its z mixed with those of its real faces."""
        batch = self.config.batch
        faces = [self.sampler.item(nimg + n)[0] for n in range(batch)]
        faces = self._send(np.array(faces), part)
        noise = self._stream(nimg, NOISE).random(batch, dtype=np.float32)
        noise = self._send(noise, part)
        z = self.redraw.near(faces, share.z, noise)
        return dataclasses.replace(share, z=z, faces=faces, noise=noise)

    def deal(self, nimg: int, reals: Tensor, labels: Tensor, *, paths: bool) -> list[Share]:
        """The shares of the batch that begins at image `nimg`.

        Shapes: this process's reals (N, C, H, W) and labels (N,).
        """
        config = self.config
        one_hot = F.one_hot(labels, self.num_labels).float()
        numbers = draw_numbers(self._stream(nimg, REALS), config.batch)
        rng = self._stream(nimg, FAKES)
        z = rng.standard_normal((config.batch, config.z_dim), dtype=np.float32)
        numbers_fake = draw_numbers(rng, config.batch)
        noise = None
        if paths:
            shape = (config.batch, *reals.shape[1:])
            noise = self._stream(nimg, PATHS).standard_normal(shape, dtype=np.float32)
        shares = [
            Share(
                reals=send(reals[part :: config.accumulate], self.device),
                labels=send(one_hot[part :: config.accumulate], self.device),
                numbers=self._send(numbers, part),
                z=self._send(z, part),
                numbers_fake=self._send(numbers_fake, part),
                paths=None if noise is None else self._send(noise, part),
            )
            for part in range(config.accumulate)
        ]
        if self.redraw:
            shares = [self._of_faces(share, nimg, i) for i, share in enumerate(shares)]
        return shares
