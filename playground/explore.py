"""One face, moved on the page and changed along directions of W."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from playground.controls import LIVE, BoundedSlider, SeedBox, psi_slider
from playground.direction import MOST_LETTERS, load_direction, save_direction
from playground.face import face_image, small_faces
from playground.figures import figure
from playground.files import File
from playground.mistake import Mistake, said
from playground.mixing import Mixing
from playground.model import OTHERS, Model, Models
from playground.programs import offer
from playground.seeds import good_seeds, problem_with_seed, roll
from playground.turn import Turn
from playground.words import WORDS
from stylegan.directions import affine_directions, principal_directions, sample_w
from stylegan.transforms import rotation, translation

COUNT, FAR = 4, 3  # directions of each sort; standard deviations each way
PLACES = range(-FAR, FAR + 1)
NO_MOVES = "This model is of StyleGAN2, which cannot move or turn a face: leave all three at 0."
MOVES = {"EQ-T": "moved", "EQ-R": "turned"}
CHANGES, WHOLE = 30, 60  # dB: below the first a face changes, from the second on it is one piece
HOLDS = ["changes", "nearly holds together", "holds together"]


def directions(model: Model) -> Tensor:
    """Those of the spread, then those of the weights: (2 * COUNT, w_dim)."""
    w = sample_w(model.G)
    return torch.cat([principal_directions(w, COUNT), affine_directions(model.G, w, COUNT)])


def moves_faces(model: Model) -> bool:
    """Whether it can draw a face moved or turned, which StyleGAN2 cannot."""
    return model.G.config.generation == 3


class Explorer:
    """Draws for the Explore tab."""

    def __init__(self, models: Models):
        self.models, self.directions = models, lru_cache(OTHERS + 1)(directions)
        self.names = [f"{WORDS('way')} {i + 1}" for i in range(2 * COUNT)]

    def face(
        self,
        seed: float,
        psi: float,
        right: float,
        down: float,
        turn: float,
        model: str,
        common_1: float,
        common_2: float,
        common_3: float,
        common_4: float,
        strong_1: float,
        strong_2: float,
        strong_3: float,
        strong_4: float,
        saved: Tensor | None = None,
        along: float = 0.0,
    ) -> np.ndarray:
        """A face, uint8 (H, W, 3), turned clockwise by degrees, moved by percent of its side, and
        gone by standard deviations along each direction and along a visitor's own.

        Raises: Mistake for a seed or moves that this model cannot draw.
        """
        shown = self.models[model]
        moves, moving = any((right, down, turn)), moves_faces(shown)
        steps = common_1, common_2, common_3, common_4, strong_1, strong_2, strong_3, strong_4
        ws = self.styles(seed, psi, model, saved, along, *steps)
        if moves and not moving:
            raise Mistake(NO_MOVES)
        moved = rotation(math.radians(turn)) @ translation(right / 100, down / 100)
        return shown.draw(ws, moved if moving else None)[0]

    def styles(
        self, seed: float, psi: float, model: str, saved: Tensor | None, along: float, *steps: float
    ) -> Tensor:
        """ws (1, num_ws, w_dim) of a seed's face where the sliders lead; Mistake for a bad seed."""
        if words := problem_with_seed(seed, ""):
            raise Mistake(words)
        start = self.models[model].styles([int(seed)], psi)
        return start + self.way(model, steps, saved, along)

    def way(self, model: str, steps: Sequence[float], saved: Tensor | None, along: float) -> Tensor:
        """Where the sliders lead, (w_dim,): along each direction, and along the visitor's own."""
        way = torch.tensor(steps, dtype=torch.float32) @ self.directions(self.models[model])
        return way if saved is None else way + along * saved

    def ways(
        self, seed: float, psi: float, turn: Turn, model: str = ""
    ) -> Iterator[list[list[np.ndarray] | dict | str]]:
        """Faces along every direction, one after the other, and a sentence on how far it is, unless
        a later drawing begins."""
        if problem_with_seed(seed, ""):
            return
        mine, shown, count = turn.take(), self.models[model], len(self.names)
        rows = [gr.skip()] * count
        yield [*rows, f"Drawing {count} ways …"]
        start, places = shown.styles([int(seed)], psi), torch.tensor(PLACES)[:, None]
        for i, direction in enumerate(self.directions(shown)):
            faces = list(shown.draw_many(start + (places * direction)[:, None]))
            if turn.number != mine:
                return
            left = count - i - 1
            words = f"Drawing the ways: {left} to go …" if left else ""
            yield [*rows[:i], faces, *rows[i + 1 :], words]


def equivariance_words(figures: dict[str, object]) -> str:
    """How well a face holds together when it is moved and turned, if it was measured."""
    found = {name: figure(figures, name) for name in MOVES}
    words = [
        f"{HOLDS[(x >= CHANGES) + (x >= WHOLE)]} when it is {MOVES[name]} ({name} {x:.0f} dB)"
        for name, x in found.items()
        if x is not None
    ]
    return f"A face {', and '.join(words)}." if words else ""


def explore_tab(models: Models, mix: Mixing, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """Lay out the tab and connect it; it is drawn when it is opened."""
    explorer, model = Explorer(models), mix.model
    explorer.directions(models.own)  # so that nobody waits for them
    steps, strips = [], []
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=260, elem_classes=["stays", "small-if-narrow"]):
            image = face_image(WORDS("the_face"), "face-explore")
        with gr.Column(scale=3, min_width=260):
            with gr.Row():
                good = good_seeds(models.own.domains, 1)[1][0]
                seed = SeedBox(good, label=WORDS("seed"), elem_classes="seed")
                psi = psi_slider("explore-psi")
            words = gr.Markdown(elem_id="explore-words", elem_classes="wrong")
            with gr.Row():
                dice = gr.Button(WORDS("another"), min_width=100)
                uses = [gr.Button(WORDS(f"use_{letter}"), min_width=90) for letter in "ab"]
            with gr.Row(visible=moves_faces(models.own), elem_id="moves") as moving:
                narrow = dict(step=1, min_width=140)
                moves = [
                    BoundedSlider(-50, 50, 0, label=WORDS("right"), elem_id="right", **narrow),
                    BoundedSlider(-50, 50, 0, label=WORDS("down_by"), elem_id="down-by", **narrow),
                    BoundedSlider(-180, 180, 0, label=WORDS("turn"), elem_id="turn", **narrow),
                ]
            measured = gr.Markdown(equivariance_words(models.own.figures))
            gr.Markdown(WORDS("ways"))
            how_far = gr.Markdown(elem_id="ways-words")
            with gr.Column(elem_id="ways"):
                for i, name in enumerate(explorer.names):
                    if i % COUNT == 0:
                        gr.Markdown(WORDS("strong_ways" if i else "common_ways"))
                    with gr.Row(equal_height=False):
                        step = BoundedSlider(-FAR, FAR, 0, step=0.1, label=name, min_width=150)
                        steps.append(step)
                        with gr.Column(scale=3, min_width=240):
                            strips.append(small_faces(name, len(PLACES), f"way-{i}"))
                along = BoundedSlider(
                    -FAR,
                    FAR,
                    0,
                    step=0.1,
                    label=WORDS("saved_way"),
                    visible=False,
                    elem_id="along",
                )
    saved, turn = gr.State(), gr.State(Turn())
    with gr.Accordion(WORDS("directions"), open=False), gr.Row():
        with gr.Column(min_width=240):
            name = gr.Textbox(label=WORDS("direction_name"), max_length=MOST_LETTERS)
            wrong_name = gr.Markdown(elem_id="direction-words", elem_classes="wrong")
            save = gr.Button(WORDS("save"))
            file = gr.File(label=WORDS("direction_file"), height=120, elem_id="direction")
        with gr.Column(min_width=240):
            given = File(
                label=WORDS("saved_direction"), file_types=[".json"], height=120, elem_id="given"
            )
            wrong_given = gr.Markdown(elem_id="given-words", elem_classes="wrong")

    def draw(*values: object) -> tuple[np.ndarray, str]:
        """The face, and nothing to say."""
        return explorer.face(*values), ""

    face = said(draw, 1)
    inputs, outputs = [seed, psi, *moves, model, *steps, saved, along], [image, words]
    hidden = {"api_visibility": "private", **LIVE}
    moved = [control.input for control in (*moves, along, *steps)]
    gr.on(moved, face, inputs, outputs, **hidden)
    offer(explorer.face, inputs[:-2], image, "explore", queue=False)
    changes = [tab.select, seed.input, psi.input]
    drawn = gr.on(changes, face, inputs, outputs, **hidden)
    ways = [said(explorer.ways, len(strips)), [seed, psi, turn, model], [*strips, how_far]]
    live = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}
    drawn.then(*ways, **live)
    rolled = dice.click(roll, None, seed, **hidden).then(face, inputs, outputs, **hidden)
    rolled.then(*ways, **live)

    def goes(row: int) -> Callable[[gr.SelectData], list[float]]:
        def go(event: gr.SelectData) -> list[float]:
            """The row's slider at the clicked place, all others at 0: just what was clicked."""
            there = [float(PLACES[event.index]) * (i == row) for i in range(len(steps))]
            return [0.0] * (len(moves) + 1) + there

        return go

    def keep(
        name: str, model: str, saved: Tensor | None, along: float, *steps: float
    ) -> tuple[str, str]:
        """A file with where the sliders lead, and nothing to say."""
        way = explorer.way(model, steps, saved, along)
        return save_direction(name, way, models[model]), ""

    def carried(
        seed: float, psi: float, model: str, saved: Tensor | None, along: float, *steps: float
    ) -> Tensor | int:
        """The face as the sliders make it, as a saved picture holds it; the seed of one that they
        leave as it is."""
        ws = explorer.styles(seed, psi, model, saved, along, *steps)
        moved = any(steps) or (along and saved is not None)
        return ws.half().float() if moved else int(seed)

    def give(path: str, model: str) -> tuple[dict | None, Tensor | dict, gr.Slider | dict, str]:
        """The file, a saved direction, the slider that goes along it, one standard step at first,
        and nothing to say; or no file, so that another can be given, and what is wrong."""
        try:
            name, direction = load_direction(path, models[model])
        except gr.Error as e:
            return None, gr.skip(), gr.skip(), e.message
        return gr.skip(), direction, gr.Slider(label=name, value=1, visible=True), ""

    def leave() -> tuple[None, gr.Slider]:
        """The saved direction goes with its file."""
        return None, gr.Slider(value=0, visible=False)

    def changed(model: str) -> list:
        """Another model's first face, and nothing of the one before."""
        now = models[model]
        start = [good_seeds(now.domains, 1)[1][0], equivariance_words(now.figures), None]
        start += [gr.Slider(value=0, visible=False), gr.Row(visible=moves_faces(now))]
        return [*start, *[0] * (len(moves) + len(steps))]

    for row, strip in enumerate(strips):
        gone = strip.select(goes(row), None, [*moves, along, *steps], **hidden)
        gone.then(face, inputs, outputs, **hidden)
    told = {"api_visibility": "private", "show_progress": "hidden"}
    where = [model, saved, along, *steps]
    mix.take(uses, carried, [seed, psi, *where], tabs)
    kept = [name, *where]
    save.click(said(keep, 1), kept, [file, wrong_name], **told)
    given.upload(give, [given, model], [given, saved, along, wrong_given], **told)
    given.clear(leave, None, [saved, along], **told)
    saved.change(face, inputs, outputs, **hidden)
    anew = [seed, measured, saved, along, moving, *moves, *steps]
    model.change(changed, model, anew, **hidden)
