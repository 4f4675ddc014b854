"""The grid's callbacks, without a browser."""

import dataclasses

import gradio as gr
import numpy as np
import pytest

from playground.grid import Crossings, crossing, first_size
from playground.mixing import Mixer
from playground.model import Models
from playground.scene import Scene
from playground.seeds import MAX_SEED, parse_seeds
from playground.turn import Turn


@pytest.fixture(scope="module")
def model(bundled):
    return bundled


@pytest.fixture(scope="module")
def crossings(model):
    return Crossings(Models(model))


def tile(grid, row, column, side=64):
    """A face of the grid at its own size."""
    rows, columns = (slice(place * side, (place + 1) * side) for place in (row, column))
    return grid[rows, columns].astype(int)


def test_every_crossing_is_the_mix_of_its_row_and_column(model, crossings):
    """Across 3 and 4, down 8: as Mix draws them."""
    *_, grid = crossings.draw("3, 4", "8", 0.25, 0.65, False, Turn())
    assert grid.shape == (128, 192, 4) and (tile(grid, 0, 0) == 0).all()
    a, mixed, b = Mixer(Models(model)).faces(Scene(4, 8, 0.25, 0.65, False))
    for place, face in (((0, 2), a), ((1, 2), mixed), ((1, 0), b)):
        assert np.abs(tile(grid, *place)[..., :3] - np.asarray(face)).max() <= 1


def test_the_grid_comes_row_by_row_and_a_later_one_ends_it(crossings):
    turn = Turn()
    drawing = crossings.draw("1", "2 3 4", 0.5, 0.65, False, turn)
    first = next(drawing)
    assert (tile(first, 1, 1)[..., 3] == 255).all() and (tile(first, 2, 1) == 0).all()
    turn.take()
    assert list(drawing) == []
    assert len(list(crossings.draw("1", "2 3", 0.5, 0.65, False, turn))) == 2


def test_wrong_seeds_end_the_drawing_before(crossings):
    """Or it would clear what is said of them."""
    turn = Turn()
    drawing = crossings.draw("1", "2 3", 0.5, 0.65, False, turn)
    next(drawing)
    with pytest.raises(gr.Error, match="two is no seed"):
        next(crossings.draw("two", "3", 0.5, 0.65, False, turn))
    assert list(drawing) == []


def test_a_click_tells_what_lies_there():
    """Three columns of 64 pixels."""
    what = "3, 4", "8", 0.25, 64
    assert crossing(*what, [191, 64]) == (4, 8, 0.25)
    assert crossing(*what, [64, 63]) == (3, gr.skip(), 0.0)
    assert crossing(*what, [63, 127]) == (gr.skip(), 8, 1.0)
    assert crossing(*what, [0, 0]) is None


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("", "Across: 1 to 8 seeds are needed, got 0"),
        ("1 2 3 4 5 6 7 8 9", "Across: 1 to 8 seeds are needed, got 9"),
        ("1, two", "Across: two is no seed"),
        ("-1", "Across: -1 is no seed"),
        (str(MAX_SEED + 1), "Across: 4294967296 is no seed"),
        ("9" * 400, f"Across: {'9' * 20} is no seed"),
    ],
)
def test_what_is_no_list_of_seeds_is_named(text, sentence):
    with pytest.raises(gr.Error, match=sentence):
        parse_seeds(text, "Across")


def test_seeds_are_chosen_as_many_as_asked(crossings):
    assert parse_seeds("1 2,3,  4", "Across") == [1, 2, 3, 4]
    across, down = (parse_seeds(text, "") for text in crossings.choose(8))
    assert len(set(across)) == len(set(down)) == 8 and not set(across) & set(down)


@pytest.mark.parametrize("seconds, size", [(0, 4), (0.04, 4), (2.0, 3), (3.0, 2), (9.0, 1)])
def test_the_first_grid_of_a_slow_model_has_fewer_faces(model, seconds, size):
    """In thirty seconds their row, their column and all mixes can be drawn."""
    assert first_size(dataclasses.replace(model, seconds=seconds)) == size


def test_a_grid_of_another_size_keeps_the_faces_it_has(crossings):
    across, down = (parse_seeds(text, "") for text in crossings.resize(4, "7 8 9", "1, 2, 3, 4, 5"))
    assert across[:3] == [7, 8, 9] and len(set(across)) == 4 and down == [1, 2, 3, 4]
    with pytest.raises(gr.Error, match="Down: two is no seed"):
        crossings.resize(4, "7", "two")
