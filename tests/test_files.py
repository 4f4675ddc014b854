"""Which files of the machine a visitor's message may name."""

from pathlib import Path

import gradio as gr
import pytest
from gradio.components.gallery import GalleryData, GalleryImage
from gradio.data_classes import FileData, ImageData
from PIL import Image

from playground.files import File, Picture, PictureFile, Pictures


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads" / "a").mkdir(parents=True)
    for name in ("uploads/a/mine.png", "secret.png"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / name)
    (tmp_path / "uploads" / "link.png").symlink_to(tmp_path / "secret.png")
    return tmp_path


def test_what_was_uploaded_is_read(folder):
    path = str(folder / "uploads" / "a" / "mine.png")
    assert Picture().preprocess(ImageData(path=path)).shape == (8, 8, 3)
    assert PictureFile().preprocess(ImageData(path=path)) == path
    assert Path(File().preprocess(FileData(path=path))) == Path(path)
    gallery = GalleryData(root=[GalleryImage(image=ImageData(path=path))])
    assert len(Pictures().preprocess(gallery)) == 1
    assert Picture().preprocess(None) is None


@pytest.mark.parametrize("name", ["secret.png", "uploads/../secret.png", "uploads/link.png"])
def test_no_other_file_is_read(folder, name):
    """Not by a longer way to it nor through a link."""
    file = str(folder / name)
    gallery = GalleryData(root=[GalleryImage(image=ImageData(path=file))])
    for component, message in (
        (Picture(), ImageData(path=file)),
        (PictureFile(), ImageData(path=file)),
        (File(), FileData(path=file)),
        (Pictures(), gallery),
    ):
        with pytest.raises(gr.Error, match=r"(secret|link).png was not uploaded"):
            component.preprocess(message)
