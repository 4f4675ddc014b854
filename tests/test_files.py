"""Which files of the machine a visitor's message may name."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio as gr
import numpy as np
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


def test_a_face_is_no_larger_than_faces_are(folder):
    """Nothing of a larger one is decoded, and a file that is none is named."""
    Image.new("1", (20_000, 5_000)).save(folder / "uploads" / "a" / "large.png")
    (folder / "uploads" / "a" / "none.png").write_text("Dear all")
    for name, sentence in (("large", "large.png is larger than"), ("none", "none.png is no pic")):
        with pytest.raises(gr.Error, match=sentence):
            Picture().preprocess(ImageData(path=str(folder / "uploads" / "a" / f"{name}.png")))
    with pytest.raises(gr.Error, match="names no picture"):
        Picture().preprocess(ImageData(url="https://example.org/a.png"))


def test_a_picture_is_whole_whenever_it_is_read(folder):
    """Four write the same one again and again, as for four visitors, and one reads it."""
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    picture = Picture()
    path, until = picture.postprocess(noise).path, time.monotonic() + 1

    def write() -> set[str]:
        found = set()
        while time.monotonic() < until:
            found.add(picture.postprocess(noise).path)
        return found

    reads = 0
    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write) for _ in range(4)]
        while time.monotonic() < until:
            with Image.open(path) as image:
                np.testing.assert_array_equal(np.asarray(image), noise)
            reads += 1
    assert reads > 10 and all(writer.result() == {path} for writer in writers)
    assert [file.name for file in Path(path).parent.iterdir()] == ["image.png"]


def test_what_is_written_in_a_picture_is_sent_with_it(folder):
    picture = Image.new("RGB", (8, 8))
    picture.info["Scene"] = "a=1"
    with Image.open(Picture().postprocess(picture).path) as sent:
        assert sent.format == "PNG" and sent.info["Scene"] == "a=1"
    gallery = Pictures().postprocess([picture, np.zeros((8, 8, 3), np.uint8)])
    assert len(gallery.root) == 2 and Path(gallery.root[1].image.path).is_file()
    assert Picture().postprocess(None) is None and Pictures().postprocess(None).root == []
