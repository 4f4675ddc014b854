"""One face, moved on the page and changed along directions of W."""

import math

import gradio as gr
import numpy as np
import torch

from playground.controls import BoundedSlider, psi_slider
from playground.face import face_image, face_strip
from playground.mix import LIVE
from playground.model import Model
from playground.seeds import good_seeds, problem_with_seed, roll
from stylegan.directions import affine_directions, principal_directions, sample_w
from stylegan.transforms import rotation, translation

COUNT, FAR = 4, 3  # directions of each sort; standard deviations each way
PLACES = range(-FAR, FAR + 1)


class Explorer:
    """Draws for the Explore tab."""

    def __init__(self, model: Model):
        self.model, w = model, sample_w(model.G)
        sorts = principal_directions(w, COUNT), affine_directions(model.G, w, COUNT)
        self.directions = torch.cat(sorts)  # (2 * COUNT, w_dim)
        self.names = [f"Spread {i + 1}" for i in range(COUNT)]
        self.names += [f"Shape {i + 1}" for i in range(COUNT)]

    def face(
        self, seed: float, psi: float, right: float, down: float, turn: float, *steps: float
    ) -> tuple[np.ndarray | dict, str]:
        """A face, uint8 (H, W, 3), turned clockwise by degrees, moved by percent of its side, and
        gone by standard deviations along each direction; what is wrong with the seed."""
        words = problem_with_seed(seed, "")
        if words:
            return gr.skip(), words
        step = torch.tensor(steps, dtype=torch.float32) @ self.directions
        ws = self.model.styles([int(seed)], psi) + step
        moved = translation(right / 100, down / 100)
        return self.model.draw(ws, rotation(math.radians(turn)) @ moved)[0], ""

    def ways(self, seed: float, psi: float) -> list[np.ndarray] | dict:
        """Faces along every direction, a row each."""
        if problem_with_seed(seed, ""):
            return gr.skip()
        places = torch.tensor(PLACES)[:, None]
        steps = places * self.directions[:, None]  # (2 * COUNT, places, w_dim)
        ws = self.model.styles([int(seed)], psi) + steps.flatten(0, 1)[:, None]
        return list(self.model.draw_many(ws))


def equivariance_words(figures: dict[str, object]) -> str:
    """What the model's measurement says of moving, if it was measured."""
    names = [name for name in ("EQ-T", "EQ-R") if isinstance(figures.get(name), float)]
    if not names:
        return ""
    values = " and ".join(f"{name} {figures[name]:.0f} dB" for name in names)
    return (
        f"Measured: {values}. From about 60 the face moves (T) or turns (R) as a whole; "
        "below 30 it changes while it does."
    )


def explore_tab(model: Model, tab: gr.Tab) -> None:
    """Lay out the tab and connect it; it is drawn when it is opened."""
    explorer, size = Explorer(model), model.G.img_resolution
    with gr.Row():
        with gr.Column(scale=2, min_width=260, elem_classes="first-if-narrow"):
            image = face_image("The face", size, "face-explore")
            words = gr.Markdown()
        with gr.Column(scale=2, min_width=260):
            seed = gr.Number(good_seeds(model.domains, 1)[1][0], label="Seed")
            dice = gr.Button("Another face")
            psi = psi_slider("explore-psi")
            moves = [
                BoundedSlider(-50, 50, 0, step=1, label="To the right, percent", elem_id="right"),
                BoundedSlider(-50, 50, 0, step=1, label="Down, percent", elem_id="down-by"),
                BoundedSlider(-180, 180, 0, step=1, label="Turned, degrees", elem_id="turn"),
            ]
            gr.Markdown(equivariance_words(model.figures))
    caption = (
        f"Ways to change it, from -{FAR} to {FAR} standard deviations: the first {COUNT} rows are "
        "what varies most among faces, the others what the shape answers to most. Click a face "
        "to go there; sliders add up."
    )
    ways = face_strip(caption, len(PLACES), "ways")
    steps = []
    for start in range(0, len(explorer.names), COUNT):
        with gr.Row():
            steps += [
                BoundedSlider(-FAR, FAR, 0, step=0.1, label=name, min_width=140)
                for name in explorer.names[start : start + COUNT]
            ]
    inputs, outputs = [seed, psi, *moves, *steps], [image, words]
    hidden = {"api_visibility": "private", **LIVE}
    moved = [control.input for control in (*moves, *steps)]
    gr.on(moved, explorer.face, inputs, outputs, api_name="explore", **LIVE)
    changes = [tab.select, seed.input, psi.input]
    drawn = gr.on(changes, explorer.face, inputs, outputs, **hidden)
    drawn.then(explorer.ways, [seed, psi], ways, **hidden)  # after, see playground.mix
    rolled = dice.click(roll, None, seed, **hidden).then(explorer.face, inputs, outputs, **hidden)
    rolled.then(explorer.ways, [seed, psi], ways, **hidden)

    def go(event: gr.SelectData, *values: float) -> list[float]:
        """The clicked row's slider at the clicked place, the others as they are."""
        row, place = divmod(event.index, len(PLACES))
        return [float(PLACES[place]) if i == row else value for i, value in enumerate(values)]

    gone = ways.select(go, steps, steps, **hidden)
    gone.then(explorer.face, inputs, outputs, **hidden)
