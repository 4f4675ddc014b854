"""The Explore tab's callbacks, without a browser."""

import json
import math
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch

from playground.about import facts
from playground.direction import load_direction, save_direction
from playground.explore import COUNT, NO_MOVES, PLACES, Explorer, equivariance_words, explore_tab
from playground.mix import layer_names
from playground.mixing import Mixing
from playground.model import BUNDLED, Models, load_model
from playground.turn import Turn
from stylegan import Generator, GeneratorConfig
from stylegan.images import to_uint8
from stylegan.layout import CONFIG
from stylegan.transforms import rotation, translation
from tests.conftest import close

W_DIM = json.loads((BUNDLED / CONFIG).read_text())["w_dim"]
STILL = (0, 0, 0, "") + (0,) * (2 * COUNT)  # the page's own model


@pytest.fixture(scope="module")
def explorer(bundled):
    return Explorer(Models(bundled))


def test_without_a_move_it_is_the_face_of_the_seed(explorer):
    face = explorer.face(3, 0.65, *STILL)
    assert close(face, explorer.models.own.draw(explorer.models.own.styles([3], 0.65))[0])


def test_a_face_moves_right_and_down_by_percent_of_its_side(explorer):
    """A quarter is 16 pixels, an eighth 8; what was at the top left is found again."""
    face = explorer.face(3, 0.65, *STILL)
    moved = explorer.face(3, 0.65, 25, 12.5, *STILL[2:])
    error = moved[8:, 16:].astype(int) - face[:-8, :-16]
    assert np.abs(error).mean() < 1 < 5 < np.abs(moved.astype(int) - face).mean()


@torch.no_grad()
def test_a_face_is_turned_clockwise_where_it_was_moved_to(explorer):
    """As the generator draws it so: first turned by a quarter, then moved by half."""
    G, ws = explorer.models.own.G, explorer.models.own.styles([3], 0.65)
    turned = explorer.face(3, 0.65, 0, 50, 90, *STILL[3:])
    quarter, half = rotation(math.pi / 2), translation(0, 0.5)
    assert close(turned, to_uint8(G.synthesis(ws, transform=quarter @ half))[0])
    other = to_uint8(G.synthesis(ws, transform=half @ quarter))[0]
    assert not close(turned, other)


def test_a_later_drawing_of_the_ways_ends_the_one_before(explorer):
    turn = Turn()
    drawing = explorer.ways(3, 0.65, turn)
    next(drawing)
    turn.take()
    assert list(drawing) == []


def test_ways_are_rows_of_steps_whose_middle_is_the_face(explorer):
    begun, *drawn = explorer.ways(3, 0.65, Turn())
    assert begun == [gr.skip()] * 2 * COUNT + ["Drawing 8 ways …"] and drawn[-1][-1] == ""
    ways = [rows[i] for i, rows in enumerate(drawn)]
    assert [len(row) for row in ways] == [len(PLACES)] * 2 * COUNT
    face = explorer.face(3, 0.65, *STILL)
    assert all(close(row[PLACES.index(0)], face) for row in ways)
    steps = [0.0] * 2 * COUNT
    steps[5] = 2
    stepped = explorer.face(3, 0.65, 0, 0, 0, "", *steps)
    assert close(ways[5][PLACES.index(2)], stepped)


def test_steps_add_up(explorer):
    model, steps = explorer.models.own, torch.arange(2.0 * COUNT) / 4
    found = explorer.face(3, 0.65, 0, 0, 0, "", *steps.tolist())
    ws = model.styles([3], 0.65) + (steps[:, None] * explorer.directions(model)).sum(dim=0)
    assert close(found, model.draw(ws)[0])


def test_a_bad_seed_is_named_and_nothing_is_drawn(explorer):
    with pytest.raises(gr.Error, match="must be a whole number"):
        explorer.face(-1, 0.65, *STILL)
    assert list(explorer.ways(-1, 0.65, Turn())) == []


def test_what_was_measured_is_told():
    words = equivariance_words({"EQ-T": 65.8, "EQ-R": 15.0, "score": 44.0})
    assert words == (
        "A face holds together when it is moved (EQ-T 66 dB), and changes when it is turned "
        "(EQ-R 15 dB)."
    )
    assert equivariance_words({}) == equivariance_words({"EQ-T": "much"}) == ""


def test_a_named_direction_is_saved_and_followed(explorer, tmp_path, monkeypatch):
    """From a file, three standard steps back, it is what the sliders led to, gone backwards."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "not" / "there"))
    model, steps = explorer.models.own, [0.5, *[0.0] * (2 * COUNT - 2), -1.0]
    path = save_direction(" older ", explorer.way("", steps, None, 0), model)
    name, direction = load_direction(path, model)
    assert name == "older" and json.loads(Path(path).read_text())["model"] == model.name
    there = explorer.face(3, 0.65, 0, 0, 0, "", *[-3 * step for step in steps])
    again = explorer.face(3, 0.65, *STILL, direction, -3)
    assert close(there, again)


@pytest.mark.parametrize(
    "text, reason",
    [
        ("{", "a.json is no JSON. Give a file"),
        ("[1]", "it has no name and direction. Give a file"),
        ('{"name": "a"}', "it has no name and direction"),
        ('{"name": "a", "direction": [1, 2]}', f"this model needs {W_DIM} numbers"),
        (json.dumps({"name": "a", "direction": [math.nan] * W_DIM}), f"{W_DIM} numbers below"),
        (json.dumps({"name": "a", "direction": [10**400] * W_DIM}), f"{W_DIM} numbers below"),
        (json.dumps({"name": 3, "direction": [0] * W_DIM}), "a name and a list of numbers"),
        (json.dumps({"name": "a", "direction": [0] * 10**6}), "it is too long"),
    ],
)
def test_what_is_no_direction_is_named(explorer, tmp_path, text, reason):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(gr.Error, match=reason):
        load_direction(str(tmp_path / "a.json"), explorer.models.own)


def test_a_direction_needs_a_name_and_somewhere_to_go(explorer):
    with pytest.raises(gr.Error, match="a name first"):
        save_direction(" ", torch.ones(W_DIM), explorer.models.own)
    with pytest.raises(gr.Error, match="Move some of the sliders"):
        save_direction("older", torch.zeros(W_DIM), explorer.models.own)


def test_a_model_that_cannot_move_its_faces_says_so(tmp_path):
    config = GeneratorConfig.stylegan2(32, z_dim=8, w_dim=12, channel_base=128, channel_max=8)
    Generator(config).save_pretrained(tmp_path)
    model = load_model(str(tmp_path))
    assert not model.problem and "StyleGAN2, 7 layers" in facts(model)
    explorer = Explorer(Models(model))
    assert explorer.face(3, 0.65, *STILL).shape == (32, 32, 3)
    with pytest.raises(gr.Error, match=NO_MOVES):
        explorer.face(3, 0.65, 0, 0, 90, *STILL[3:])
    assert len(list(explorer.ways(3, 0.65, Turn()))[1][0]) == len(PLACES)
    assert layer_names(config)[0] == "0: shape" and len(layer_names(config)) == 8
    assert not shows_moves(explorer.models)  # nobody sees sliders that do nothing


def test_sliders_that_move_a_face_are_shown_where_it_can_be_moved(explorer):
    assert shows_moves(explorer.models)


def shows_moves(models):
    with gr.Blocks() as page, gr.Tabs() as tabs, gr.Tab("Explore") as tab:
        seeds = [gr.Number(), gr.Number()]
        mix = Mixing(seeds, gr.Textbox(), gr.State(), gr.Markdown(), lambda then: None)
        explore_tab(models, mix, tabs, tab)
    (row,) = (x for x in page.blocks.values() if getattr(x, "elem_id", None) == "moves")
    return row.visible
