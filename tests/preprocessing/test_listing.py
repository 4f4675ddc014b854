"""What a dataset folder says it holds, and a person's decisions."""

import json
import threading

import pytest

from preprocessing.listing import (
    DECISIONS,
    LISTING,
    METADATA,
    Listing,
    append_decisions,
    kept,
    read_decisions,
    read_listing,
    write_listing,
)


def face(number, **more):
    return {"file": f"photos/{number:06d}-1.png", "label": "photos", "box": [1, 2, 3]} | more


def refused(number):
    return face(number, reason="blurred") | {"file": f"rejected/photos/{number:06d}-1.png"}


@pytest.fixture
def dataset(tmp_path):
    listing = Listing(
        64,
        {"inputs": ["fotografie/Žofie"], "size": 64},
        [face(1), face(3, time=1.5)],
        [refused(2)],
        [{"source": "a\udce9.jpg", "reason": "no face found"}],
        {"hidden": 2},
        ["photos: 2 faces are few"],
    )
    write_listing(tmp_path, listing)
    return tmp_path, listing


def test_a_listing_is_read_as_it_was_written_one_row_a_line(dataset):
    folder, listing = dataset
    assert read_listing(folder) == listing
    lines = (folder / LISTING).read_text().splitlines()
    assert [json.loads(line.rstrip(",")) for line in lines[2:4]] == listing.faces
    assert {path.name for path in folder.iterdir()} == {LISTING, METADATA}


def test_metadata_names_the_kept_files_as_the_hub_wants_them(dataset):
    lines = (dataset[0] / METADATA).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"file_name": "photos/000001-1.png", "label": "photos"},
        {"file_name": "photos/000003-1.png", "label": "photos"},
    ]


def test_rows_may_come_from_anywhere_and_an_empty_set_is_one(tmp_path):
    write_listing(tmp_path, Listing(32, faces=(face(n) for n in range(3))))
    assert read_listing(tmp_path).faces == [face(n) for n in range(3)]
    write_listing(tmp_path, Listing(32))
    assert read_listing(tmp_path) == Listing(32, {}, [], [], [])


def test_rows_that_break_off_leave_the_older_listing(dataset):
    folder, listing = dataset

    def broken():
        yield face(9)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="dataset.json cannot be saved: .*No space left"):
        write_listing(folder, Listing(64, faces=broken()))
    assert read_listing(folder) == listing
    assert {path.name for path in folder.iterdir()} == {LISTING, METADATA}


def test_the_first_format_tells_of_kept_faces(tmp_path):
    (tmp_path / LISTING).write_text(json.dumps({"size": 64, "faces": [face(1)]}))
    assert read_listing(tmp_path) == Listing(64, {}, [face(1)], [], [])
    assert kept(read_listing(tmp_path), read_decisions(tmp_path)) == [face(1)]


@pytest.mark.parametrize(
    "content, sentence",
    [
        (None, "has no dataset.json; write the folder with preprocessing.prepare"),
        ("{", "dataset.json is damaged: it is no JSON"),
        ("[" * 100_000, "dataset.json is damaged: it is no JSON"),
        (b"\xff", "dataset.json is damaged: it is no JSON"),
        ("[]", "is damaged: it does not list faces"),
        ('{"size": 64}', "is damaged: it does not list faces"),
        ('{"size": "64", "faces": []}', "is damaged: it does not list faces"),
        ('{"size": 64, "faces": [{"file": "a.png"}]}', "is damaged: it does not list faces"),
        ('{"size": 64, "faces": 3}', "is damaged: it does not list faces"),
        ('{"format": 3, "size": 64, "faces": []}', "has format 3, this program knows 2; update it"),
        *(
            (json.dumps({"size": 64, "faces": [face(1) | {"file": file}]}), "is damaged")
            for file in ("../a.png", "/etc/a.png", "a/../../b.png", "..\\a.png", "", 5, "a\0.png")
        ),
    ],
)
def test_what_is_no_listing_is_refused_in_a_sentence(content, sentence, tmp_path):
    if content is not None:
        content = content.encode() if isinstance(content, str) else content
        (tmp_path / LISTING).write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        read_listing(tmp_path)


def test_the_last_decision_wins_and_none_leaves_it_to_preparation(dataset):
    folder, _ = dataset
    assert read_decisions(folder) == {}
    append_decisions(folder, {refused(2)["file"]: True})
    append_decisions(folder, {face(1)["file"]: False, face(3)["file"]: False})
    append_decisions(folder, {face(3)["file"]: None})
    assert read_decisions(folder) == {
        face(1)["file"]: False,
        refused(2)["file"]: True,
        face(3)["file"]: None,
    }
    assert kept(read_listing(folder), read_decisions(folder)) == [face(3, time=1.5), refused(2)]


def test_a_half_line_of_a_killed_program_costs_no_other_decision(tmp_path):
    append_decisions(tmp_path, {"a.png": True})
    with (tmp_path / DECISIONS).open("ab") as file:
        file.write(b'{"file": "b.p')
    append_decisions(tmp_path, {"c.png": False})
    assert read_decisions(tmp_path) == {"a.png": True, "c.png": False}


def test_decisions_of_several_writers_are_all_there(tmp_path):
    def decide(writer):
        for number in range(50):
            append_decisions(tmp_path, {f"{writer}-{number}.png": True})

    threads = [threading.Thread(target=decide, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_decisions(tmp_path)) == 200
