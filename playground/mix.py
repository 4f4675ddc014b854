"""Two faces and the faces between them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import gradio as gr
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from playground.controls import PSI, BoundedSlider, own_checkbox, psi_slider
from playground.face import face_image, face_strip
from playground.model import Model
from playground.scene import Scene, stamp
from playground.seeds import good_seeds, problem_with_seed, roll
from playground.share import ADDRESS, from_address, from_picture
from stylegan.latents import mix_styles
from stylegan.specs import style_bands

LIVE = {"show_progress": "hidden", "trigger_mode": "always_last", "queue": False}
SHOWN = 6  # good seeds of a kind beside each face
NO_BANDS = 0, 0, 0  # added to the weights of their layers
STEPS = 10  # from face A to face B on the film strip

# uint8 (H, W, 3), one that says how it was mixed, or gr.skip() to leave the one that is shown
Picture = np.ndarray | Image.Image | dict


class Mixer:
    """Draws for the Mix tab. Weight 0 is face A, 1 is face B.

    What a visitor can type by mistake is answered with a sentence and never raised: while somebody
    types, Gradio would drop the value that follows an error. An empty seed is the visitor's own
    face (1, num_ws, w_dim), if there is one; psi leaves it as it is.
    """

    def __init__(self, model: Model):
        self.model, self.bands = model, style_bands(model.G.config)

    def _weights(
        self, weights: list[float], bands: Sequence[float], layers: Sequence[float]
    ) -> Tensor:
        """Of every layer, for every mix: (len(weights), num_ws)."""
        offsets = torch.zeros(self.model.G.num_ws)
        offsets[: len(layers)] = torch.tensor(layers)
        for places, offset in zip(self.bands.values(), bands, strict=True):
            offsets[places] += offset
        return (torch.tensor(weights)[:, None] + offsets).clamp(0, 1)

    def _problem_with_layers(self, layers: Sequence[float]) -> str:
        """What is wrong with offsets that somebody's program gave; empty if they are fine."""
        few = isinstance(layers, Sequence) and len(layers) <= self.model.G.num_ws
        if few and all(isinstance(x, int | float) and -1 <= x <= 1 for x in layers):
            return ""
        return f"Layers must be at most {self.model.G.num_ws} numbers from -1 to 1."

    def draw(
        self,
        seeds: tuple[float | None, float | None],
        weights: list[float],
        psi: float,
        own: bool,
        face: Tensor | None,
        bands: Sequence[float] = NO_BANDS,
        layers: Sequence[float] = (),
    ) -> tuple[list[Picture], str]:
        """The mixes at these weights, and an empty sentence or what is wrong with the seeds."""
        if words := self._problem_with_layers(layers):
            return [gr.skip()] * len(weights), words
        parents = []
        for seed, letter in zip(seeds, "AB", strict=True):
            if seed is None and face is not None:
                parents.append(face)
            elif words := problem_with_seed(seed, letter):
                return [gr.skip()] * len(weights), words
            else:
                parents.append(self.model.styles([int(seed)], psi, own=own))
        mixes = mix_styles(*parents, self._weights(weights, bands, layers))
        return list(self.model.draw_many(mixes)), ""

    def mix(
        self,
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
    ) -> tuple[Picture, str]:
        """The face that is 1 - weight of A and weight of B, truncated by psi; what is wrong.

        With `own`, each face is pulled to the average of its own kind instead of that of all.
        Shape, features, texture and those of single layers, each from -1 to 1, are added to the
        weight of their layers. Saved as PNG the picture holds all this.
        """
        seeds, bands = (seed_a, seed_b), (shape, features, texture)
        (mixed,), words = self.draw(seeds, [weight], psi, own, face, bands, layers)
        if words:
            return mixed, words
        a, b = (None if seed is None else int(seed) for seed in seeds)
        scene = Scene(a, b, weight, psi, own, *bands, tuple(layers))
        return stamp(mixed, scene, self.model.name, face), ""

    def faces(
        self,
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
    ) -> tuple[Picture, Picture, Picture, str]:
        """Face A, the mix, face B; what is wrong."""
        bands = shape, features, texture
        mixed, words = self.mix(seed_a, seed_b, weight, psi, own, face, *bands, layers)
        (a, b), _ = self.draw((seed_a, seed_b), [0.0, 1.0], psi, own, face)
        return a, mixed, b, words

    def film(
        self,
        seed_a: float | None,
        seed_b: float | None,
        psi: float,
        own: bool,
        face: Tensor | None = None,
        shape: float = 0,
        features: float = 0,
        texture: float = 0,
        layers: Sequence[float] = (),
    ) -> list[Picture] | dict:
        """Eleven mixes, with weights from 0 to 1."""
        weights = [step / STEPS for step in range(STEPS + 1)]
        bands = shape, features, texture
        pictures, words = self.draw((seed_a, seed_b), weights, psi, own, face, bands, layers)
        return gr.skip() if words else pictures


def layer_names(bands: dict[str, list[int]]) -> list[str]:
    """Of the places in ws, in their order."""
    names = {place: name for name, places in bands.items() for place in places}
    return [f"{place}: {names[place] if place else 'place and angle'}" for place in sorted(names)]


def weight_of(event: gr.SelectData) -> float:
    """The mixing weight of a face on the film strip."""
    return event.index / STEPS


class MixTab(NamedTuple):
    """What other tabs use: the controls, which take what `playground.share.scene_values` gives, the
    visitor's own face, and how it is drawn again."""

    controls: list[gr.Component]
    face: gr.State
    redraw: Callable[[Callable], None]  # connects an event: redraw(event.then)


def mix_tab(model: Model, demo: gr.Blocks) -> MixTab:
    """Lay out the tab and connect it."""
    mixer, size = Mixer(model), model.G.img_resolution
    first, last = good_seeds(model.domains, SHOWN)
    good = first + last
    strip = list(model.draw_many(model.styles(good, PSI, own=True)))

    def seed_of(event: gr.SelectData) -> int:
        """The seed of a face among the good ones."""
        return good[event.index]

    def side(letter: str, seed: int) -> tuple[gr.Image, gr.Number, gr.Button, gr.Gallery]:
        image = face_image(f"Face {letter}", size, f"face-{letter.lower()}")
        number = gr.Number(seed, label=f"Seed {letter}")
        dice = gr.Button(f"Another {letter}")
        faces = face_strip(
            "Good faces; click one to take it", SHOWN, f"good-{letter.lower()}", strip
        )
        return image, number, dice, faces

    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=140):
            image_a, seed_a, dice_a, good_a = side("A", first[0])
        with gr.Column(scale=3, min_width=260, elem_classes="first-if-narrow"):
            image_mix = face_image("The mix", size, "face-mix")
            weight = BoundedSlider(
                0,
                1,
                0.5,
                step=0.01,
                label="Mixing weight",
                info="0 is face A, 1 is face B",
                elem_id="weight",
            )
            words = gr.Markdown(elem_id="mix-words")
        with gr.Column(scale=2, min_width=140):
            image_b, seed_b, dice_b, good_b = side("B", last[0])
    with gr.Accordion("Mix band by band", open=False):
        gr.Markdown("Added to the mixing weight: to the left is more of A, to the right more of B.")
        with gr.Row():
            bands = [
                BoundedSlider(-1, 1, 0, step=0.01, label=name.capitalize(), elem_id=f"band-{i}")
                for i, name in enumerate(mixer.bands)
            ]
        with gr.Accordion("Layer by layer", open=False), gr.Row():
            single = [
                BoundedSlider(
                    -1, 1, 0, step=0.01, label=name, min_width=150, elem_id=f"layer-{place}"
                )
                for place, name in enumerate(layer_names(mixer.bands))
            ]
    film = face_strip("From A to B; click a face to take its weight", STEPS + 1, "film")
    with gr.Row():
        psi, own = psi_slider("psi"), own_checkbox(model, "own")
    with gr.Accordion("Share", open=False):
        gr.Markdown(
            "The address of this page opens this very mix: copy it. So does the picture of the mix "
            "when you have saved it: drop it here."
        )
        saved = gr.File(label="A saved mix", file_types=[".png"], height=120, elem_id="saved")
    gr.Markdown("None of these people exist: a network drew them.")

    face = gr.State()
    # One hidden value for all layers: twelve more inputs of an event would take 10 ms, and most
    # people never open that part.
    layers = gr.JSON([], visible=False, label="Layers")
    offsets = [*bands, layers]
    told = [seed_a, seed_b, weight, psi, own, *offsets]
    controls = [*told, *single]
    inputs, strips = [*told[:5], face, *offsets], [seed_a, seed_b, psi, own, face, *offsets]
    outputs = [image_a, image_mix, image_b, words]
    private = {"api_visibility": "private", **LIVE}

    def redraw(then: Callable) -> None:
        """After an event that changed what is mixed."""
        drawn = then(mixer.faces, inputs, outputs, **private)
        tell(drawn.then(mixer.film, strips, film, **private))

    def tell(drawn: gr.events.Dependency) -> None:
        """The address follows the pictures, for which nobody should wait longer."""
        drawn.then(None, told, js=ADDRESS)

    def opened(request: gr.Request) -> list:
        return from_address(request, model.G.num_ws)

    def dropped(path: str | None) -> list:
        values, found = from_picture(path, model.G.num_ws, model.G.w_dim)
        return [*values, found]

    # The strip always follows, never beside: two events of one control, each waiting for its last
    # value, would go on waking each other for ever.
    tell(weight.input(mixer.mix, inputs, [image_mix, words], api_name="mix", **LIVE))
    changes = [seed_a.input, seed_b.input, psi.input, own.input]
    drawn = gr.on(changes, mixer.faces, inputs, outputs, api_name="faces", **LIVE)
    tell(drawn.then(mixer.film, strips, film, api_name="film", **LIVE))
    moved = gr.on([x.input for x in bands], mixer.mix, inputs, [image_mix, words], **private)
    tell(moved.then(mixer.film, strips, film, **private))
    turned = gr.on(
        [x.input for x in single], lambda *values: list(values), single, layers, **private
    )
    redraw(turned.then)
    warns = {"api_visibility": "private", "show_progress": "hidden"}  # so it must be queued
    redraw(demo.load(opened, None, controls, **warns).then)
    redraw(saved.upload(dropped, saved, [*controls, face], **warns).then)
    for dice, faces, seed in ((dice_a, good_a, seed_a), (dice_b, good_b, seed_b)):
        redraw(dice.click(roll, None, seed, **private).then)
        redraw(faces.select(seed_of, None, seed, **private).then)
    taken = film.select(weight_of, None, weight, **private)
    tell(taken.then(mixer.mix, inputs, [image_mix, words], **private))
    return MixTab(controls, face, redraw)
