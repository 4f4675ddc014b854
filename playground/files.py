"""Components that read files of visitors, and no others, and write pictures whole.

Gradio looks only at those files of a message that are marked as such; a program can leave out the
mark and name any file of this machine. And it names a picture's file by what is in it and writes it
again for everyone who gets that picture, while others are reading it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile, mkdtemp

import gradio as gr
import numpy as np
from gradio.components.gallery import GalleryData
from gradio.data_classes import FileData, GradioModel, GradioRootModel, ImageData
from gradio.exceptions import InvalidPathError
from gradio.processing_utils import encode_pil_to_bytes, hash_bytes
from gradio.utils import get_upload_folder
from PIL import Image
from pydantic import ValidationError

from playground.mistake import Mistake

MOST_PIXELS = 1024 * 1024  # of a face that comes back from a visitor


def paths_in(message: object) -> Iterator[str]:
    """Of all files that a message names, however deep."""
    if isinstance(message, dict):
        if isinstance(message.get("path"), str):
            yield message["path"]
        message = list(message.values())
    if isinstance(message, list | tuple):
        for part in message:
            yield from paths_in(part)


def only_uploaded(message: GradioModel | GradioRootModel | None) -> None:
    """Raises Mistake for a file that did not come through the page and was not made by it."""
    folder = Path(get_upload_folder()).resolve()
    for path in paths_in(message.model_dump() if message else None):
        if not Path(path).resolve().is_relative_to(folder):
            raise Mistake(f"{Path(path).name} was not uploaded: upload it first.")


def tell_of_files(page: gr.Blocks) -> None:
    """What Gradio itself answers when a message names a file that was not uploaded has no words."""
    read = page.preprocess_data

    async def told(*message: object, **more: object) -> list:
        try:
            return await read(*message, **more)
        except InvalidPathError as e:
            raise Mistake("A file of this message was not uploaded: upload it first.") from e

    page.preprocess_data = told


def only_small(message: ImageData | None) -> None:
    """Raises Mistake for a picture larger than a face can be, or none, before it is decoded."""
    paths = list(paths_in(message.model_dump() if message else None))
    if message and not paths:
        raise Mistake("This names no picture: upload one first.")
    for path in paths:
        name = Path(path).name
        try:
            with Image.open(path) as image:
                pixels = image.width * image.height
        except Exception as e:  # a damaged file can raise almost anything from its decoder
            raise Mistake(f"{name} is no picture.") from e
        if pixels > MOST_PIXELS:
            raise Mistake(f"{name} is larger than a face of this page.")


def kept(picture: np.ndarray | Image.Image | str | None, folder: str) -> str | None:
    """Path of a picture as PNG in a folder, written in one step; what has a path keeps it."""
    if picture is None or isinstance(picture, str):
        return picture
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    data = encode_pil_to_bytes(image, "png")
    path = Path(folder) / hash_bytes(data) / "image.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    os.replace(file.name, path)
    return str(path)


def new_file(name: str, data: bytes) -> str:
    """Path of a file of this name, which the page may give to visitors and removes later."""
    folder = Path(get_upload_folder())
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(mkdtemp(dir=folder)) / name
    path.write_bytes(data)
    return str(path)


class Sent(ImageData):
    """A picture of a message."""

    @classmethod
    def model_validate(cls, obj: object, **how: object) -> "Sent":
        """Raises: Mistake for what names none, as a path alone does."""
        try:
            return super().model_validate(obj, **how)
        except ValidationError as e:
            raise Mistake(
                "A picture is sent as a file: from Python with gradio_client.handle_file(path)."
            ) from e


class Picture(gr.Image):
    """A picture: sent as PNG, received as an array."""

    is_template = True  # drawn in the browser as its parent is
    data_model = Sent

    def preprocess(self, payload: ImageData | None) -> np.ndarray | None:
        only_uploaded(payload)
        only_small(payload)
        return super().preprocess(payload)

    def postprocess(self, value: np.ndarray | Image.Image | str | None) -> ImageData | None:
        return super().postprocess(kept(value, self.GRADIO_CACHE))


class Pictures(gr.Gallery):
    """Several pictures: sent as PNG, received as paths."""

    is_template = True

    def postprocess(self, value: list[np.ndarray | Image.Image | str] | None) -> GalleryData:
        return super().postprocess([kept(picture, self.GRADIO_CACHE) for picture in value or []])

    def preprocess(self, payload: GalleryData | None) -> list[tuple[str, None]] | None:
        only_uploaded(payload)
        return super().preprocess(payload)


class File(gr.File):
    """A file, as its path."""

    is_template = True

    def preprocess(self, payload: FileData | None) -> str | None:
        only_uploaded(payload)
        return super().preprocess(payload)


class PictureFile(gr.Image):
    """A picture, as the path of the visitor's file as it is.

    gr.Image opens it first and shows a bare error for what it cannot open; this leaves that to
    `preprocessing.read.read_image`, which opens it safely and with a sentence.
    """

    is_template = True
    data_model = Sent

    def preprocess(self, payload: ImageData | None) -> str | None:
        only_uploaded(payload)
        return payload and payload.path
