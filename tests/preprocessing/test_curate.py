"""What the page on which a person keeps or rejects faces asks for, and what it is refused."""

import io

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from preprocessing.curate import Curation, build_page, launch_options, main
from preprocessing.listing import (
    DECISIONS,
    Listing,
    kept,
    read_decisions,
    read_listing,
    write_listing,
)


def face(label, number, **more):
    where = f"rejected/{label}" if "reason" in more else label
    return {"file": f"{where}/{number:06d}-1.png", "label": label, "source": "album/x.jpg"} | more


@pytest.fixture
def folder(tmp_path):
    """Six photographs, of which one is rejected, and a drawn face; each of another colour."""
    scores = {"sharpness": 0.5, "frontal": None}
    photos = [face("photos", n, scores=scores) for n in (0, 1, 3, 4, 5)]
    rejected = [face("photos", 2, reason="blurred", time=75.5) | {"source": "caf\udce9.jpg"}]
    faces = [*photos, face("drawn", 0, person=3)]
    for place, row in enumerate(faces + rejected):
        path = tmp_path / row["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), (place * 30, 0, 200 - place * 30)).save(path)
    write_listing(tmp_path, Listing(64, {}, faces, rejected))
    return tmp_path


@pytest.fixture
def curation(folder):
    return Curation(folder)


@pytest.fixture
def client(curation):
    options = launch_options(curation)["app_kwargs"]
    return TestClient(Starlette(**options), base_url="http://127.0.0.1:7860")


def work(curation, *acts, window="a", position=0, **more):
    asked = {"version": curation.version, "window": window, "position": position, "acts": acts}
    return curation.work(asked | more)


def test_rejected_faces_stand_among_the_kept_ones(curation):
    faces = curation.faces({})
    assert faces["file"] == [
        "drawn/000000-1.png",
        "photos/000000-1.png",
        "photos/000001-1.png",
        "rejected/photos/000002-1.png",
        "photos/000003-1.png",
        "photos/000004-1.png",
        "photos/000005-1.png",
    ]
    assert faces["reason"] == [None, None, None, "blurred", None, None, None]
    assert (faces["source"][3], faces["time"][3]) == ("caf\\xe9.jpg", 75.5)
    assert faces["person"][:2] == [3, None]
    assert faces["scores"] == {"sharpness": [None, 0.5, 0.5, None, 0.5, 0.5, 0.5]}


def test_training_reads_what_was_decided(curation, folder):
    answer = work(curation, [1, "decide", [[3, True], [0, False]]])
    assert answer["changes"] == [(3, True), (0, False)]
    names = [row["file"] for row in kept(read_listing(folder), read_decisions(folder))]
    assert "rejected/photos/000002-1.png" in names
    assert "drawn/000000-1.png" not in names


def test_a_window_hears_of_what_others_did_once(curation):
    work(curation, [1, "decide", [[1, False]]])
    answer = work(curation, window="b")
    assert answer["changes"] == [(1, False)]
    assert work(curation, window="b", position=answer["position"])["changes"] == []


def test_several_acts_are_done_in_order(curation):
    decided = [1, "decide", [[1, False]]], [2, "decide", [[2, False]]]
    answer = work(curation, *decided, [3, "undo"], [4, "redo"], [5, "redo"])
    assert answer["changes"] == [(1, False), (2, False), (2, None), (2, False)]
    # the last act did nothing, the one before it came to face 2
    assert (answer["position"], answer["last"], answer["touched"]) == (4, 4, [2])


def test_a_page_is_told_when_the_decisions_were_begun_anew(curation, folder):
    work(curation, [1, "decide", [[1, False], [2, False]]])
    (folder / DECISIONS).unlink()
    answer = work(curation, position=2)
    assert (answer["from"], answer["position"], answer["changes"]) == (0, 0, [])


def test_a_page_of_another_dataset_decides_nothing(curation, folder):
    assert work(curation, [1, "decide", [[0, False]]], version="x") == {"stale": True}
    assert not (folder / DECISIONS).exists()


def test_what_cannot_be_written_is_said_and_not_believed(curation, folder):
    (folder / DECISIONS).mkdir()
    answer = work(curation, [1, "decide", [[0, False]]])
    assert answer["error"].startswith("Nothing can be saved: ")
    assert DECISIONS in answer["error"]


def test_a_suggestion_keeps_what_a_person_keeps_and_leaves_out_the_rejected(curation):
    work(curation, [1, "decide", [[4, True], [1, False]]])
    found = curation.suggest({"label": "photos", "count": 2})
    assert len(found["chosen"]) == 2
    assert found["chosen"][0] == 4
    assert sorted(found["chosen"] + found["left"]) == [2, 4, 5, 6]
    assert curation.suggest({"label": "photos", "count": 4}) == {"chosen": [2, 4, 5, 6], "left": []}


def test_sheets_and_faces_are_pictures_of_the_listing(client):
    sheet = client.get("/sheet/any/0-3-6.jpg")
    assert Image.open(io.BytesIO(sheet.content)).size == (512, 512)
    assert Image.open(io.BytesIO(client.get("/face/any/3.jpg").content)).size == (64, 64)


@pytest.mark.parametrize(
    "address",
    [
        "/sheet/any/7.jpg",
        "/sheet/any/-1.jpg",
        "/sheet/any/0-.jpg",
        "/sheet/any/" + "-".join(["0"] * 65) + ".jpg",
        "/sheet/any/..%2F..%2Fdataset.jpg",
        "/face/any/7.jpg",
        "/face/any/..%2Fdataset.json",
        "/face/any/photos/000000-1.png",
    ],
)
def test_nothing_else_is_handed_out(address, client):
    assert client.get(address).status_code == 404


def test_a_listed_file_that_is_no_picture_stays_here(client, folder):
    (folder / "drawn" / "000000-1.png").unlink()
    (folder / "drawn" / "000000-1.png").symlink_to("/etc/passwd")
    assert client.get("/face/any/0.jpg").status_code == 404
    assert client.get("/sheet/any/0.jpg").status_code == 200  # a grey field


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}]
)
def test_pages_of_other_sites_are_refused(headers, client):
    assert client.get("/face/any/0.jpg").status_code == 200
    assert client.get("/face/any/0.jpg", headers=headers).status_code == 403


def test_the_page_is_for_this_computer(curation):
    assert launch_options(curation)["server_name"] == "127.0.0.1"
    assert build_page(curation).get_config_file()["components"]


@pytest.mark.parametrize(
    "listing, sentence",
    [
        (None, "has no dataset.json; write the folder with preprocessing.prepare"),
        (Listing(64), "lists no faces, neither kept nor rejected"),
    ],
)
def test_a_folder_without_faces_is_refused_in_a_sentence(listing, sentence, tmp_path, capsys):
    if listing:
        write_listing(tmp_path, listing)
    assert main([str(tmp_path)]) == 1
    assert sentence in capsys.readouterr().err
