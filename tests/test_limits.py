"""How visitors wait for each other."""

import asyncio
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import partial
from types import SimpleNamespace

import gradio as gr
import pytest

from playground import limits
from playground.limits import DRAWING, FULL, LARGEST, PLACES, Turns, tell_when_full
from stylegan import GeneratorConfig


@pytest.mark.parametrize("heavy", [False, True])
def test_one_computes_at_a_time_and_others_are_told_after_a_while(heavy, monkeypatch):
    turns, started, go_on = Turns(), threading.Event(), threading.Event()

    def work():
        started.set()
        return go_on.wait(10)

    with ThreadPoolExecutor(1) as other:
        first = other.submit(turns.take, work, heavy=heavy)
        assert started.wait(10)
        time.sleep(0.1)  # until it waits with the old patience
        monkeypatch.setattr(limits, "WAIT_SECONDS", 0.05)
        for way in (False, True):
            with pytest.raises(gr.Error, match="Too many visitors"):
                turns.take(int, heavy=way)
        monkeypatch.undo()
        go_on.set()
        assert first.result()
    assert turns.take(lambda: 3) == turns.take(lambda: 4, heavy=True) - 1 == 3


def test_all_is_done_by_one_thread_and_its_errors_are_raised():
    turns = Turns()
    ways = [turns.take(threading.get_ident, heavy=heavy) for heavy in (False, True, False)]
    assert len(set(ways)) == 1 and threading.get_ident() not in ways
    for heavy in (False, True):
        with pytest.raises(ZeroDivisionError):
            turns.take(lambda: 1 / 0, heavy=heavy)


def test_light_work_waits_for_one_piece_of_heavy_work_at_most():
    """Ten visitors with heavy work in a row, each piece 20 ms; a light one comes between."""
    turns, ended = Turns(), []

    def piece():
        time.sleep(0.02)
        ended.append("heavy")

    def visit():
        for _ in range(5):
            turns.take(piece, heavy=True)

    with ThreadPoolExecutor(10) as pool:
        visits = [pool.submit(visit) for _ in range(10)]
        time.sleep(0.05)
        before = len(ended)
        turns.take(lambda: ended.append("light"))
    assert all(visit.done() for visit in visits)
    assert len(ended) == 51 and ended.index("light") - before <= 2


def test_who_is_refused_is_told_when_what_runs_is_over(monkeypatch):
    turns, go_on = Turns(), threading.Event()
    monkeypatch.setattr(limits, "WAIT_SECONDS", 0.05)
    with ThreadPoolExecutor(1) as other:
        other.submit(turns.take, lambda: go_on.wait(10))
        with pytest.raises(gr.Error, match="Try again in 2 seconds"):
            turns.take(int)
        film = turns.in_time(range(2))
        next(film)
        with pytest.raises(gr.Error, match="Try again in (59|60) seconds."):
            turns.take(int)
        film.close()
        with pytest.raises(gr.Error, match="Try again in 2 seconds"):
            turns.take(int)
        go_on.set()


def test_few_wait_for_a_strangers_model_and_the_rest_are_told_at_once():
    turns, go_on = Turns(nice=DRAWING), threading.Event()
    with ThreadPoolExecutor(PLACES) as others:
        asked = [others.submit(turns.take, lambda: go_on.wait(10)) for _ in range(PLACES)]
        while len(turns._ends) < PLACES:
            time.sleep(0.01)
        for ask in (lambda: turns.take(int), lambda: next(turns.in_time([1]))):
            with pytest.raises(gr.Error, match="Too many visitors .* in (29|30) seconds"):
                ask()
        go_on.set()
    assert all(each.result() for each in asked) and turns.take(lambda: 3) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no rank of their own")
def test_strangers_models_draw_after_all_others():
    mine = os.nice(0)
    assert Turns().take(lambda: os.nice(0)) == mine
    assert Turns(nice=DRAWING).take(lambda: os.nice(0)) == min(mine + DRAWING, 19)
    assert os.nice(0) == mine


@pytest.mark.parametrize("bound", ["MOST_SECONDS", "LONGEST"])
def test_heavy_work_that_takes_too_long_ends_with_a_sentence(monkeypatch, bound):
    assert list(Turns().in_time(range(3))) == [0, 1, 2]
    monkeypatch.setattr(limits, bound, -1)
    with pytest.raises(gr.Error, match="takes too long just now"):
        next(Turns().in_time(range(3)))


def test_only_the_work_itself_is_counted(monkeypatch):
    """Not what it waits for, a sleep here, whichever threads ask for its steps."""
    monkeypatch.setattr(limits, "MOST_SECONDS", 0.2)
    turns = Turns()

    def work():
        end = time.thread_time() + 0.15
        while time.thread_time() < end:
            pass

    def next_elsewhere(steps):
        with ThreadPoolExecutor(1) as other:
            return other.submit(next, steps).result()

    waits = turns.in_time(turns.take(partial(time.sleep, 0.1), heavy=True) for _ in range(4))
    assert list(waits) == [None] * 4
    works = turns.in_time(turns.take(work, heavy=True) for _ in range(2))
    next_elsewhere(works)
    with pytest.raises(gr.Error, match="takes too long just now"):
        next_elsewhere(works)


def test_every_field_of_a_config_has_a_limit():
    assert list(LARGEST) == [field.name for field in fields(GeneratorConfig)]


def test_a_full_queue_says_how_long_to_wait():
    with gr.Blocks() as page:
        page.load(lambda: None)
    page.queue(max_size=0)
    tell_when_full(page)
    message = SimpleNamespace(fn_index=0)
    push = page._queue.push(body=message, request=None, username=None)
    with ThreadPoolExecutor(1) as other:  # in this thread a browser's loop may still be there
        answer = other.submit(asyncio.run, push).result()
    assert answer == (False, FULL, "error") and "in two minutes" in FULL
