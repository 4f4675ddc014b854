"""Films as files, without a browser."""

import dataclasses
import re

import cv2
import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image

from app import build_page
from playground import limits
from playground.film import Films, add_seeds, first_film, players, save_film
from playground.model import Models
from stylegan.images import to_uint8


@pytest.fixture(scope="module")
def films(bundled):
    return Films(Models(bundled))


@pytest.fixture
def frames():
    """Seven frames of one colour each, from dark to light."""
    return np.stack([np.full((32, 32, 3), 30 * i, np.uint8) for i in range(1, 8)])


def shown(path):
    """The first frame of a film, (H, W, 3)."""
    if path.suffix == ".webm":
        return cv2.VideoCapture(str(path)).read()[1][:, :, ::-1]
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize("suffix, side", [("webm", 512), ("gif", 256), ("webp", 512)])
def test_small_frames_are_smoothly_enlarged_and_large_ones_stay(tmp_path, suffix, side):
    """A ramp from left to right is one still, with no steps of the size of the old pixels."""
    path, ramp = tmp_path / f"a.{suffix}", np.linspace(0, 240, 16).astype(np.uint8)
    save_film(np.broadcast_to(ramp[None, None, :, None], (3, 16, 16, 3)).copy(), path, 8)
    assert shown(path).shape == (side, side, 3)
    row = shown(path)[:, side // 4 : -side // 4, 1].astype(float).mean(axis=0)
    assert np.diff(row).max() < 8
    save_film(np.zeros((1, 600, 600, 3), np.uint8), path, 8)
    assert shown(path).shape == (600, 600, 3)


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_pictures_that_move_go_round_for_ever(frames, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    save_film(frames, path, speed=10)
    with Image.open(path) as image:
        assert image.n_frames == 7 and image.info["loop"] == 0
        for i, frame in enumerate(frames):
            image.seek(i)
            image.load()
            assert image.info["duration"] == 100
            assert np.abs(np.asarray(image.convert("RGB")).astype(int) - frame[0, 0]).max() < 12


def test_a_video_has_every_frame_at_its_speed(frames, tmp_path):
    save_film(frames, tmp_path / "a.webm", speed=8)
    video = cv2.VideoCapture(str(tmp_path / "a.webm"))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(8)
    for frame in frames:
        read, found = video.read()
        assert read and np.abs(found[:, :, ::-1].astype(int) - frame[0, 0]).max() < 12
    assert not video.read()[0]


def test_colours_stay_in_their_order(tmp_path):
    red = np.zeros((4, 32, 32, 3), np.uint8)
    red[..., 0] = 200
    save_film(red, tmp_path / "a.webm", speed=8)
    blue, green, first = cv2.VideoCapture(str(tmp_path / "a.webm")).read()[1][16, 16]
    assert first > 150 > 60 > max(blue, green)


@pytest.mark.parametrize("format, shown", [("WebM", 0), ("GIF", 1)])
def test_one_of_both_players_gets_the_film(films, format, shown):
    """While Gradio has not taken it yet; then the file goes."""
    made = films.make("3 8", 2, 10, format, 0.65, False, progress=lambda *args, **how: None)
    path = next(made)
    both = players(path)
    assert [player.visible for player in both] == [i == shown for i in range(2)]
    assert [bool(player.value) for player in both] == [i == shown for i in range(2)]
    assert path.endswith(format.lower())
    assert list(made) == []


def test_the_faces_of_mix_are_added_and_what_is_no_seed_is_left_out():
    assert add_seeds("1, 2", None, 34, 29) == "1, 2, 34, 29"
    with pytest.raises(gr.Error, match="1 to 8 seeds are needed, got 9"):
        add_seeds("1 2 3 4 5 6 7", None, 8, 9)
    assert add_seeds("", None, None, 29.5) == "" and add_seeds("1", None, None, 3) == "1, 3"


def test_a_visitor_s_own_face_is_filmed_as_it_is(films):
    """Whatever psi is; a film of seeds is none of it, and without the face or with another
    model's there is a sentence."""
    face = films.models.own.styles([77], 0.9)
    assert add_seeds("5", face, None, 3) == "5, mine, 3"
    first, *_ = films.frames([None, 8], 2, 0.0, False, face)
    expected = films.models.own.draw(face)[0]
    assert np.abs(first[0].astype(int) - expected).max() <= 1
    both = torch.cat([films.models.own.styles([78], 0.9), face])
    frames = np.concatenate(list(films.frames([8, None, None, None], 2, 0.0, False, both)))
    for place, ws in ((2, both[:1]), (4, face), (6, both[:1])):
        expected = films.models.own.draw(ws)[0]
        assert np.abs(frames[place].astype(int) - expected).max() <= 1
    for own, sentence in (
        (None, "no face of your own yet"),
        (face[:, 1:], "found with another model"),
    ):
        with pytest.raises(gr.Error, match=sentence):
            next(films.make("5, mine", 2, 10, "GIF", 0.65, False, own))


def test_a_film_that_takes_too_long_is_told_among_its_words(bundled, monkeypatch):
    """Not as an error, which would cover the page and go; the film that is there stays."""
    film = next(event.fn for event in build_page(bundled).fns.values() if event.name == "film")
    monkeypatch.setattr(limits, "MOST_SECONDS", -1)
    ((video, image, words),) = film("1, 2", 2, 10, "GIF", 0.65, False, None, "")
    assert words == limits.TOO_LONG and video == image == gr.skip()


def test_a_video_that_cannot_be_written_is_told(frames, tmp_path):
    with pytest.raises(gr.Error, match="cannot write WebM here: take GIF"):
        save_film(frames, tmp_path / "nowhere" / "a.webm", 8)


@pytest.mark.parametrize(
    "seconds, faces, steps",
    [(0, 4, 12), (0.04, 4, 12), (0.6, 4, 12), (1.0, 4, 7), (2.0, 2, 7), (9.0, 2, 2)],
)
def test_the_first_film_of_a_slow_model_is_shorter(bundled, seconds, faces, steps):
    """Drawn in thirty seconds if it can be."""
    seeds, found = first_film(dataclasses.replace(bundled, seconds=seconds))
    assert (len(seeds.split()), found) == (faces, steps)


@pytest.mark.parametrize("seconds, faces", [(0.5, 8), (2.0, 8), (5.0, 7), (9.0, 5)])
def test_a_film_that_would_take_too_long_is_refused_with_one_that_would_not(
    bundled, seconds, faces
):
    """Before anything is drawn; what is advised is then taken."""
    slow = Films(Models(dataclasses.replace(bundled, seconds=seconds)))
    seeds = " ".join(map(str, range(faces)))
    sentence = f"{24 * faces} frames take about {24 * faces * seconds:.0f} s .* allows 60: take"
    with pytest.raises(gr.Error, match=sentence) as told:
        next(slow.make(seeds, 24, 12, "GIF", 0.65, False))
    number, what = re.search(r"at most (\d+) (frames|faces)", told.value.message).groups()
    most, more = (
        (faces, int(number) + i) if what == "frames" else (int(number) + i, 2) for i in (0, 1)
    )
    assert re.search("drawn in about [3-6][0-9] s", slow.takes(*most, 12))
    with pytest.raises(gr.Error, match="at most"):
        slow.takes(*more, 12)


def test_what_a_film_takes_is_said(bundled):
    fast = Films(Models(dataclasses.replace(bundled, seconds=0.04)))
    assert fast.takes(4, 12, 12) == "48 frames, 4.0 s of film, drawn in about 2 s."
    unknown = Films(Models(dataclasses.replace(bundled, seconds=0)))
    assert unknown.takes(8, 24, 24) == "192 frames, 8.0 s of film."


def test_what_is_no_list_of_seeds_is_named(films):
    with pytest.raises(gr.Error, match="Faces: two is no seed"):
        next(films.make("1, two", 2, 10, "GIF", 0.65, False))


def test_faces_are_not_changed_by_being_filmed(films):
    before = to_uint8(films.models.own.G.synthesis(films.models.own.styles([3], 0.65)).detach())
    list(films.frames([3, 4], 2, 0.65, False))
    after = to_uint8(films.models.own.G.synthesis(films.models.own.styles([3], 0.65)).detach())
    np.testing.assert_array_equal(before, after)
