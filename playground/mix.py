"""Two faces and the face between them."""

import random

import gradio as gr
import numpy as np

from playground.face import face_image
from playground.model import Model
from stylegan.latents import blend, sample_z

MAX_SEED = 2**32 - 1
LIVE = {"show_progress": "hidden", "trigger_mode": "always_last", "queue": False}


def parse_seed(value: float | None, name: str) -> int:
    """A seed as typed; gr.Error says what is wrong with it."""
    if value is None or not 0 <= value <= MAX_SEED:
        raise gr.Error(f"Seed {name} must be a whole number from 0 to {MAX_SEED}, got {value}.")
    return int(value)


class Mixer:
    """Draws for the Mix tab. Pictures are uint8 (H, W, 3); weight 0 is face A, 1 is face B."""

    def __init__(self, model: Model):
        self.model = model

    def draw(self, seed_a: float, seed_b: float, weights: list[float], psi: float) -> np.ndarray:
        """The mixes at these weights, (len(weights), H, W, 3)."""
        seeds = [parse_seed(seed_a, "A"), parse_seed(seed_b, "B")]
        ws = self.model.styles(sample_z(seeds, self.model.G.z_dim), psi)
        return self.model.draw(blend(ws[:1], ws[1:], weights))

    def mix(self, seed_a: float, seed_b: float, weight: float, psi: float) -> np.ndarray:
        """The face that is 1 - weight of A and weight of B, truncated by psi."""
        return self.draw(seed_a, seed_b, [weight], psi)[0]

    def faces(
        self, seed_a: float, seed_b: float, weight: float, psi: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Face A, the mix, face B."""
        a, mixed, b = self.draw(seed_a, seed_b, [0.0, weight, 1.0], psi)
        return a, mixed, b


def roll() -> int:
    """A seed short enough to tell a friend."""
    return random.randrange(10_000)


def mix_tab(model: Model, demo: gr.Blocks) -> None:
    """Lay out the tab and connect it."""
    mixer, size = Mixer(model), model.G.img_resolution
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=180):
            image_a = face_image("Face A", size, "face-a")
            seed_a = gr.Number(3, label="Seed A", precision=0, minimum=0, maximum=MAX_SEED)
            dice_a = gr.Button("Another A")
        with gr.Column(scale=3, min_width=260):
            image_mix = face_image("The mix", size, "face-mix")
            weight = gr.Slider(
                0,
                1,
                0.5,
                step=0.01,
                label="Mixing weight",
                info="0 is face A, 1 is face B",
                elem_id="weight",
            )
            psi = gr.Slider(
                0,
                1,
                0.65,
                step=0.01,
                label="Truncation psi",
                info="low: close to the average face; high: more various, more flaws",
                elem_id="psi",
            )
        with gr.Column(scale=2, min_width=180):
            image_b = face_image("Face B", size, "face-b")
            seed_b = gr.Number(8, label="Seed B", precision=0, minimum=0, maximum=MAX_SEED)
            dice_b = gr.Button("Another B")
    inputs, images = [seed_a, seed_b, weight, psi], [image_a, image_mix, image_b]
    weight.input(mixer.mix, inputs, image_mix, api_name="mix", **LIVE)
    redraw = [seed_a.input, seed_b.input, psi.input]
    gr.on([demo.load, *redraw], mixer.faces, inputs, images, api_name="faces", **LIVE)
    for dice, seed in ((dice_a, seed_a), (dice_b, seed_b)):
        rolled = dice.click(roll, None, seed, api_visibility="private", **LIVE)
        rolled.then(mixer.faces, inputs, images, api_visibility="private", **LIVE)
