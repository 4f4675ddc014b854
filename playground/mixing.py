"""A scene drawn, and a scene as the page holds it; the tabs stand on this beside each other."""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import NamedTuple

import gradio as gr
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from playground.mistake import Mistake
from playground.model import Models
from playground.scene import Scene, stamp
from playground.seeds import problem_with_seed
from playground.share import MOST_LAYERS
from playground.words import DRAWING
from stylegan import Generator
from stylegan.latents import mix_styles
from stylegan.specs import style_bands

STEPS = 10  # from face A to face B on the film strip


def problem_with_layers(layers: object) -> str:
    """What is wrong with offsets that somebody's program gave; empty if they are fine."""
    few = isinstance(layers, list | tuple) and len(layers) <= MOST_LAYERS
    if few and all(isinstance(x, int | float) and -1 <= x <= 1 for x in layers):
        return ""
    return f"Layers must be at most {MOST_LAYERS} numbers from -1 to 1."


def problem_with_face(face: Tensor | None, G: Generator) -> str:
    """Why it is no face (1 or 2, num_ws, w_dim) of the visitor's own; empty if it is fine."""
    if face is None:
        return "There is no face of your own yet: find it in Your face, then mix it."
    fits = face.shape[1:] == (G.num_ws, G.w_dim)
    return "" if fits else "Your face was found with another model."


def read_scene(
    seed_a: float | None,
    seed_b: float | None,
    weight: float,
    psi: float,
    own: bool,
    face: Tensor | None = None,
    shape: float = 0,
    features: float = 0,
    texture: float = 0,
    layers: Sequence[float] = (),
    model: str = "",
) -> tuple[Scene, Tensor | None]:
    """What the controls hold, and the visitor's own face (1, num_ws, w_dim), if there is one, or
    two of them, A's first.

    An empty seed is that face.

    Raises: Mistake for a seed or layers that nobody can mix.
    """
    if words := problem_with_layers(layers):
        raise Mistake(words)
    for seed, letter in ((seed_a, "A"), (seed_b, "B")):
        is_mine = seed is None and face is not None
        if not is_mine and (words := problem_with_seed(seed, letter)):
            raise Mistake(words)
    a, b = (None if seed is None else int(seed) for seed in (seed_a, seed_b))
    bands = shape, features, texture
    return Scene(a, b, weight, psi, bool(own), *bands, tuple(layers), model), face


def of_controls(action: Callable, without: Sequence[str] = ()) -> Callable:
    """An action on a scene and a face as one on what the controls hold, in the order and by the
    names of `read_scene`; those that it goes `without` are 0."""
    given = inspect.signature(read_scene)
    named = {name: value for name, value in given.parameters.items() if name not in without}

    @wraps(action)
    def act(*values: object) -> object:
        held = dict(zip(named, values, strict=False))
        return action(*read_scene(**dict.fromkeys(without, 0), **held))

    act.__signature__ = given.replace(parameters=list(named.values()))
    return act


class Mixer:
    """Draws scenes. Weight 0 is face A, 1 is face B.

    A face without a seed is the visitor's own (1, num_ws, w_dim); psi leaves it as it is. Of two
    the first is A's, the other B's.

    Raises: Mistake where it is missing or another model's.
    """

    def __init__(self, models: Models):
        self.models = models

    def _weights(self, scene: Scene, weights: Sequence[float]) -> Tensor:
        """Of every layer, for every mix, from even weights: (len(weights), num_ws)."""
        G = self.models[scene.model].G
        offsets = torch.zeros(G.num_ws)
        offsets[: len(scene.layers)] = torch.tensor(scene.layers)[: G.num_ws]
        for places, offset in zip(style_bands(G.config).values(), scene.bands, strict=True):
            offsets[places] += offset
        return (torch.tensor(weights)[:, None] + offsets).clamp(0, 1)

    def draw(
        self, scene: Scene, weights: Sequence[float], face: Tensor | None = None
    ) -> list[np.ndarray]:
        """The mixes at these weights in place of the scene's own, uint8 (H, W, 3) each."""
        shown, parents = self.models[scene.model], []
        if scene.has_own_face and (words := problem_with_face(face, shown.G)):
            raise Mistake(words)
        for seed, mine in ((scene.a, 0), (scene.b, -1)):
            drawn = seed is not None
            ws = shown.styles([seed], scene.psi, own=scene.own) if drawn else face[[mine]]
            parents.append(ws)
        even = self._weights(scene, shown.even_weights(*parents, weights))
        return list(shown.draw_many(mix_styles(*parents, even)))

    def mix(self, scene: Scene, face: Tensor | None = None) -> Image.Image:
        """The face that is 1 - weight of A and weight of B, truncated by psi.

        Between two kinds of faces the weight counts evenly, in w and in how the mix looks.
        With `own`, each face is pulled to the average of its own kind instead of that of all.
        Shape, features, texture and those of single layers, each from -1 to 1, are added to the
        weight of their layers. Saved as PNG the picture holds all this. `model` is empty for the
        page's own, or user/repository@revision.
        """
        (mixed,) = self.draw(scene, [scene.weight], face)
        return stamp(mixed, scene, self.models[scene.model].name, face)

    def faces(
        self, scene: Scene, face: Tensor | None = None
    ) -> tuple[np.ndarray, Image.Image, np.ndarray]:
        """Face A, the mix, face B."""
        mixed = self.mix(scene, face)
        a, b = self.draw(scene.alone("A"), [0, 1], face)
        return a, mixed, b

    def strip(self, scene: Scene, face: Tensor | None = None) -> list[np.ndarray]:
        """Eleven mixes, with weights from 0 to 1."""
        return self.draw(scene, [step / STEPS for step in range(STEPS + 1)], face)


def joined(letter: str, face: Tensor, held: Tensor | None, other: float | None) -> Tensor:
    """The visitor's own faces in the mix once this one is its A or B.

    What is `held` now stays if the other side, which has no seed then, is one of them.

    Shapes: face (1, num_ws, w_dim), held (1 or 2, num_ws, w_dim) -> (1 or 2, num_ws, w_dim), A's
    first.
    """
    if other is not None or held is None or held.shape[1:] != face.shape[1:]:
        return face
    return torch.cat([face, held[-1:]] if letter == "A" else [held[:1], face])


class Mixing(NamedTuple):
    """The scene as the page holds it, for tabs that take from it or put another in its place.

    The controls take what `playground.share.scene_values` gives, seeds A and B first, the key of
    the model among them. After an event that changes them, `redraw(event.then)` has all that is
    mixed drawn again; until then the words beside the mix may say so.
    """

    controls: list[gr.Component]
    model: gr.Textbox
    face: gr.State  # the visitor's own, or two, A's first
    words: gr.Markdown
    redraw: Callable[[Callable], None]

    def take(
        self,
        buttons: Sequence[gr.Button],
        face_of: Callable[..., Tensor | int],
        inputs: Sequence[gr.Component],
        tabs: gr.Tabs,
    ) -> None:
        """Let one button put the face that `face_of` makes of the inputs, (1, num_ws, w_dim) or a
        seed, in the place of A, and the other in that of B, and open the tab Mix. A Mistake leaves
        all as it is; it is said where it was made."""
        seed_a, seed_b, *_ = self.controls
        sides = ("A", seed_a, seed_b), ("B", seed_b, seed_a)
        for button, (letter, seed, other) in zip(buttons, sides, strict=True):

            def taken(
                held: Tensor | None, other: float | None, *values: object, letter: str = letter
            ) -> list:
                """The seed, or an empty one and the face that stands for it, that it is drawn, and
                where."""
                try:
                    face = face_of(*values)
                except Mistake:
                    return [gr.skip()] * 4
                shown = DRAWING, gr.Tabs(selected="mix")
                if isinstance(face, int):
                    return [face, gr.skip(), *shown]
                return [None, joined(letter, face, held, other), *shown]

            given, outputs = [self.face, other, *inputs], [seed, self.face, self.words, tabs]
            how = dict(api_visibility="private", show_progress="hidden")
            self.redraw(button.click(taken, given, outputs, **how).then)
