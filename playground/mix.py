"""Two faces and the face between them."""

import random

import gradio as gr
import numpy as np

from playground.face import face_image
from playground.model import Model
from playground.slider import BoundedSlider
from stylegan.latents import blend, sample_z

MAX_SEED = 2**32 - 1
LIVE = {"show_progress": "hidden", "trigger_mode": "always_last", "queue": False}

Picture = np.ndarray | dict  # uint8 (H, W, 3), or gr.skip() to leave the one that is shown


def problem_with_seed(value: float | None, name: str) -> str:
    """What is wrong with a seed as it stands in its field; empty if it is fine."""
    if value is not None and value == int(value) and 0 <= value <= MAX_SEED:
        return ""
    return f"Seed {name} must be a whole number from 0 to {MAX_SEED}."


class Mixer:
    """Draws for the Mix tab. Weight 0 is face A, 1 is face B.

    What a visitor can type by mistake is answered with a sentence and never raised: while somebody
    types, Gradio would drop the value that follows an error.
    """

    def __init__(self, model: Model):
        self.model = model

    def draw(
        self, seed_a: float | None, seed_b: float | None, weights: list[float], psi: float
    ) -> tuple[list[Picture], str]:
        """The mixes at these weights, and an empty sentence or what is wrong with the seeds."""
        words = problem_with_seed(seed_a, "A") or problem_with_seed(seed_b, "B")
        if words:
            return [gr.skip()] * len(weights), words
        ws = self.model.styles(sample_z([int(seed_a), int(seed_b)], self.model.G.z_dim), psi)
        return list(self.model.draw(blend(ws[:1], ws[1:], weights))), ""

    def mix(self, seed_a: float, seed_b: float, weight: float, psi: float) -> tuple[Picture, str]:
        """The face that is 1 - weight of A and weight of B, truncated by psi; what is wrong."""
        (mixed,), words = self.draw(seed_a, seed_b, [weight], psi)
        return mixed, words

    def faces(
        self, seed_a: float, seed_b: float, weight: float, psi: float
    ) -> tuple[Picture, Picture, Picture, str]:
        """Face A, the mix, face B; what is wrong."""
        pictures, words = self.draw(seed_a, seed_b, [0.0, weight, 1.0], psi)
        return *pictures, words


def roll() -> int:
    """A seed short enough to tell a friend."""
    return random.randrange(10_000)


def mix_tab(model: Model, demo: gr.Blocks) -> None:
    """Lay out the tab and connect it."""
    mixer, size = Mixer(model), model.G.img_resolution
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=180):
            image_a = face_image("Face A", size, "face-a")
            seed_a = gr.Number(34, label="Seed A")
            dice_a = gr.Button("Another A")
        with gr.Column(scale=3, min_width=260):
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
            psi = BoundedSlider(
                0,
                1,
                0.65,
                step=0.01,
                label="Truncation psi",
                info="low: close to the average face; high: more various, more flaws",
                elem_id="psi",
            )
            words = gr.Markdown(elem_id="mix-words")
        with gr.Column(scale=2, min_width=180):
            image_b = face_image("Face B", size, "face-b")
            seed_b = gr.Number(29, label="Seed B")
            dice_b = gr.Button("Another B")
    gr.Markdown("None of these people exist: a network drew them.")
    inputs, outputs = [seed_a, seed_b, weight, psi], [image_a, image_mix, image_b, words]
    weight.input(mixer.mix, inputs, [image_mix, words], api_name="mix", **LIVE)
    redraw = [seed_a.input, seed_b.input, psi.input]
    gr.on([demo.load, *redraw], mixer.faces, inputs, outputs, api_name="faces", **LIVE)
    for dice, seed in ((dice_a, seed_a), (dice_b, seed_b)):
        rolled = dice.click(roll, None, seed, api_visibility="private", **LIVE)
        rolled.then(mixer.faces, inputs, outputs, api_visibility="private", **LIVE)
