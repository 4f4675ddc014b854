"""A row of faces, a column of faces, and the mix at every crossing."""

import random
from collections.abc import Iterator

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from playground.controls import BoundedSlider, own_checkbox, own_shown, psi_slider
from playground.files import Picture
from playground.mistake import Mistake, said
from playground.mixing import Mixing
from playground.model import Model, Models
from playground.programs import offer
from playground.scene import Scene
from playground.seeds import MOST, good_seeds, parse_seeds
from playground.share import scene_values
from playground.turn import Turn
from playground.words import DRAWING, WORDS, kind_name
from stylegan.images import image_grid
from stylegan.latents import blend

FIRST = 4  # faces in a row or column, of a model that draws them quickly
GOOD = 60  # of each kind, among which other faces are chosen

# In the browser: a click on the grid counts when its picture is loaded, and as if the picture were
# shown at its own size. Gradio needs that size to tell where the click was, and takes what is
# enlarged for smaller, with a margin.
CLICKS = """() => document.addEventListener("click", (event) => {
    const img = event.target.closest("#grid button")?.querySelector("img");
    if (!img || !event.isTrusted) return;
    event.stopImmediatePropagation();
    const again = () => {
        const box = img.getBoundingClientRect();
        const at = (click, start, shown, own) =>
            start + Math.max(shown - own, 0) / 2 + (click - start) * Math.min(own / shown, 1);
        img.dispatchEvent(new MouseEvent("click", {
            bubbles: true,
            clientX: at(event.clientX, box.left, box.width, img.naturalWidth),
            clientY: at(event.clientY, box.top, box.height, img.naturalHeight),
        }));
    };
    if (img.complete) again();
    else img.addEventListener("load", again, { once: true });
}, true)"""


class Crossings:
    """Draws for the Grid tab; A go across, B go down."""

    def __init__(self, models: Models):
        self.models = models

    def choose(self, size: int, model: str = "") -> tuple[str, str]:
        """Seeds across and down: good ones of either kind, by chance."""
        return self.resize(size, "", "", model)

    def resize(self, size: int, across: str, down: str, model: str = "") -> tuple[str, str]:
        """The first of these seeds across and down, and good ones by chance where they are few."""
        ends = good_seeds(self.models[model].domains, GOOD)
        filled = []
        for text, name, good in zip((across, down), ("Across", "Down"), ends, strict=True):
            kept = parse_seeds(text, name)[:size] if text else []
            others = [seed for seed in good if seed not in kept]
            filled.append(kept + random.sample(others, size - len(kept)))
        return tuple(", ".join(map(str, seeds)) for seeds in filled)

    def draw(
        self,
        across: str,
        down: str,
        weight: float,
        psi: float,
        own: bool,
        turn: Turn,
        model: str = "",
    ) -> Iterator[np.ndarray]:
        """The grid, again and again as a row of it is drawn, unless a later one begins.

        Seeds with commas between them, at most eight each way; a crossing is 1 - weight of what is
        above it and weight of what is left of it, evenly as in the tab Mix. Where nothing is
        drawn it is transparent.
        """
        mine, shown = turn.take(), self.models[model]
        seeds_a, seeds_b = parse_seeds(across, "Across"), parse_seeds(down, "Down")
        ws_a, ws_b = (shown.styles(seeds, psi, own=own) for seeds in (seeds_a, seeds_b))

        def cross(a: Tensor, b: Tensor) -> Tensor:
            return blend(a, b, shown.even_weights(a, b, [weight]))

        rows = [torch.cat([b, *[cross(a, b) for a in ws_a.split(1)]]) for b in ws_b.split(1)]
        columns, side, done = len(seeds_a) + 1, shown.G.img_resolution, 1  # the corner is empty
        tiles = np.zeros(((len(rows) + 1) * columns, side, side, 4), np.uint8)  # 0 is transparent
        for part in shown.draw_parts(torch.cat([ws_a, *rows])):
            if turn.number != mine:
                return
            row, done = done // columns, done + len(part)
            tiles[done - len(part) : done, ..., :3] = part
            tiles[done - len(part) : done, ..., 3] = 255
            if done // columns > row:
                yield image_grid(tiles, columns)


def crossing(
    across: str, down: str, weight: float, side: int, place: tuple[int, int]
) -> tuple[int | dict, int | dict, float] | None:
    """Seed A, seed B and weight of what lies at a pixel (x, y); what stays is skipped.

    `side` is that of a face, in pixels. There is nothing in the corner.
    """
    seeds_a, seeds_b = parse_seeds(across, "Across"), parse_seeds(down, "Down")
    column, row = (pixel // side for pixel in place)
    if not row and not column:
        return None
    return (
        seeds_a[column - 1] if column else gr.skip(),
        seeds_b[row - 1] if row else gr.skip(),
        weight if row and column else 1.0 if row else 0.0,
    )


def first_size(model: Model) -> int:
    """Faces in a row or column of the first grid, fewer for a model that draws slowly."""
    sizes = range(FIRST, 0, -1)
    return next((size for size in sizes if size * (size + 2) <= model.first), 1)


def grid_tab(models: Models, mix: Mixing, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """Lay out the tab and connect it; it is drawn when it is opened."""
    crossings = Crossings(models)

    def seeds_shown(model: str) -> list[dict[str, str]]:
        """The best ones, and of which kind they are."""
        now = models[model]
        names = [kind_name(domain.name) for domain in now.domains] or ["faces"]
        good = good_seeds(now.domains, first_size(now))
        across, down = (", ".join(map(str, seeds)) for seeds in good)
        return [
            dict(value=across, label=f"{WORDS('across')}: {names[0]}"),
            dict(value=down, label=f"{WORDS('down')}: {names[-1]}"),
        ]

    first = seeds_shown("")
    gr.Markdown(WORDS("grid_info"))
    with gr.Row():
        with gr.Column(scale=1, min_width=240):
            size = BoundedSlider(
                1,
                MOST,
                first_size(models.own),
                step=1,
                label=WORDS("grid_size"),
                info=WORDS("grid_size_info"),
                elem_id="grid-size",
            )
            dice = gr.Button(WORDS("other_faces"))
            across = gr.Textbox(**first[0], info=WORDS("seeds_info"), elem_id="across")
            wrong_across = gr.Markdown(elem_classes="wrong")
            down = gr.Textbox(**first[1], info=WORDS("seeds_info"), elem_id="down")
            wrong_down = gr.Markdown(elem_classes="wrong")
            weight = BoundedSlider(
                0,
                1,
                0.5,
                step=0.01,
                label=WORDS("grid_weight"),
                elem_id="grid-weight",
                info=WORDS("grid_weight_info"),
            )
            psi, own = psi_slider("grid-psi"), own_checkbox(models.own, "grid-own")
        with gr.Column(scale=2, min_width=260, elem_classes="first-if-narrow"):
            gr.Markdown(WORDS("grid_click"))
            wrong_grid = gr.Markdown(elem_id="grid-words", elem_classes="wrong")
            grid = Picture(
                label="Grid",
                alt_text=WORDS("grid"),
                show_label=False,
                interactive=False,
                buttons=["download", "fullscreen"],
                elem_id="grid",
                image_mode="RGBA",
                elem_classes="grid",
            )
    turn, wrong = gr.State(Turn()), [wrong_across, wrong_down]

    def problem(seeds: str, name: str) -> str:
        """What is wrong with a list of seeds; empty if nothing is."""
        try:
            parse_seeds(seeds, name)
        except Mistake as e:
            return e.message
        return ""

    def problems(across: str, down: str) -> tuple[str, str]:
        """What is wrong with each list, to be said below it."""
        return problem(across, "Across"), problem(down, "Down")

    def draw(across: str, down: str, *values: object) -> Iterator[tuple[np.ndarray | dict, str]]:
        """The grid, and nothing to say; wrong seeds leave the one that is there."""
        if any(problems(across, down)):
            yield gr.skip(), ""
        else:
            for picture in crossings.draw(across, down, *values):
                yield picture, ""

    def resize(*values: object) -> tuple[str | dict, str | dict]:
        """Wrong seeds stay, and what is said of them."""
        try:
            return crossings.resize(*values)
        except Mistake:
            return gr.skip(), gr.skip()

    inputs, outputs = [across, down, weight, psi, own, turn, mix.model], [grid, wrong_grid]
    drawing = said(draw, 1)
    live = {"show_progress": "hidden", "trigger_mode": "multiple", "concurrency_limit": None}
    hidden = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
    changes = [tab.select, across.submit, down.submit, weight.input, psi.input, own.input]
    gr.on(changes, drawing, inputs, outputs, api_visibility="private", **live)
    offer(crossings.draw, inputs, grid, "grid", concurrency_limit=None)
    told = {"api_visibility": "private", "show_progress": "hidden"}  # queued, or it cannot tell
    others = dice.click(crossings.choose, [size, mix.model], [across, down], **hidden)
    fill = [size, across, down, mix.model]
    resized = size.input(resize, fill, [across, down], trigger_mode="always_last", **told)
    # Said by an event of its own: a drawing that goes on knows nothing of newer seeds.
    latest = hidden | {"trigger_mode": "always_last"}
    gr.on([across.submit, down.submit], problems, [across, down], wrong, **latest)
    for chosen in (others, resized):
        chosen.success(drawing, inputs, outputs, api_visibility="private", **live)
        chosen.success(problems, [across, down], wrong, **latest)

    def open_in_mix(
        across: str,
        down: str,
        weight: float,
        psi: float,
        own: bool,
        model: str,
        event: gr.SelectData,
    ):
        """What was clicked, just as it is, in the other tab; the corner is nothing."""
        side = models[model].G.img_resolution
        if (found := crossing(across, down, weight, side, event.index)) is None:
            return [gr.skip()] * (len(mix.controls) + 2)
        a, b, weight = found
        _, _, *how = scene_values(Scene(0, 0, weight, psi, own, model=model))
        return a, b, *how, DRAWING, gr.Tabs(selected="mix")

    def changed(model: str) -> tuple[int, gr.Textbox, gr.Textbox, gr.Checkbox, None]:
        """Seeds of another model."""
        across, down = seeds_shown(model)
        own = gr.Checkbox(**own_shown(models[model]))
        return first_size(models[model]), gr.Textbox(**across), gr.Textbox(**down), own, None

    clicked = [across, down, weight, psi, own, mix.model]
    mix.redraw(grid.select(open_in_mix, clicked, [*mix.controls, mix.words, tabs], **hidden).then)
    mix.model.change(changed, mix.model, [size, across, down, own, grid], **hidden)
