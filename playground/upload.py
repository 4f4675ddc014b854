"""A visitor's own picture: the face in it, cropped as the training data was, found and mixed."""

import gradio as gr
import numpy as np
from gradio.data_classes import ImageData

from playground.controls import PSI, BoundedSlider
from playground.face import face_image, face_strip
from playground.find import Finder
from playground.mix import LIVE, SHOWN
from playground.model import Model
from playground.seeds import good_seeds

MIN_FACE = 24  # pixels; smaller than the training command takes, because here nothing is learnt


class PictureFile(gr.Image):
    """An image input that hands over the visitor's file as it is.

    gr.Image opens it first and shows a bare error for what it cannot open; here `read_image` opens
    it, safely and with a sentence.
    """

    is_template = True  # drawn in the browser as its parent is

    def preprocess(self, payload: ImageData | None) -> str | None:
        return payload and payload.path


def crop_upload(path: str | None, size: int) -> tuple[np.ndarray | None, str]:
    """The largest face of a picture file as uint8 (size, size, 3), and a sentence about it.

    Without a file both are empty. If there is no face in it, it is not a picture, or OpenCV cannot
    be loaded, the picture is None and the sentence says so.
    """
    if path is None:
        return None, ""
    try:  # OpenCV asks for system libraries that a server may lack; the page opens without them
        from preprocessing.crop import crop_face
        from preprocessing.detect import detect_faces
        from preprocessing.read import read_image
    except ImportError as e:
        return None, f"OpenCV cannot be loaded ({e}); on Debian: apt install libgl1."
    try:
        image = read_image(path)
    except ValueError as e:
        return None, f"{e}. Try another picture."
    boxes = detect_faces(image, MIN_FACE)
    if not boxes:
        return None, (
            "No face was found. The detector knows upright faces that look at the camera: "
            "try another picture, or more light."
        )
    which = "One face was found." if len(boxes) == 1 else f"The largest of {len(boxes)} faces."
    scale = f"{boxes[0].size} pixels wide in your picture, cropped to {size}x{size}."
    return crop_face(image, boxes[0], size), f"{which} It is {scale}"


def upload_tab(model: Model) -> None:
    """Lay out the tab and connect it."""
    size, finder = model.G.img_resolution, Finder(model)
    first, last = good_seeds(model.domains, SHOWN)
    good = first + last
    strip = list(model.draw_many(model.styles(good, PSI, own=True)))

    def crop(path: str | None) -> tuple[np.ndarray | None, str]:
        """The largest face of a picture, cropped for the network, and a sentence about it."""
        return crop_upload(path, size)

    def seed_of(event: gr.SelectData) -> int:
        """The seed of a face among the good ones."""
        return good[event.index]

    gr.Markdown(
        "The face in your picture is cut out as the training faces were; then the network looks "
        "for the one nearest to it that it can draw, and mixes it with a face of its own."
    )
    with gr.Row():
        with gr.Column(min_width=220):
            picture = PictureFile(
                label="Your picture",
                sources=["upload", "webcam", "clipboard"],
                elem_id="picture",
            )
        with gr.Column(min_width=140):
            face = face_image("Your face", size, "face-upload")
            words = gr.Markdown(elem_id="upload-words")
        with gr.Column(min_width=140):
            mixed = face_image("As the network draws it", size, "face-found")
            find = gr.Button("Find it", variant="primary")
            stop = gr.Button("Stop")
            weight = BoundedSlider(
                0, 1, 0, step=0.01, label="Mixing weight", info="0 is you", elem_id="found-weight"
            )
            others = face_strip("Mix with; click one", SHOWN, "good-found", strip)
    gr.Markdown("Nobody else sees your picture; it is deleted about an hour after your visit.")
    ws, other = gr.State(), gr.State(good[-1])
    hidden = {"api_visibility": "private", **LIVE}
    again = dict(fn=finder.mix, inputs=[ws, other, weight], outputs=mixed, **hidden)
    picture.change(crop, picture, [face, words], api_name="crop", trigger_mode="always_last")
    private = {"api_visibility": "private", "show_progress": "hidden"}
    finding = find.click(lambda: 0, None, weight, **private).then(
        finder.find, face, [mixed, ws], concurrency_limit=1, **private
    )
    stop.click(None, cancels=[finding])
    weight.input(**again)
    others.select(seed_of, None, other, **hidden).then(**again)
