"""A visitor's own picture: the face in it, cropped as the training data was."""

import gradio as gr
import numpy as np
from gradio.data_classes import ImageData

from playground.face import face_image

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


def upload_tab(size: int) -> None:
    """Lay out the tab and connect it; `size` is the side of the crop in pixels."""

    def crop(path: str | None) -> tuple[np.ndarray | None, str]:
        """The largest face of a picture, cropped for the network, and a sentence about it."""
        return crop_upload(path, size)

    gr.Markdown("The face in your picture, cut out as the training faces were.")
    with gr.Row():
        with gr.Column():
            picture = PictureFile(
                label="Your picture",
                sources=["upload", "webcam", "clipboard"],
                elem_id="picture",
            )
        with gr.Column():
            face = face_image("Your face", size, "face-upload")
            words = gr.Markdown(elem_id="upload-words")
    picture.change(crop, picture, [face, words], api_name="crop", trigger_mode="always_last")
