"""A visitor's face among those that the network can draw."""

import time
from collections.abc import Iterator

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from playground.controls import PSI
from playground.model import Model
from playground.seeds import good_seeds
from stylegan.directions import sample_w
from stylegan.images import from_uint8
from stylegan.projection import nearest

STARTS = 24  # good faces of each kind, the nearest of which the search begins with
STEPS, EVERY, MOST_SECONDS = 100, 5, 25  # of a search; steps between two pictures of it


def images(pictures: np.ndarray) -> Tensor:
    """Uint8 (N, H, W, 3) to (N, 3, H, W) in [-1, 1]."""
    return from_uint8(torch.from_numpy(pictures).permute(0, 3, 1, 2))


class Finder:
    """Finds a face, beginning with the nearest of the good ones."""

    def __init__(self, model: Model):
        self.model = model
        first, last = good_seeds(model.domains, STARTS)
        self.starts = model.styles(first + last, PSI)
        self.drawn = images(model.draw_many(self.starts))
        self.spread = sample_w(model.G).std(dim=0)

    def find(self, face: np.ndarray | None) -> Iterator[tuple[np.ndarray, Tensor]]:
        """The drawn face as it becomes like this one, uint8 (H, W, 3), and its styles.

        Raises: gr.Error if there is no face yet.
        """
        if face is None:
            raise gr.Error("There is no face yet: give a picture with one first.")
        target, until = images(face[None]), time.monotonic() + MOST_SECONDS
        start = self.starts[nearest(self.drawn, target)][None]
        found = self.model.project(target, start, self.spread, STEPS)
        for step, ws in enumerate(found, start=1):
            late = time.monotonic() > until
            if step % EVERY == 0 or step == STEPS or late:
                ws = ws.half().float()  # as a saved picture holds it
                yield self.model.draw(ws)[0], ws
            if late:
                return
