"""The faces of a dataset in an endless shuffled order.

What comes when depends only on the seed and the number of images shown so far, so a run that is
taken up again sees what it would have seen.
"""

import signal
from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from evaluation.dataset import SMALL, ImageDataset
from stylegan.images import from_uint8

TURNS, EPOCHS = 1, 2  # what a stream of random numbers is for; more are in training.draws


class EndlessSampler(Sampler):
    """Batches of (index, mirrored) for one of `num_processes`, beginning at image `first`.

    Every run of len(groups) images holds one of each group, in random order, and every group shows
    all its pictures in a new order before it begins again. Processes take turns within a batch.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[int]],
        *,
        batch: int,
        first: int,
        seed: int,
        mirror: bool,
        rank: int = 0,
        num_processes: int = 1,
    ):
        self.groups, self.batch, self.first, self.seed = groups, batch, first, seed
        self.mirror, self.rank, self.num_processes = mirror, rank, num_processes
        self._epochs = {}

    def _epoch(self, group: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Order and mirroring of a group's pictures in one of its epochs."""
        if self._epochs.get(group, (None,))[0] != epoch:
            rng = np.random.default_rng((self.seed, EPOCHS, group, epoch))
            size = len(self.groups[group])
            self._epochs[group] = epoch, rng.permutation(self.groups[group]), rng.random(size) < 0.5
        return self._epochs[group][1:]

    def item(self, n: int) -> tuple[int, bool]:
        """What the n-th image of the run is."""
        turn, place = divmod(n, len(self.groups))
        rng = np.random.default_rng((self.seed, TURNS, turn))
        group = int(rng.permutation(len(self.groups))[place])
        epoch, i = divmod(turn, len(self.groups[group]))
        order, flips = self._epoch(group, epoch)
        return int(order[i]), bool(flips[i]) and self.mirror

    def __iter__(self) -> Iterator[list[tuple[int, bool]]]:
        start = self.first
        while True:
            turns = range(start + self.rank, start + self.batch, self.num_processes)
            yield [self.item(n) for n in turns]
            start += self.batch


def _leave_signals(worker: int) -> None:
    """A helper process ends with the trainer, which decides when that is."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def endless_batches(
    dataset: ImageDataset, sampler: EndlessSampler
) -> Iterator[tuple[Tensor, Tensor]]:
    """Float32 images (N, C, H, H) in [-1, 1] and labels (N,), without end.

    Raises: ValueError naming a picture that cannot be read.
    """
    num_workers = 0 if dataset.resolution <= SMALL else 2
    loader = DataLoader(
        dataset, batch_sampler=sampler, num_workers=num_workers, worker_init_fn=_leave_signals
    )
    try:
        for images, labels in loader:
            yield from_uint8(images), labels
    except ValueError as e:  # a helper's ends with the line that says why
        *told, reason = str(e).splitlines()
        raise ValueError(reason.removeprefix("ValueError: ") if told else reason) from e
