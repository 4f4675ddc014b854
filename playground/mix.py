"""Two faces and the faces between them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import gradio as gr
import numpy as np
import torch
from gradio.processing_utils import encode_pil_to_bytes
from PIL import Image
from torch import Tensor

from playground.controls import PSI, BoundedSlider, SeedBox, own_checkbox, own_shown, psi_slider
from playground.face import face_image, face_strip
from playground.files import File, new_file
from playground.mistake import Mistake
from playground.model import Model, Models
from playground.programs import offer, or_raise
from playground.scene import KEY, Scene, enlarged, file_name, parse_scene, stamp
from playground.seeds import good_seeds, problem_with_seed, roll
from playground.share import (
    ADDRESS,
    KEEP,
    MOST_LAYERS,
    NO_BANDS,
    SHARE,
    first_scene,
    from_address,
    from_picture,
    layer_values,
)
from playground.words import DRAWING, WORDS
from stylegan import Generator
from stylegan.config import GeneratorConfig
from stylegan.latents import mix_styles
from stylegan.specs import BANDS, style_bands

LIVE = {"show_progress": "hidden", "trigger_mode": "always_last", "queue": False}
SIDES = ["64", "512", "1024"]  # pixels of a saved mix
SHOWN = 6  # good seeds of a kind beside each face
STEPS = 10  # from face A to face B on the film strip

SAY_DRAWING = f"() => '{DRAWING}'"  # in the browser, at once

# uint8 (H, W, 3), one that says how it was mixed, or gr.skip() to leave the one that is shown
Picture = np.ndarray | Image.Image | dict


def problem_with_layers(layers: Sequence[float]) -> str:
    """What is wrong with offsets that somebody's program gave; empty if they are fine."""
    few = isinstance(layers, list | tuple) and len(layers) <= MOST_LAYERS
    if few and all(isinstance(x, int | float) and -1 <= x <= 1 for x in layers):
        return ""
    return f"Layers must be at most {MOST_LAYERS} numbers from -1 to 1."


def problem_with_face(face: Tensor | None, G: Generator) -> str:
    """Why it is no face (1, num_ws, w_dim) of the visitor's own; empty if it is fine."""
    if face is None:
        return "There is no face of your own yet: find it in Your face, then mix it."
    fits = face.shape[1:] == (G.num_ws, G.w_dim)
    return "" if fits else "Your face was found with another model."


class Mixer:
    """Draws for the Mix tab. Weight 0 is face A, 1 is face B.

    What a visitor can type by mistake is answered with a sentence and never raised: while somebody
    types, Gradio would drop the value that follows an error. An empty seed is the visitor's own
    face (1, num_ws, w_dim), if there is one; psi leaves it as it is.
    """

    def __init__(self, models: Models):
        self.models = models

    def _weights(
        self, weights: list[float], bands: Sequence[float], layers: Sequence[float], model: str
    ) -> Tensor:
        """Of every layer, for every mix: (len(weights), num_ws)."""
        G = self.models[model].G
        offsets = torch.zeros(G.num_ws)
        offsets[: len(layers)] = torch.tensor(layers)[: G.num_ws]
        for places, offset in zip(style_bands(G.config).values(), bands, strict=True):
            offsets[places] += offset
        return (torch.tensor(weights)[:, None] + offsets).clamp(0, 1)

    def draw(
        self,
        seeds: tuple[float | None, float | None],
        weights: list[float],
        psi: float,
        own: bool,
        face: Tensor | None,
        bands: Sequence[float] = NO_BANDS,
        layers: Sequence[float] = (),
        model: str = "",
    ) -> tuple[list[Picture], str]:
        """The mixes at these weights, and an empty sentence or what is wrong with the seeds."""
        if words := problem_with_layers(layers):
            return [gr.skip()] * len(weights), words
        shown = self.models[model]
        parents = []
        for seed, letter in zip(seeds, "AB", strict=True):
            if seed is None and face is not None:
                if words := problem_with_face(face, shown.G):
                    return [gr.skip()] * len(weights), words
                parents.append(face)
            elif words := problem_with_seed(seed, letter):
                return [gr.skip()] * len(weights), words
            else:
                parents.append(shown.styles([int(seed)], psi, own=own))
        mixes = mix_styles(*parents, self._weights(weights, bands, layers, model))
        return list(shown.draw_many(mixes)), ""

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
        model: str = "",
    ) -> tuple[Picture, str]:
        """The face that is 1 - weight of A and weight of B, truncated by psi; what is wrong.

        With `own`, each face is pulled to the average of its own kind instead of that of all.
        Shape, features, texture and those of single layers, each from -1 to 1, are added to the
        weight of their layers. Saved as PNG the picture holds all this. `model` is empty for the
        page's own, or user/repository@revision.
        """
        seeds, bands = (seed_a, seed_b), (shape, features, texture)
        (mixed,), words = self.draw(seeds, [weight], psi, own, face, bands, layers, model)
        if words:
            return mixed, words
        a, b = (None if seed is None else int(seed) for seed in seeds)
        scene = Scene(a, b, weight, psi, bool(own), *bands, tuple(layers), model)
        return stamp(mixed, scene, self.models[model].name, face), ""

    def save(self, side: str, *mixed: object) -> str:
        """Path of a PNG of what `mix` draws of the same values, `side` pixels wide.

        Raises: Mistake if it can draw none.
        """
        picture, words = self.mix(*mixed)
        if words:
            raise Mistake(words)
        name = file_name(parse_scene(picture.info[KEY]))
        return new_file(name, encode_pil_to_bytes(enlarged(picture, int(side)), "png"))

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
        model: str = "",
    ) -> tuple[Picture, Picture, Picture, str]:
        """Face A, the mix, face B; what is wrong."""
        bands = shape, features, texture
        mixed, words = self.mix(seed_a, seed_b, weight, psi, own, face, *bands, layers, model)
        (a, b), _ = self.draw((seed_a, seed_b), [0.0, 1.0], psi, own, face, model=model)
        return a, mixed, b, words

    def strip(
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
        model: str = "",
    ) -> tuple[list[Picture] | dict, str]:
        """Eleven mixes, with weights from 0 to 1; what is wrong."""
        weights = [step / STEPS for step in range(STEPS + 1)]
        bands = shape, features, texture
        how = psi, own, face, bands, layers, model
        pictures, words = self.draw((seed_a, seed_b), weights, *how)
        return gr.skip() if words else pictures, words


def layer_names(config: GeneratorConfig) -> list[str]:
    """Of the places in ws, in their order."""
    names = {place: name for name, places in style_bands(config).items() for place in places}
    short = {place: name.partition(" ")[0] for place, name in names.items()}
    if config.generation == 3:
        short[0] = "place, angle"
    return [f"{place}: {short[place]}" for place in sorted(short)]


def weight_of(event: gr.SelectData) -> float:
    """The mixing weight of a face on the film strip."""
    return event.index / STEPS


def layers_shown(model: Model) -> list[dict[str, str | bool]]:
    """Label of every layer's control, and whether this network has that layer."""
    names = layer_names(model.G.config)[:MOST_LAYERS]
    rest = [dict(label="", visible=False)] * (MOST_LAYERS - len(names))
    return [dict(label=name, visible=True) for name in names] + rest


def good_faces(model: Model) -> tuple[list[int], list[np.ndarray]]:
    """Seeds to choose from, of the first kind and then of the last, and their faces."""
    first, last = good_seeds(model.domains, SHOWN)
    return first + last, list(model.draw_many(model.styles(first + last, PSI, own=True)))


class MixTab(NamedTuple):
    """What other tabs use: the controls, which take what `playground.share.scene_values` gives, the
    key of the model among them, the visitor's own face, the words beside the mix, and how it is
    drawn again."""

    controls: list[gr.Component]
    model: gr.Textbox
    face: gr.State
    words: gr.Markdown
    redraw: Callable[[Callable], None]  # connects an event: redraw(event.then)


def mix_tab(models: Models, demo: gr.Blocks) -> MixTab:
    """Lay out the tab and connect it."""
    mixer, scene = Mixer(models), first_scene(models.own)
    _, good = good_faces(models.own)

    def seed_of(model: str, event: gr.SelectData) -> int:
        """The seed of a face among the good ones."""
        first, last = good_seeds(models[model].domains, SHOWN)
        return [*first, *last][event.index]

    def side(letter: str, seed: int) -> tuple[gr.Component, ...]:
        image = face_image(WORDS(f"face_{letter}"), f"face-{letter}", ["fullscreen"])
        number = SeedBox(seed, label=WORDS(f"seed_{letter}"), placeholder=WORDS("own_seed"))
        wrong = gr.Markdown(elem_id=f"seed-{letter}-words", elem_classes="wrong")
        dice = gr.Button(WORDS(f"another_{letter}"))
        faces = face_strip(WORDS("good_faces"), SHOWN, f"good-{letter}", good)
        return image, number, wrong, dice, faces

    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=140):
            image_a, seed_a, wrong_a, dice_a, good_a = side("a", scene.a)
        with gr.Column(scale=3, min_width=260, elem_classes="first-if-narrow"):
            with gr.Column(elem_classes="stays"):
                image_mix = face_image(WORDS("the_mix"), "face-mix", ["fullscreen"])
            weight = BoundedSlider(
                0,
                1,
                scene.weight,
                step=0.01,
                label=WORDS("weight"),
                info=WORDS("weight_info"),
                elem_id="weight",
            )
            words = gr.Markdown(elem_id="mix-words")
            with gr.Accordion(WORDS("bands"), open=False) as banded:
                gr.Markdown(WORDS("bands_info"))
                offset = dict(minimum=-1, maximum=1, value=0, step=0.01)
                with gr.Row():
                    bands = [
                        BoundedSlider(
                            label=WORDS(f"band_{i}"), min_width=130, elem_id=f"band-{i}", **offset
                        )
                        for i in range(len(BANDS))
                    ]
                with gr.Accordion(WORDS("layers"), open=False) as layered:
                    gr.Markdown(WORDS("layers_info"))
                    with gr.Row():
                        single = [
                            BoundedSlider(min_width=160, elem_id=f"layer-{i}", **offset, **shown)
                            for i, shown in enumerate(layers_shown(models.own))
                        ]
                level = gr.Button(WORDS("bands_off"), size="sm")
        with gr.Column(scale=2, min_width=140):
            image_b, seed_b, wrong_b, dice_b, good_b = side("b", scene.b)
    film = face_strip(WORDS("strip"), STEPS + 1, "film")
    with gr.Row():
        psi, own = psi_slider("psi"), own_checkbox(models.own, "own")
    with gr.Row(equal_height=True):
        save = gr.Button(WORDS("save_mix"), min_width=140)
        width = gr.Radio(
            SIDES, value="512", label=WORDS("save_side"), min_width=220, elem_id="save-side"
        )
        share = gr.Button(WORDS("share_mix"), min_width=140)
    shared = gr.Markdown(elem_id="shared")
    file = File(visible="hidden", label="Saved")
    with gr.Accordion(WORDS("open_saved"), open=False):
        gr.Markdown(WORDS("share_info"))
        saved = File(label=WORDS("saved_mix"), file_types=[".png"], height=120, elem_id="saved")

    face = gr.State()
    # One hidden value for all layers: twelve more inputs of an event would take 10 ms, and most
    # people never open that part.
    layers = gr.JSON([], visible=False, label="Layers")
    model = gr.Textbox("", visible="hidden", label="Model", elem_id="model-key")
    offsets = [*bands, layers]
    told = [seed_a, seed_b, weight, psi, own, *offsets, model]
    controls = [*told[:-2], model, layers, *single]
    inputs, strips = [*told[:5], face, *offsets, model], [seed_a, seed_b, psi, own, face]
    strips += [*offsets, model]
    outputs = [image_a, image_mix, image_b, wrong_a, wrong_b, words]
    private = {"api_visibility": "private", **LIVE}

    images = [image_a, image_mix, image_b]
    offer(or_raise(mixer.mix), inputs, image_mix, "mix", queue=False)
    offer(or_raise(mixer.faces), inputs, images, "faces", queue=False)
    offer(or_raise(mixer.strip), strips, film, "strip", queue=False)

    def beside(words: str) -> list[str]:
        """Of what is wrong, what belongs below seed A, below seed B and below the mix."""
        whose = [letter for letter in "AB" if words.startswith(f"Seed {letter}")]
        return [words * (place in whose) for place in "AB"] + [words * (not whose)]

    def faces(*values: object) -> list[Picture | str]:
        *pictures, words = mixer.faces(*values)
        return [*pictures, *beside(words)]

    def mix(*values: object) -> tuple[Picture, str]:
        picture, words = mixer.mix(*values)
        return picture, beside(words)[-1]

    def strip(*values: object) -> list[Picture] | dict:
        return mixer.strip(*values)[0]

    def redraw(then: Callable) -> None:
        """After an event that changed what is mixed."""
        drawn = then(faces, inputs, outputs, **private)
        tell(drawn)
        drawn.then(strip, strips, film, **private)

    def tell(drawn: gr.events.Dependency) -> None:
        """The address follows the pictures, for which nobody should wait longer."""
        drawn.then(None, told, js=ADDRESS)

    def opened(request: gr.Request) -> list:
        return from_address(request, models)

    def dropped(path: str | None) -> list:
        values, found = from_picture(path, models)
        return [*values, found]

    def unfold(*offsets: float | list[float]) -> list[gr.Accordion | dict]:
        """What moves the mix is seen."""
        *bands, layers = offsets
        moved = any(bands) or any(layers), any(layers)
        return [gr.Accordion(open=True) if is_moved else gr.skip() for is_moved in moved]

    def changed(model: str) -> list:
        """What is shown of another model."""
        now = models[model]
        _, faces = good_faces(now)
        sliders = [gr.Slider(**shown) for shown in layers_shown(now)]
        return [faces, faces, gr.Checkbox(**own_shown(now)), *sliders]

    # The strip always follows, never beside: two events of one control, each waiting for its last
    # value, would go on waking each other for ever.
    tell(weight.input(mix, inputs, [image_mix, words], **private))
    changes = [seed_a.input, seed_b.input, psi.input, own.input]
    redraw(partial(gr.on, changes))
    moved = gr.on([x.input for x in bands], mix, inputs, [image_mix, words], **private)
    tell(moved)
    moved.then(strip, strips, film, **private)
    turned = gr.on(
        [x.input for x in single], lambda *values: list(values), single, layers, **private
    )
    redraw(turned.then)
    warns = {"api_visibility": "private", "show_progress": "hidden"}  # so it must be queued
    dropping = saved.upload(dropped, saved, [*controls, face], **warns)
    dropping.then(lambda: None, None, saved, **private)  # so that another can be dropped
    for restored in (demo.load(opened, None, controls, **warns), dropping):
        redraw(restored.then)
        restored.then(unfold, offsets, [banded, layered], **private)
    levelled = [*bands, layers, *single]
    redraw(level.click(lambda: [*NO_BANDS, *layer_values(())], None, levelled, **private).then)
    model.change(changed, model, [good_a, good_b, own, *single], **private)
    for dice, row, seed in ((dice_a, good_a, seed_a), (dice_b, good_b, seed_b)):
        gr.on([dice.click, row.select], None, None, words, js=SAY_DRAWING)
        redraw(dice.click(roll, None, seed, **private).then)
        redraw(row.select(seed_of, model, seed, **private).then)
    taken = film.select(weight_of, None, weight, **private)
    tell(taken.then(mix, inputs, [image_mix, words], **private))
    how = {"api_visibility": "private", "queue": False, "show_progress_on": save}
    made = save.click(mixer.save, [width, *inputs], file, **how)
    made.success(None, file, None, js=KEEP)
    share.click(None, None, shared, js=SHARE)
    return MixTab(controls, model, face, words, redraw)
