"""Small pictures on sheets, and a choice of various ones."""

import io

import numpy as np
import pytest
from PIL import Image

from preprocessing.judge import describe
from preprocessing.thumbnails import COLUMNS, ON_SHEET, Thumbnails, most_various


@pytest.fixture
def colours(tmp_path):
    """70 pictures of one colour each, the last of which is no picture."""
    paths = [tmp_path / f"{number}.png" for number in range(70)]
    for number, path in enumerate(paths[:-1]):
        Image.new("RGB", (32, 32), (number * 3, 255 - number * 3, 90)).save(path)
    paths[-1].write_text("no picture")
    return paths


def test_a_sheet_shows_faces_in_the_order_asked_for(colours):
    faces = [5, 68, 5, 30, 0, 69, 1, 2, 3, 40]
    thumbnails = Thumbnails(colours, 32)
    sheet = np.asarray(Image.open(io.BytesIO(thumbnails.sheet(faces))).convert("RGB"))
    assert sheet.shape == (ON_SHEET // COLUMNS * 32, COLUMNS * 32, 3)
    for at, face in enumerate(faces):
        row, column = divmod(at, COLUMNS)
        pixel = sheet[row * 32 + 16, column * 32 + 16].astype(int)
        wanted = [128, 128, 128] if face == 69 else [face * 3, 255 - face * 3, 90]
        assert np.abs(pixel - wanted).max() <= 4, face


def test_a_picture_is_read_once(colours):
    thumbnails = Thumbnails(colours, 32)
    first = thumbnails.sheet([3, 4])
    colours[3].unlink()
    assert thumbnails.sheet([3, 4]) == first


def test_large_faces_are_shown_small(tmp_path):
    Image.new("L", (256, 256), 200).save(tmp_path / "a.png")
    assert Thumbnails([tmp_path / "a.png"], 256).take([0]).shape == (1, 96, 96, 3)


def test_a_description_is_what_the_face_looks_like(colours):
    points = Thumbnails(colours, 32).describe([0, 10])
    assert points.shape == (2, 192)
    np.testing.assert_allclose(points[1], describe(np.asarray(Image.open(colours[10]))), atol=0.005)
    assert abs(points[0] - points[1]).max() > 0.03


def test_the_most_various_are_the_corners():
    corners = np.array([[0, 0], [0, 9], [9, 0], [9, 9]], np.float32)
    points = np.concatenate([corners, corners + 0.1, [[4.6, 4.6]]]).astype(np.float32)
    chosen = most_various(points, 5, given=[])
    assert chosen[0] == 8  # the middle one
    assert {i % 4 for i in chosen[1:]} == {0, 1, 2, 3}


def test_given_ones_come_first_and_no_row_comes_twice():
    points = np.zeros((6, 3), np.float32)
    chosen = most_various(points, 6, given=[4, 2])
    assert chosen[:2] == [4, 2]
    assert sorted(chosen) == list(range(6))
