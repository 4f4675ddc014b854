"""A visitor's own picture: the faces in it, cropped as the training data was; one is found.

`prepare` cropped the training data with the same `crop_face`, levelled if `domains.json` says so.
"""

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import numpy as np
from torch import Tensor

from playground.face import face_image, face_strip
from playground.files import PictureFile, Pictures
from playground.find import FOUND, STOPPED, Finder
from playground.limits import Turns
from playground.mistake import Mistake, said
from playground.mixing import Mixing
from playground.model import Models
from playground.programs import offer
from playground.words import LOOKING, WORDS
from preprocessing.read import read_image
from stylegan.memory import give_back_memory

EXAMPLE = Path(__file__).with_name("example.jpg")  # a part of NASA's S93-30645, public domain
MIN_FACE = 24  # pixels; smaller than the training command takes, because here nothing is learnt
MAX_PIXELS, MOST_FACES = 40_000_000, 6  # of a picture; that one can choose from
KEPT_PIXELS = 2_000_000  # after larger ones memory is given back, which slows the next drawing


Cropped = tuple[list[np.ndarray], str]  # uint8 (size, size, 3) each, and a sentence


def crop_upload(path: str | None, size: int, *, level: bool = False) -> Cropped:
    """The faces of a picture file as uint8 (size, size, 3), the largest first, and a sentence.

    `level` turns each until its eyes are level, as the faces were that the network learnt from.
    Without a file both are empty. If there is no face in it, it is not a picture, or OpenCV cannot
    be loaded, there is none and the sentence says so.
    """
    if path is None:
        return [], ""
    try:  # OpenCV asks for system libraries that a server may lack; the page opens without them
        from preprocessing.crop import crop_face
        from preprocessing.detect import find_faces, let_detectors_go
    except ImportError as e:
        return [], f"OpenCV cannot be loaded ({e}); on Debian: apt install libgl1 libglib2.0-0."
    try:
        image = read_image(path, MAX_PIXELS)
    except ValueError as e:
        return [], f"{e}. Try another picture."
    found = find_faces(image, MIN_FACE, "yunet")  # it frames them most alike
    faces = found[:MOST_FACES]
    crops = [crop_face(image, face, size, level=level) for face in faces]
    if image.size > 3 * KEPT_PIXELS:  # what it took is not kept
        del image
        let_detectors_go()
        give_back_memory()
    if not faces:
        return [], (
            "No face was found. The detector knows upright faces that look at the camera: "
            "try another picture, or more light."
        )
    which = (
        "One face was found."
        if len(faces) == 1
        else f"This is the largest of {len(found)} faces; click another to take it."
    )
    scale = f"{faces[0].box.size} pixels wide in your picture, cropped to {size}x{size}."
    return crops, f"{which} It is {scale}"


def upload_tab(models: Models, mix: Mixing, tabs: gr.Tabs) -> None:
    """Lay out the tab and connect it."""
    finder, crops = Finder(models), Turns()
    finder.starts(models.own)  # so that nobody waits for them

    def cropped_by(model: str, path: str | None) -> Cropped:
        """As `crop_upload`, one at a time."""
        chosen = models[model]
        size = chosen.G.img_resolution
        return crops.take(lambda: crop_upload(path, size, level=chosen.level))

    def crop(path: str | None, model: str = "") -> tuple[np.ndarray | None, str, Pictures]:
        """The largest face of a picture, cropped for the network, a sentence, and all its faces."""
        try:
            faces, words = cropped_by(model, path)
        except gr.Error as e:  # it is not its turn
            faces, words = [], e.message
        return faces[0] if faces else None, words, Pictures(faces, visible=len(faces) > 1)

    def faces_of(path: str | None, model: str = "") -> tuple[np.ndarray, str, list[np.ndarray]]:
        """The largest face of a picture, cropped for the network, a sentence, and all its faces."""
        faces, words = cropped_by(model, path)
        if not faces:
            raise Mistake(words or "Give a picture.")
        return faces[0], words, faces

    def choose(faces: list[tuple[str, None]], event: gr.SelectData) -> str:
        """The face that was clicked."""
        return faces[event.index][0]

    def face_found(ws: Tensor | None) -> Tensor:
        """Raises Mistake for none, which only a program can take: the buttons wait for one."""
        if ws is None:
            raise Mistake("No face is found yet: give a picture, then press 'Find it'.")
        return ws

    def stopped(ws: Tensor | None, words: str, model: str) -> tuple:
        """After a search that was still going on. The face is shown once more: Gradio may keep a
        step without handing it over, and what is kept is what is mixed."""
        if ws is None or words.startswith(FOUND):
            return gr.skip(), words
        return models[model].draw(ws)[0], STOPPED

    def shown(picture: np.ndarray | None, ws: Tensor | None, words: str | None) -> tuple:
        """What was found, and the buttons that take it, once something is. All in one answer: an
        answer of their own could come after that of a later picture."""
        return picture, ws, *(gr.Button(interactive=ws is not None) for _ in "AB"), words

    def first(*held: object) -> tuple:
        """In place of what was found for another face, also where nothing is or it is not its turn;
        Gradio asks twice for an upload, so there is no moment without an answer."""
        try:
            return shown(*finder.first(*held))
        except gr.Error as e:
            return shown(None, None, e.message)

    def better(*held: object) -> Iterator[tuple]:
        yield from (shown(*step) for step in finder.find(*held))

    gr.Markdown(WORDS("upload_info"))
    with gr.Row():
        with gr.Column(min_width=220):
            picture = PictureFile(
                label=WORDS("picture"),
                sources=["upload", "webcam", "clipboard"],
                elem_id="picture",
            )
            gr.Examples([str(EXAMPLE)], picture, elem_id="example", label=WORDS("example"))
        with gr.Column(min_width=140):
            face = face_image(WORDS("your_face"), "face-upload")
            words = gr.Markdown(elem_id="upload-words", label="What was found out")
            faces = face_strip(WORDS("faces_in_it"), MOST_FACES, "faces-upload", visible=False)
        with gr.Column(min_width=140):
            found = face_image(WORDS("found"), "face-found")
            how_far = gr.Markdown(elem_id="how-far", label="How far it is")
            find = gr.Button(WORDS("find"), variant="primary")
            stop = gr.Button(WORDS("stop"), interactive=False)
            with gr.Row():
                use_a = gr.Button(WORDS("use_a"), min_width=100, interactive=False)
                use_b = gr.Button(WORDS("use_b"), min_width=100, interactive=False)
    gr.Markdown(WORDS("private"))
    ws = gr.State()
    private = {"api_visibility": "private", "show_progress": "hidden"}
    quick = private | {"queue": False}
    two = {"concurrency_limit": 2, "concurrency_id": "crop"}
    cropped, given_to = [face, words, faces], [picture, mix.model]
    how = {"api_visibility": "private", "trigger_mode": "always_last", **two}
    offer(faces_of, given_to, cropped, "crop", **two)
    given = picture.change(crop, given_to, cropped, **how)
    chosen = faces.select(choose, faces, face, **private)
    searched, one = [face, mix.model], {"concurrency_limit": 1, "concurrency_id": "find"}
    offer(finder.find, searched, [found, ws, how_far], "find", **one)
    result = [found, ws, use_a, use_b, how_far]
    begun = find.click(
        lambda: (gr.Button(interactive=True), LOOKING), None, [stop, how_far], **quick
    )
    finding = begun.then(said(better, 4), searched, result, **private, **one)
    for ended in (finding.then, stop.click):
        ended(lambda: gr.Button(interactive=False), None, stop, **quick)
    halted = [ws, how_far, mix.model], [found, how_far]
    halt = stop.click(stopped, *halted, cancels=[finding], **private)
    halt.then(stopped, *halted, **private)  # Gradio may still hand over a step that was on its way
    mix.take([use_a, use_b], face_found, [ws], tabs)
    for another in (given.then, chosen.then):  # what was found is another face's
        another(first, searched, result, cancels=[finding], **private)
    every = [picture, face, *result]
    mix.model.change(lambda: (None, None, *shown(None, None, None)), None, every, **private)
