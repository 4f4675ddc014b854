"""Two faces and the faces between them."""

from collections.abc import Callable
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
STEPS = 10  # from face A to face B on the film strip
NO_BANDS = 0, 0, 0  # added to the weights of their layers

# uint8 (H, W, 3), one that says how it was mixed, or gr.skip() to leave the one that is shown
Picture = np.ndarray | Image.Image | dict


class Mixer:
    """Draws for the Mix tab. Weight 0 is face A, 1 is face B.

    What a visitor can type by mistake is answered with a sentence and never raised: while somebody
    types, Gradio would drop the value that follows an error.
    """

    def __init__(self, model: Model):
        self.model, self.bands = model, style_bands(model.G.config)

    def _weights(self, weights: list[float], bands: tuple[float, ...]) -> Tensor:
        """Of every layer, for every mix: (len(weights), num_ws)."""
        offsets = torch.zeros(self.model.G.num_ws)
        for places, offset in zip(self.bands.values(), bands, strict=True):
            offsets[places] = offset
        return (torch.tensor(weights)[:, None] + offsets).clamp(0, 1)

    def draw(
        self,
        seed_a: float | None,
        seed_b: float | None,
        weights: list[float],
        psi: float,
        own: bool,
        bands: tuple[float, ...] = NO_BANDS,
    ) -> tuple[list[Picture], str]:
        """The mixes at these weights, and an empty sentence or what is wrong with the seeds."""
        words = problem_with_seed(seed_a, "A") or problem_with_seed(seed_b, "B")
        if words:
            return [gr.skip()] * len(weights), words
        ws = self.model.styles([int(seed_a), int(seed_b)], psi, own=own)
        mixes = mix_styles(ws[:1], ws[1:], self._weights(weights, bands))
        return list(self.model.draw_many(mixes)), ""

    def mix(
        self,
        seed_a: float,
        seed_b: float,
        weight: float,
        psi: float,
        own: bool,
        shape: float = 0,
        features: float = 0,
        texture: float = 0,
    ) -> tuple[Picture, str]:
        """The face that is 1 - weight of A and weight of B, truncated by psi; what is wrong.

        With `own`, each face is pulled to the average of its own kind instead of that of all.
        Shape, features and texture, each from -1 to 1, are added to the weight of their layers.
        Saved as PNG the picture holds all this.
        """
        bands = shape, features, texture
        (mixed,), words = self.draw(seed_a, seed_b, [weight], psi, own, bands)
        if words:
            return mixed, words
        scene = Scene(int(seed_a), int(seed_b), weight, psi, own, *bands)
        return stamp(mixed, scene, self.model.name), ""

    def faces(
        self,
        seed_a: float,
        seed_b: float,
        weight: float,
        psi: float,
        own: bool,
        shape: float = 0,
        features: float = 0,
        texture: float = 0,
    ) -> tuple[Picture, Picture, Picture, str]:
        """Face A, the mix, face B; what is wrong."""
        mixed, words = self.mix(seed_a, seed_b, weight, psi, own, shape, features, texture)
        (a, b), _ = self.draw(seed_a, seed_b, [0.0, 1.0], psi, own)
        return a, mixed, b, words

    def film(
        self,
        seed_a: float,
        seed_b: float,
        psi: float,
        own: bool,
        shape: float = 0,
        features: float = 0,
        texture: float = 0,
    ) -> list[Picture] | dict:
        """Eleven mixes, with weights from 0 to 1."""
        weights = [step / STEPS for step in range(STEPS + 1)]
        bands = shape, features, texture
        pictures, words = self.draw(seed_a, seed_b, weights, psi, own, bands)
        return gr.skip() if words else pictures


def weight_of(event: gr.SelectData) -> float:
    """The mixing weight of a face on the film strip."""
    return event.index / STEPS


class MixTab(NamedTuple):
    """What other tabs use: the components that say what is mixed, in the order of Scene's fields,
    and how it is drawn again."""

    inputs: list[gr.Component]
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

    inputs = [seed_a, seed_b, weight, psi, own, *bands]
    outputs = [image_a, image_mix, image_b, words]
    strips = [seed_a, seed_b, psi, own, *bands]
    private = {"api_visibility": "private", **LIVE}

    def redraw(then: Callable) -> None:
        """After an event that changed what is mixed."""
        then(mixer.faces, inputs, outputs, **private).then(mixer.film, strips, film, **private)

    # The strip always follows, never beside: two events of one control, each waiting for its last
    # value, would go on waking each other for ever.
    weight.input(mixer.mix, inputs, [image_mix, words], api_name="mix", **LIVE)
    changes = [seed_a.input, seed_b.input, psi.input, own.input]
    drawn = gr.on(changes, mixer.faces, inputs, outputs, api_name="faces", **LIVE)
    drawn.then(mixer.film, strips, film, api_name="film", **LIVE)
    moved = gr.on([b.input for b in bands], mixer.mix, inputs, [image_mix, words], **private)
    moved.then(mixer.film, strips, film, **private)
    told = {"api_visibility": "private", "show_progress": "hidden"}  # queued: only so it can warn
    redraw(demo.load(from_address, None, inputs, **told).then)
    redraw(saved.upload(from_picture, saved, inputs, **told).then)
    gr.on([control.change for control in inputs], None, inputs, js=ADDRESS)
    for dice, faces, seed in ((dice_a, good_a, seed_a), (dice_b, good_b, seed_b)):
        redraw(dice.click(roll, None, seed, **private).then)
        redraw(faces.select(seed_of, None, seed, **private).then)
    taken = film.select(weight_of, None, weight, **private)
    taken.then(mixer.mix, inputs, [image_mix, words], **private)
    return MixTab(inputs, redraw)
