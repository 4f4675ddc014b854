"""Frames of films: which are taken, when they were, and films that are no good."""

import os
import shutil

import pytest

from preprocessing.films import Film, clock
from tests.preprocessing.films import write_film

RED, GREEN, BLUE = (200, 30, 30), (30, 200, 30), (30, 30, 200)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two seconds of red, one of green, one of red again, ten frames a second."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    return write_film(path, [RED] * 20 + [GREEN] * 10 + [RED] * 10)


def taken(path, *args, **more):
    with Film(str(path)) as film:
        frames = list(film.frames(*args, **more))
        assert film.word() is None
    return [frame and (frame.index, frame.time) for frame in frames]


def test_one_frame_a_time_step_is_taken_and_knows_its_time(film):
    assert taken(film, 1.0) == [(0, 0.0), (10, 1.0), (20, 2.0), (30, 3.0)]
    assert [index for index, _ in taken(film, 0.25)][:5] == [0, 3, 5, 8, 10]
    assert len(taken(film, 0.001)) == 40


def test_the_frame_is_the_one_of_that_time_in_rgb(film):
    with Film(str(film)) as opened:
        means = [frame.image.mean(axis=(0, 1)) for frame in opened.frames(1.0)]
    for mean, colour in zip(means, [RED, RED, GREEN, RED], strict=True):
        assert abs(mean - colour).max() < 12


def test_a_shot_gives_no_more_frames_than_asked_for(film):
    """Red for 2 s, green for 1 s, red for 1 s: three shots."""
    assert [index for index, _ in taken(film, 0.2, per_shot=2)] == [0, 2, 20, 22, 30, 32]


def test_frames_seen_before_are_passed_over_and_the_rest_is_the_same(film):
    for per_shot in (0, 3):
        everything = taken(film, 0.2, per_shot)
        assert taken(film, 0.2, per_shot, skip=4) == [None] * 4 + everything[4:]


def test_a_film_that_ends_early_gives_what_it_had_and_tells(film, tmp_path):
    """An AVI can be read without the index at its end."""
    frames = [(n * 37 % 255, n * 11 % 255, n * 91 % 255) for n in range(60)]
    whole = write_film(tmp_path / "whole.avi", frames)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with Film(str(cut)) as opened:
        num = sum(1 for _ in opened.frames(0.1))
        assert 0 < num < 50
        assert opened.word().startswith("cut.avi ends early, at 0:0")
        assert "of 0:06" in opened.word()


def test_odd_names_are_only_names(film, tmp_path):
    for name in ("a b%03d.mp4", "-.mp4", os.fsdecode(b"\xe9\xff.mp4"), "映画.mp4", "http:.mp4"):
        shutil.copy(film, tmp_path / name)
        assert len(taken(tmp_path / name, 1.0)) == 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        bytes(2048),
        b"#EXTM3U\n#EXTINF:1,\nother.mp4\n",
        b"ffconcat version 1.0\nfile other.mp4",
    ],
)
def test_what_is_no_film_is_told_and_no_other_file_is_opened_for_it(content, film, tmp_path):
    shutil.copy(film, tmp_path / "other.mp4")
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(ValueError, match="^bad.mp4 is no film that can be read"):
        Film(str(tmp_path / "bad.mp4"))
    with pytest.raises(ValueError, match="none.mp4 cannot be opened .No such file"):
        Film(str(tmp_path / "none.mp4"))


def test_a_clock_reads_as_a_player_shows_it():
    assert [clock(7.9), clock(75), clock(3723)] == ["0:07", "1:15", "1:02:03"]
