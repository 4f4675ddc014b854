"""Stopping on request: a run that is told to end finishes its step and saves its state first."""

import ctypes
import os
import signal
import sys

import torch
from torch import distributed

PR_SET_PDEATHSIG = 1  # of Linux's prctl


class Stopper:
    """Notes SIGINT (Ctrl-C) and SIGTERM from when it is made; all processes stop together.

    Being asked does not wait for an accelerator: processes talk about it through the CPU.
    """

    def __init__(self):
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)
        self.group = None
        if distributed.is_available() and distributed.is_initialized():
            through_cpu = distributed.get_backend() == "gloo"
            world = distributed.group.WORLD
            self.group = world if through_cpu else distributed.new_group(backend="gloo")

    def _note(self, number: int, frame: object) -> None:
        self.asked = True

    def agreed(self) -> bool:
        """Whether any process was asked to stop; the same answer on all of them."""
        if self.group is None:
            return self.asked
        asked = torch.tensor(int(self.asked))
        distributed.all_reduce(asked, distributed.ReduceOp.MAX, group=self.group)
        return bool(asked)


def stop_with_launcher(parent: int) -> None:
    """Have this process asked to stop when `accelerate launch`, if it started it, is killed.

    `parent` is who started it; if that is gone already, this process ends.
    """
    if sys.platform == "linux" and "ACCELERATE_MIXED_PRECISION" in os.environ:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit("error: accelerate launch has ended")
