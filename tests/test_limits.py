"""How visitors wait for each other."""

import threading
import time

import gradio as gr
import pytest

from playground import limits
from playground.limits import Turns, in_time


def test_one_computes_at_a_time_and_others_are_told_after_a_while(monkeypatch):
    monkeypatch.setattr(limits, "WAIT_SECONDS", 0.05)
    turns = Turns()
    for heavy in (False, True):
        with turns.take(heavy=heavy):
            for other in (False, True):
                with pytest.raises(gr.Error, match="Too many visitors"), turns.take(heavy=other):
                    raise AssertionError("two at once")
    with turns.take():
        pass  # all was given back


def test_light_work_waits_for_one_piece_of_heavy_work_at_most():
    """Ten visitors with heavy work in a row, each piece 20 ms; a light one comes between."""
    turns, ended = Turns(), []

    def heavy():
        for _ in range(5):
            with turns.take(heavy=True):
                time.sleep(0.02)
                ended.append("heavy")

    threads = [threading.Thread(target=heavy) for _ in range(10)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    before = len(ended)
    with turns.take():
        ended.append("light")
    for thread in threads:
        thread.join()
    assert len(ended) == 51 and ended.index("light") - before <= 3


def test_heavy_work_that_takes_too_long_ends_with_a_sentence(monkeypatch):
    assert list(in_time(range(3))) == [0, 1, 2]
    monkeypatch.setattr(limits, "MOST_SECONDS", -1)
    with pytest.raises(gr.Error, match="takes too long just now"):
        next(in_time(range(3)))
