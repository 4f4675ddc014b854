"""What programs ask of the page."""

import httpx
import numpy as np
from gradio_client import Client
from PIL import Image

from benchmarks.serving import ROOT
from tests.page.looking import SECONDS


def test_every_action_can_be_called_from_code(address):
    client = Client(address, verbose=False)
    endpoints = client.view_api(print_info=False, return_format="dict")["named_endpoints"]
    actions = {"/mix", "/faces", "/film", "/grid", "/explore", "/make_film", "/crop", "/find"}
    actions |= {"/model", "/history"}
    assert set(endpoints) == actions
    mix = 34, 29, 0.5, 0.65, True, 0, 0, 0, []
    mixed, words = client.predict(*mix, api_name="/mix")
    a, again, b, _ = client.predict(*mix, api_name="/faces")
    assert words == "" and Image.open(mixed).size == Image.open(a).size == (64, 64)
    np.testing.assert_array_equal(np.asarray(Image.open(mixed)), np.asarray(Image.open(again)))
    assert len(client.predict(34, 29, 0.65, True, 0, 0, 0, [], api_name="/film")) == 11
    grid = client.predict("1, 2", "3", 0.5, 0.65, True, api_name="/grid")
    assert Image.open(grid).size == (3 * 384, 2 * 384)
    face, _ = client.predict(34, 0.65, 10, 0, 0, "", 0, *[0] * 8, api_name="/explore")
    assert Image.open(face).size == (64, 64)
    _, film = client.predict("1, 2", 2, 10, "GIF", 0.65, True, api_name="/make_film")
    assert Image.open(film["value"] if isinstance(film, dict) else film).n_frames == 4


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
            if "meta" not in value[0]:
                assert answer.json()["error"] == "domains.jpg was not uploaded: upload it first."
