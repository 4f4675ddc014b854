"""Two faces and the faces between them."""

from collections.abc import Callable
from functools import partial

import gradio as gr
import numpy as np
from gradio.processing_utils import encode_pil_to_bytes
from PIL import Image

from playground.controls import (
    LIVE,
    PSI,
    BoundedSlider,
    SeedBox,
    own_checkbox,
    own_shown,
    psi_slider,
)
from playground.face import face_image, face_strip
from playground.files import File, new_file
from playground.mistake import Mistake, said
from playground.mixing import STEPS, Mixer, Mixing, of_controls, read_scene
from playground.model import Model, Models
from playground.programs import offer
from playground.scene import enlarged, file_name
from playground.seeds import good_seeds, roll
from playground.share import (
    ADDRESS,
    KEEP,
    MOST_LAYERS,
    SHARE,
    first_scene,
    from_address,
    from_picture,
    layer_values,
)
from playground.words import DRAWING, WORDS
from stylegan.config import GeneratorConfig
from stylegan.specs import BANDS, style_bands

SIDES = 512, 1024  # pixels of a saved picture, beside the width that the model draws
SHOWN = 6  # good seeds of a kind beside each face

SAY_DRAWING = f"() => '{DRAWING}'"  # in the browser, at once

# uint8 (H, W, 3), one that says how it was mixed, or gr.skip() to leave the one that is shown
Picture = np.ndarray | Image.Image | dict


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


def sides_shown(model: Model) -> dict[str, str | list[str]]:
    """Widths of a saved picture, the model's own among them, and which is chosen at first."""
    own = model.G.img_resolution
    sides = [str(side) for side in sorted({own, *SIDES})]
    return dict(choices=sides, value=str(max(own, SIDES[0])))


def good_faces(model: Model) -> tuple[list[int], list[np.ndarray]]:
    """Seeds to choose from, of the first kind and then of the last, and their faces."""
    first, last = good_seeds(model.domains, SHOWN)
    return first + last, list(model.draw_many(model.styles(first + last, PSI, own=True)))


def beside(words: str) -> list[str]:
    """Of what is wrong, what belongs below seed A, below seed B and below the mix."""
    whose = [letter for letter in "AB" if words.startswith(f"Seed {letter}")]
    return [words * (place in whose) for place in "AB"] + [words * (not whose)]


def mix_tab(models: Models, demo: gr.Blocks) -> Mixing:
    """Lay out the tab and connect it.

    While somebody types, Gradio would drop the value that follows an error: what is wrong is
    returned as a sentence.
    """
    mixer, scene = Mixer(models), first_scene(models.own)
    _, good = good_faces(models.own)

    def seed_of(model: str, event: gr.SelectData) -> int:
        """The seed of a face among the good ones."""
        first, last = good_seeds(models[model].domains, SHOWN)
        return [*first, *last][event.index]

    def side(letter: str, seed: int) -> tuple[gr.Component, ...]:
        image = face_image(WORDS(f"face_{letter}"), f"face-{letter}", ["fullscreen"])
        number = SeedBox(
            seed,
            label=WORDS(f"seed_{letter}"),
            placeholder=WORDS("own_seed"),
            elem_classes="seed",
        )
        wrong = gr.Markdown(elem_id=f"seed-{letter}-words", elem_classes="wrong")
        with gr.Row():
            dice = gr.Button(WORDS(f"another_{letter}"), min_width=110)
            save = gr.Button(WORDS(f"save_{letter}"), min_width=90)
        faces = face_strip(WORDS("good_faces"), SHOWN, f"good-{letter}", good)
        return image, number, wrong, dice, save, faces

    wrong_address = gr.Markdown(elem_id="address-words", elem_classes="wrong")
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=140):
            image_a, seed_a, wrong_a, dice_a, save_a, good_a = side("a", scene.a)
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
            image_b, seed_b, wrong_b, dice_b, save_b, good_b = side("b", scene.b)
        with gr.Column(min_width=2000):  # in a line of its own, and the mix stays above it
            film = face_strip(WORDS("strip"), STEPS + 1, "film")
            wrong_film = gr.Markdown(elem_id="strip-words", elem_classes="wrong")
            with gr.Row():
                psi, own = psi_slider("psi"), own_checkbox(models.own, "own")
    with gr.Row(equal_height=True):
        save_mix = gr.Button(WORDS("save_mix"), min_width=140)
        width = gr.Radio(
            label=WORDS("save_side"),
            min_width=220,
            elem_id="save-side",
            **sides_shown(models.own),
        )
        share = gr.Button(WORDS("share_mix"), min_width=140)
    shared = gr.Markdown(elem_id="shared")
    file = File(visible="hidden", label="Saved")
    with gr.Accordion(WORDS("open_saved"), open=False):
        gr.Markdown(WORDS("share_info"))
        saved = File(label=WORDS("saved_mix"), file_types=[".png"], height=120, elem_id="saved")
        wrong_saved = gr.Markdown(elem_id="saved-words", elem_classes="wrong")

    face = gr.State()
    # One hidden value for all layers: twelve more inputs of an event would take 10 ms, and most
    # people never open that part.
    layers = gr.JSON([], visible=False, label="Layers")
    model = gr.Textbox("", visible="hidden", label="Model", elem_id="model-key")
    offsets = [*bands, layers]
    told = [seed_a, seed_b, weight, psi, own, *offsets, model]
    controls = [*told[:-2], model, layers, *single]
    inputs = [*told[:5], face, *offsets, model]  # of `read_scene`
    outputs = [image_a, image_mix, image_b, wrong_a, wrong_b, words]
    private = {"api_visibility": "private", **LIVE}

    images = [image_a, image_mix, image_b]
    offer(of_controls(mixer.mix), inputs, image_mix, "mix", queue=False)
    offer(of_controls(mixer.faces), inputs, images, "faces", queue=False)
    strips = [control for control in inputs if control is not weight]
    offer(of_controls(mixer.strip, ["weight"]), strips, film, "strip", queue=False)

    def faces(*held: object) -> list[Picture | str]:
        try:
            return [*mixer.faces(*read_scene(*held)), *beside("")]
        except gr.Error as e:
            return [gr.skip(), gr.skip(), gr.skip(), *beside(e.message)]

    def mix(*held: object) -> tuple[Picture, str]:
        try:
            return mixer.mix(*read_scene(*held)), ""
        except gr.Error as e:
            return gr.skip(), beside(e.message)[-1]

    def strip(*held: object) -> tuple[list[Picture] | dict, str]:
        try:
            return mixer.strip(*read_scene(*held)), ""
        except Mistake:  # it is said beside the mix
            return gr.skip(), ""
        except gr.Error as e:  # others draw
            return gr.skip(), e.message

    def save(letter: str, side: str, *held: object) -> tuple[str | None, str]:
        """Path of a PNG of the mix or of the one face with this letter, `side` pixels wide, or why
        there is none."""
        try:
            scene, face = read_scene(*held)
            scene = scene.alone(letter) if letter else scene
            picture = enlarged(mixer.mix(scene, face), int(side))
        except gr.Error as e:
            return None, e.message
        return new_file(file_name(scene), encode_pil_to_bytes(picture, "png")), ""

    def redraw(then: Callable) -> None:
        """After an event that changed what is mixed."""
        drawn = then(faces, inputs, outputs, **private)
        tell(drawn)
        drawn.then(strip, inputs, [film, wrong_film], **private)

    def tell(drawn: gr.events.Dependency) -> None:
        """The address follows the pictures, for which nobody should wait longer; what was said of
        the mix before goes."""
        drawn.then(None, told, shared, js=ADDRESS)

    def opened(request: gr.Request) -> list:
        values, wrong = from_address(request, models)
        return [*values, wrong]

    def dropped(path: str | None) -> list:
        values, found = from_picture(path, models)
        return [*values, found, ""]

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
        width = gr.Radio(**sides_shown(now))
        return [faces, faces, gr.Checkbox(**own_shown(now)), width, *sliders]

    # The strip always follows, never beside: two events of one control, each waiting for its last
    # value, would go on waking each other for ever.
    tell(weight.input(mix, inputs, [image_mix, words], **private))
    changes = [seed_a.input, seed_b.input, psi.input, own.input]
    redraw(partial(gr.on, changes))
    moved = gr.on([x.input for x in bands], mix, inputs, [image_mix, words], **private)
    tell(moved)
    moved.then(strip, inputs, [film, wrong_film], **private)
    turned = gr.on(
        [x.input for x in single], lambda *values: list(values), single, layers, **private
    )
    redraw(turned.then)
    queued = {"api_visibility": "private", "show_progress": "hidden"}  # a model may be fetched
    whole = [*controls, face]
    dropping = saved.upload(said(dropped, len(whole)), saved, [*whole, wrong_saved], **queued)
    dropping.then(lambda: None, None, saved, **private)  # so that another can be dropped
    loaded = demo.load(opened, None, [*controls, wrong_address], **queued)
    for restored in (loaded, dropping):
        redraw(restored.then)
        restored.then(unfold, offsets, [banded, layered], **private)
    left = [*changes, weight.release, dice_a.click, dice_b.click, good_a.select, good_b.select]
    gr.on(left, None, None, wrong_address, js="() => ''")  # this mix is the visitor's own
    levelled = [*bands, layers, *single]
    redraw(level.click(lambda: [0, 0, 0, *layer_values(())], None, levelled, **private).then)
    model.change(changed, model, [good_a, good_b, own, width, *single], **private)
    for dice, row, seed in ((dice_a, good_a, seed_a), (dice_b, good_b, seed_b)):
        gr.on([dice.click, row.select], None, None, words, js=SAY_DRAWING)
        redraw(dice.click(roll, None, seed, **private).then)
        redraw(row.select(seed_of, model, seed, **private).then)
    taken = film.select(weight_of, None, weight, **private)
    tell(taken.then(mix, inputs, [image_mix, words], **private))
    saves = ("", save_mix, shared), ("A", save_a, wrong_a), ("B", save_b, wrong_b)
    for letter, button, below in saves:
        how = {"api_visibility": "private", "queue": False, "show_progress_on": button}
        made = button.click(partial(save, letter), [width, *inputs], [file, below], **how)
        made.success(None, file, None, js=KEEP)
    share.click(None, [seed_a, seed_b, wrong_a, wrong_b, words], shared, js=SHARE)
    return Mixing(controls, model, face, words, redraw)
