"""A visitor's face among those that the network can draw."""

import time
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from playground.controls import PSI
from playground.mistake import Mistake
from playground.model import OTHERS, Model, Models
from playground.seeds import good_seeds
from stylegan.directions import sample_w, style_directions
from stylegan.images import from_uint8
from stylegan.projection import nearest, similarity

STARTS, STARTING_SECONDS = 24, 5  # good faces of each kind, the nearest of which begins a search
STEPS, MOST_SECONDS = 60, 25  # of a search
EVERY = 5  # steps between two pictures of it
# from so much of 100 on, by eye: see docs/inversion.md
LIKE = {85: "a good likeness", 75: "a rough likeness", 60: "a faint likeness"}
FOUND, STOPPED = "Found", "Stopped. You can mix what is shown."


def likeness(drawn: np.ndarray, face: np.ndarray) -> str:
    """How like a face, uint8 (H, W, 3), a drawn one is: in words, and by their structural
    similarity, which sees light and outlines but not who it is."""
    a, b = (images(x[None]) + 1 for x in (drawn, face))  # from black up, as it is defined
    alike = round(100 * similarity(a, b).item())
    words = next((words for least, words in LIKE.items() if alike >= least), "hardly a likeness")
    return f"{words} ({max(alike, 0)} of 100)"


def images(pictures: np.ndarray) -> Tensor:
    """Uint8 (N, H, W, 3) to (N, 3, H, W) in [-1, 1]."""
    return from_uint8(torch.from_numpy(pictures).permute(0, 3, 1, 2))


class Start(NamedTuple):
    """Where searches begin: styles (N, num_ws, w_dim) of good faces and those faces (N, C, H, W);
    and the basis in which they go on (num_ws, K, w_dim)."""

    ws: Tensor
    drawn: Tensor
    basis: Tensor


def starts(model: Model) -> Start:
    """Of a generator's good faces, fewer of one that draws slowly."""
    count = max(1, min(STARTS, model.drawn_in(STARTING_SECONDS) / 2))
    first, last = good_seeds(model.domains, int(count))
    ws = model.styles(first + last, PSI)
    basis = model.turns.take(lambda: style_directions(model.G, sample_w(model.G)), heavy=True)
    return Start(ws, images(model.draw_many(ws)), basis)


class Finder:
    """Finds a face, beginning with the encoder's answer or else the nearest of the good ones."""

    def __init__(self, models: Models):
        self.models, self.starts = models, lru_cache(OTHERS + 1)(starts)

    def first(
        self, face: np.ndarray | None, model: str = ""
    ) -> tuple[np.ndarray | None, Tensor | None, str]:
        """As `find`, the encoder's answer alone; nothing without a face or an encoder."""
        shown = self.models[model]
        if face is None or shown.encoder is None:
            return None, None, ""
        ws = shown.answer(images(face[None])).half().float()
        drawn = shown.draw(ws)[0]
        return drawn, ws, f"A first answer, {likeness(drawn, face)}. Mix it, or find a better one."

    def find(
        self, face: np.ndarray | None, model: str = ""
    ) -> Iterator[tuple[np.ndarray, Tensor, str]]:
        """The drawn face as it becomes like this one, uint8 (H, W, 3), its styles, and how far
        the search is.

        Raises: Mistake if there is no face yet, or one of another size.
        """
        if face is None:
            raise Mistake("There is no face yet: give a picture with one first.")
        shown = self.models[model]
        side = shown.G.img_resolution
        if face.shape != (side, side, 3):
            raise Mistake(f"The face must be {side}x{side} pixels, as the crop of a picture is.")
        target, until = images(face[None]), time.monotonic() + MOST_SECONDS
        start = self.starts(shown)
        if shown.encoder:
            begin = shown.answer(target)
        else:
            begin = start.ws[nearest(start.drawn, target)][None]
        found = shown.project(target, begin, start.basis, STEPS)
        for step, ws in enumerate(found, start=1):
            late = time.monotonic() > until
            if step % EVERY == 0 or step == STEPS or late:
                ws = ws.half().float()  # as a saved picture holds it
                drawn = shown.draw(ws)[0]
                like = likeness(drawn, face)
                if late or step == STEPS:
                    words = f"{FOUND}: {like}. Now mix it."
                else:
                    words = f"Looking: step {step} of at most {STEPS}, {like}."
                yield drawn, ws, words
            if late:
                return
