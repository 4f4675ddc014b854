"""What programs ask of the page."""

import json
import re

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from benchmarks.serving import ROOT
from tests.page.looking import SECONDS


@pytest.fixture(scope="module")
def client(address):
    return Client(address, verbose=False)


def test_every_action_can_be_called_from_code(client):
    """With names for what goes in and what comes out."""
    endpoints = client.view_api(print_info=False, return_format="dict")["named_endpoints"]
    actions = {"/mix", "/faces", "/strip", "/grid", "/explore", "/make_film", "/crop", "/find"}
    actions |= {"/model", "/history"}
    assert set(endpoints) == actions
    labels = [x["label"] for e in endpoints.values() for x in (*e["parameters"], *e["returns"])]
    assert not [label for label in labels if re.match("value_|__i18n__|[0-9]", label)]
    names = {e: {x["parameter_name"] for x in endpoints[e]["parameters"]} for e in endpoints}
    assert "along" not in names["/explore"]  # it has no direction that a program could give
    mix = 34, 29, 0.5, 0.65, True, 0, 0, 0, []
    mixed = client.predict(*mix, api_name="/mix")
    a, again, b = client.predict(*mix, api_name="/faces")
    assert Image.open(mixed).size == Image.open(a).size == Image.open(b).size == (64, 64)
    np.testing.assert_array_equal(np.asarray(Image.open(mixed)), np.asarray(Image.open(again)))
    assert len(client.predict(34, 29, 0.65, True, 0, 0, 0, [], api_name="/strip")) == 11
    grid = client.predict("1, 2", "3", 0.5, 0.65, True, api_name="/grid")
    assert Image.open(grid).size == (3 * 64, 2 * 64)
    face = client.predict(34, 0.65, 10, 0, 0, "", *[0] * 8, api_name="/explore")
    assert Image.open(face).size == (64, 64)
    film = client.predict("1, 2", 2, 10, "GIF", 0.65, True, api_name="/make_film")
    assert Image.open(film).n_frames == 4
    portrait = handle_file(ROOT / "playground" / "example.jpg")
    face, words, faces = client.predict(portrait, api_name="/crop")
    assert Image.open(face).size == (64, 64) and words.startswith("One face") and len(faces) == 1
    key, table = client.predict(api_name="/model")
    assert key == "" and "64x64 pixels" in table


WRONG = {
    "/mix": dict(seed_a=-1, seed_b="x", weight=7, psi="much", own="x", shape=2, layers=[2]),
    "/faces": dict(seed_a=True, seed_b=None, weight="x", features=-2, layers="", model="x"),
    "/strip": dict(seed_a=3.5, psi=None, own=3, texture=[], model="../x"),
    "/grid": dict(across="x", down="1 2 3 4 5 6 7 8 9", weight=-0.1, psi="x", own=None),
    "/explore": dict(seed=2**32, psi=2, right=51, turn=0.5, common_1=4, model="x"),
    "/make_film": dict(seeds="two", steps=2.5, speed=99, format="PDF", psi=-1, own="x"),
    "/crop": dict(path="face.jpg", model="x"),
    "/find": dict(face="face.jpg", model="x"),
    "/model": dict(repo="x", revision="v1"),
    "/history": dict(place=99, model="x"),
}


@pytest.mark.parametrize("action", WRONG)
def test_a_wrong_value_is_an_error_for_a_program(client, action):
    """Each alone."""
    portrait = {"path": handle_file(ROOT / "playground" / "example.jpg")}
    good = {"/crop": portrait, "/find": {"face": None}}.get(action, {})
    for name, value in WRONG[action].items():
        with pytest.raises(AppError) as told:
            client.predict(**good | {name: value}, api_name=action)
        assert len(str(told.value)) > 10 and "upstream" not in str(told.value), (name, told.value)


@pytest.mark.parametrize(
    "action, place", [("grid", 0), ("grid", 5), ("make_film", 0), ("model", 1)]
)
def test_half_a_character_is_answered_as_any_other_mistake(address, action, place):
    """A lone surrogate, which no answer may hold; Gradio's client does not send it."""
    values = {
        "grid": ["1", "2", 0.5, 0.65, True, ""],
        "make_film": ["1", 2, 10, "GIF", 0.65, True, ""],
        "model": ["alice/faces", ""],
    }[action]
    values[place] = "\ud800"
    url, headers = f"{address}/gradio_api/call/{action}", {"Content-Type": "application/json"}
    answer = httpx.post(url, content=json.dumps({"data": values}), headers=headers).json()
    said = httpx.get(f"{url}/{answer['event_id']}", timeout=SECONDS).text
    assert "event: error" in said and len(said) > 60


def test_no_file_of_the_server_is_read_because_a_program_names_it(address):
    """With and without the mark by which Gradio knows a file in a message."""
    picture = {"path": str(ROOT / "docs" / "domains.jpg")}
    messages = {
        "crop": [[picture, ""], [{**picture, "meta": {"_type": "gradio.FileData"}}, ""]],
        "find": [[picture, ""]],
    }
    for action, values in messages.items():
        for value in values:
            message = {"data": value, "session_hash": "test"}
            url = f"{address}/gradio_api/run/{action}"
            answer = httpx.post(url, json=message, timeout=SECONDS)
            assert answer.status_code == 500 and "data" not in answer.json()
            assert "was not uploaded: upload it first." in answer.json()["error"]
