"""One unit of work: which faces of a picture are taken, and what is written of them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from preprocessing.config import PrepareConfig
from preprocessing.inputs import Source
from preprocessing.resume import Work
from preprocessing.unit import Item, Unit, choose, png, search


def config(tmp_path, **more):
    return PrepareConfig((), tmp_path / "out", **more)


@pytest.fixture(scope="module")
def couple():
    """A large face on the left, one of two thirds on the right; nothing else."""
    face = Image.fromarray(data.astronaut()).crop((120, 0, 330, 210))
    picture = Image.new("RGB", (420, 210), "gray")
    picture.paste(face, (0, 0))
    picture.paste(face.resize((150, 150)), (240, 20))
    return np.array(picture)


def test_each_face_or_the_largest_or_one_crop_of_all(couple, tmp_path):
    def chosen(**more):
        faces = choose(couple, config(tmp_path, size=64, **more))
        return [face.box for face, _ in faces], [reason for _, reason in faces]

    (large, small), reasons = chosen()
    assert reasons == [None, None] and large.x < 210 < small.x and large.size > small.size
    assert chosen(faces="largest") == ([large, small], [None, "not the largest face"])
    (both,), (reason,) = chosen(faces="union")
    assert both.x == large.x and both.x + both.size == small.x + small.size
    assert reason == "too close to the picture's edge"


def test_smaller_faces_are_told_only_where_there_is_none_of_use(couple, tmp_path):
    sizes = [face.box.size for face, _ in choose(couple, config(tmp_path, size=64))]
    needed = config(tmp_path, size=128).needed
    assert sizes[1] < needed <= sizes[0] + 20
    small = couple[:, 220:]
    ((_, reason),) = choose(small, config(tmp_path, size=128))
    assert reason == "too small for 128 pixels"
    assert choose(small, config(tmp_path, size=128, min_face=needed)) == []


def test_rows_and_files_of_a_unit(couple, tmp_path):
    settings = config(tmp_path, size=32, min_sharpness=99.0, faces="largest", grayscale=True)
    work = Work(settings.out, settings.settings())
    items = [
        Item("000003", {"source": "film.mkv", "time": 2.5, "frame": 60}, image=couple),
        Item("000004", {"source": "film.mkv", "time": 3.0}, image=np.zeros((64, 64, 3), np.uint8)),
    ]
    assert search(Unit("000/000000", "film", items), settings, work).num_pictures == 2
    first, second, none = work.rows("000/000000")
    assert first["file"] == "rejected/film/000003-1.png" and first["reason"] == "blurred"
    assert second["file"] == "rejected/film/000003-2.png"
    assert second["reason"] == "not the largest face"
    assert (first["label"], first["time"], first["frame"]) == ("film", 2.5, 60)
    assert none == {"source": "film.mkv", "time": 3.0, "reason": "no face found"}
    with Image.open(settings.out / first["file"]) as image:
        assert image.mode == "L" and image.size == (32, 32)


def test_a_crop_is_written_without_loss(couple):
    crop = couple[:64, :64]
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(png(crop, False)))), crop)


def test_a_picture_that_has_gone_since_the_plan_was_made_is_told(tmp_path):
    settings = config(tmp_path, size=32)
    work = Work(settings.out, settings.settings())
    gone = Source(str(tmp_path / "gone.jpg"))
    done = search(Unit("a", "a", [Item("000001", {"source": gone.name}, gone)]), settings, work)
    assert done.sentences == [f"{tmp_path}/gone.jpg cannot be opened (No such file or directory)"]
    (row,) = work.rows("a")
    assert row["reason"] == "unreadable" and Path(row["source"]) == tmp_path / "gone.jpg"
