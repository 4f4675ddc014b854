"""What the page of a run shows, without a browser."""

import json

import gradio as gr
import pytest
from PIL import Image

from stylegan.history import Moment, save_history
from training.look import advice, main, moments, progress, renew, show, table


def test_a_run_tells_how_far_it_is_and_when_it_said_so(run_to_look_at):
    """At kimg 8 of 300 with 90 seconds each: 292 * 90 = 26280 s are 7 h 18 min."""
    run, unix_time = run_to_look_at
    words = progress(run, unix_time + 300)
    assert words.startswith("**kimg 8.00 of 300**, 90 seconds per kimg, 7 h 18 min left")
    assert words.endswith("Last report: 5 min ago.")
    assert progress(run, unix_time + 20).endswith("Last report: just now.")
    (run / "log.jsonl").unlink()
    assert progress(run, unix_time).startswith("No report yet")


def test_the_newest_measurements_come_first(figures):
    assert table([Moment(1.0, "a.png")]) == "Nothing is measured yet."
    history = [Moment(float(k), "a.png", figures(k, coverage=0.25)) for k in range(20)]
    lines = table(history).splitlines()
    assert len(lines) == 14 and lines[2] == "| 19 | 19.0 | 25% | 0% | 0% |"


def test_the_slider_shows_faces_and_mixes_of_a_moment(run_to_look_at):
    run, _ = run_to_look_at
    words, faces, mixes = show(run, 0)
    assert words == "**kimg 0.064**" and faces.getpixel((0, 0)) == (10, 10, 10)
    assert mixes.getpixel((0, 0)) == (60, 60, 60)
    words, faces, mixes = show(run, 1)
    assert words == "**kimg 5**, score 31.5" and faces.getpixel((0, 0)) == (20, 20, 20)
    assert mixes is None  # nobody drew one


def test_the_newest_stays_in_sight_while_another_one_stays_where_it_is(run_to_look_at):
    run, _ = run_to_look_at
    slider, words, *_, known = renew(run, 0, 0)
    assert (slider.value, slider.maximum, known) == (1, 1, 2) and "kimg 5" in words
    Image.new("RGB", (8, 4)).save(run / "samples/kimg-000010.png")
    history = [*moments(run), Moment(10.0, "samples/kimg-000010.png")]
    save_history(run, history)
    slider, words, *_, known = renew(run, 1, 2)
    assert (slider.value, slider.maximum, known) == (2, 2, 3) and "kimg 10" in words
    slider, words, *_ = renew(run, 0, 2)
    assert (slider.value, slider.maximum) == (0, 2) and "kimg 0.064" in words


def test_what_cannot_be_read_is_told_and_the_pictures_stay(run_to_look_at):
    run, _ = run_to_look_at
    (run / "history.jsonl").write_text("[]\n")
    slider, *_, words, _, _, known = renew(run, 1, 2)
    assert "history.jsonl, line 1: " in words and known == 2
    assert slider == gr.skip()


def test_a_run_that_has_just_begun_has_nothing_to_show_yet(run_to_look_at):
    run, _ = run_to_look_at
    (run / "history.jsonl").unlink()
    slider, words, faces, mixes, *_ = renew(run, 0, 0)
    assert words.startswith("No faces yet") and faces is None and mixes is None
    assert not slider.interactive


def test_the_doctor_has_a_line_for_each_finding(run_to_look_at):
    run, _ = run_to_look_at
    assert advice(run) == "- too early to say anything"
    line = json.loads((run / "log.jsonl").read_text())
    (run / "log.jsonl").write_text(8 * (json.dumps(line | {"loss/D": 0.1}) + "\n"))
    lines = advice(run).splitlines()
    assert lines[0].startswith("- D tells drawn from real without effort")
    assert all(line.startswith("- ") for line in lines)


def test_a_folder_that_is_no_run_ends_with_a_sentence(tmp_path):
    with pytest.raises(SystemExit, match=f"error: {tmp_path} holds no run; name the folder"):
        main([str(tmp_path)])
