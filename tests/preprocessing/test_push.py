"""A data set on the Hub, with the real client against a Hub on loopback."""

import json

import numpy as np
import pytest
from huggingface_hub import DatasetCard, HfApi
from PIL import Image

from evaluation.source import open_dataset
from preprocessing import push as push_module
from preprocessing.card import MARK, card_text, plain_name, size_category
from preprocessing.listing import Listing, append_decisions
from preprocessing.push import hub_names, main, parts, push

NAMES = [f"{'photos' if n % 2 else 'film'}/{n:06d}-1.png" for n in range(6)]


def files(hub, name="alice/faces"):
    return sorted(HfApi(endpoint=hub.url).list_repo_files(name, repo_type="dataset"))


def sent(hub):
    """How many commits and checksums of files were sent since the log was cleared."""
    return sum("/commit/" in path for _, path, *_ in hub.log)


def text(hub, file, name="alice/faces"):
    path = HfApi(endpoint=hub.url).hf_hub_download(name, file, repo_type="dataset")
    return open(path, encoding="utf-8").read()


def test_kept_faces_become_an_image_folder_of_which_nothing_tells_a_path(hub_here, prepared):
    append_decisions(prepared, {"film/000000-1.png": False})
    append_decisions(prepared, {"rejected/photos/000007-1.png": True})
    (prepared / "photos/000001-1.png").unlink()
    push(prepared, "alice/faces", licence="cc-by-4.0")
    names = sorted([*NAMES[2:], "photos/000007-1.png"])
    assert files(hub_here) == sorted([".gitattributes", "README.md", "metadata.jsonl", *names])
    metadata, card = text(hub_here, "metadata.jsonl"), text(hub_here, "README.md")
    rows = [json.loads(line) for line in metadata.splitlines()]
    assert [row["file_name"] for row in rows] == names
    assert rows[0] == {
        **{"file_name": "film/000002-1.png", "label": "film", "source": "film.mkv", "time": 1.0},
    }
    assert rows[-1]["source"] == "7.jpg" and rows[-1]["label"] == "photos"
    assert all(
        "alice\\" not in x and "/home" not in x and "holiday" not in x for x in (metadata, card)
    )
    data = DatasetCard(card).data
    assert data.license == "cc-by-4.0" and data.size_categories == ["n<1K"]
    assert data.task_categories == ["unconditional-image-generation"]
    assert data.configs[0]["data_files"] == [{"split": "train", "path": "**"}]
    assert "| film | 2 | film.mkv (2) |" in card and "| photos | 3 | pictures (3) |" in card
    assert "(`--size 32 --detector haar --level`)" in card
    assert "As the owner gives it: cc-by-4.0." in card and "Faces of real people" in card


def test_a_second_call_sends_what_is_missing_and_deletes_what_went(hub_here, prepared):
    push(prepared, "alice/faces", licence="mit")
    hub_here.log.clear()
    told = push(prepared, "alice/faces")
    assert told == "alice/faces: 0 faces sent, 0 deleted, 6 are there now" and sent(hub_here) == 0
    append_decisions(prepared, {NAMES[0]: False})
    pixels = np.zeros((32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(prepared / NAMES[1])
    assert push(prepared, "alice/faces").endswith("1 faces sent, 1 deleted, 5 are there now")
    assert NAMES[0] not in files(hub_here) and NAMES[1] in files(hub_here)
    assert sent(hub_here) == 1 and NAMES[0] not in text(hub_here, "metadata.jsonl")
    assert "As the owner gives it: mit." in text(hub_here, "README.md")


def test_every_commit_is_a_whole_set_and_the_same_command_goes_on(hub_here, prepared, monkeypatch):
    """Two files a commit, large ones by their checksums; the second commit fails."""
    monkeypatch.setattr(push_module, "MANY", 2)
    hub_here.lfs_over = 3000  # a picture has more bytes, the card has less
    create_commit, calls = HfApi.create_commit, []

    def fail_once(*args, **kwargs):
        calls.append(kwargs)
        if len(calls) == 2:
            raise OSError("the line is cut")
        return create_commit(*args, **kwargs)

    monkeypatch.setattr(HfApi, "create_commit", fail_once)
    with pytest.raises(
        SystemExit, match="alice/faces is not pushed whole: .* cut; the same command"
    ):
        main([str(prepared), "alice/faces"])
    assert open_dataset("alice/faces").names == NAMES[0:4:2]
    assert "| film | 2 |" in text(hub_here, "README.md")
    assert push(prepared, "alice/faces").startswith("alice/faces: 4 faces sent, 0 deleted, 6 are")
    assert len(calls) == 4 and sorted(open_dataset("alice/faces").names) == sorted(NAMES)
    hub_here.log.clear()
    push(prepared, "alice/faces")
    assert sent(hub_here) == 0


def test_what_somebody_else_put_there_or_wrote_stays(hub_here, prepared):
    api = HfApi(endpoint=hub_here.url)
    api.create_repo("alice/other", repo_type="dataset")
    where = dict(repo_id="alice/other", repo_type="dataset")
    api.upload_file(path_or_fileobj=b"x", path_in_repo="cat.png", **where)
    with pytest.raises(SystemExit, match="alice/other holds cat.png, which was not pushed by this"):
        main([str(prepared), "alice/other"])
    push(prepared, "alice/faces")
    where["repo_id"] = "alice/faces"
    api.upload_file(path_or_fileobj=b"x", path_in_repo="example.jpg", **where)
    own = text(hub_here, "README.md").replace(MARK, "") + "Thanks to Bob.\n"
    api.upload_file(path_or_fileobj=own.encode(), path_in_repo="README.md", **where)
    append_decisions(prepared, {NAMES[0]: False})
    push(prepared, "alice/faces")
    assert text(hub_here, "README.md") == own and "example.jpg" in files(hub_here)


@pytest.mark.parametrize(
    "repo, more, sentence",
    [
        ("bob/faces", [], "bob/faces is not pushed whole: your token may not write there"),
        ("alice/public", ["--private"], "alice/public is public already; make it private in its"),
        ("alice/faces", ["elsewhere"], "elsewhere has no dataset.json; write the folder with"),
    ],
)
def test_what_cannot_be_pushed_is_said(hub_here, prepared, repo, more, sentence):
    HfApi(endpoint=hub_here.url).create_repo("alice/public", repo_type="dataset")
    folder = [] if more == ["elsewhere"] else [str(prepared)]
    with pytest.raises(SystemExit, match=f"^error: {sentence}"):
        main([*folder, *[x for x in more if x == "elsewhere"], repo, *more[: len(folder)]])


def test_a_set_without_kept_faces_a_name_and_a_missing_hub_are_said(
    hub_here, prepared, monkeypatch
):
    with pytest.raises(SystemExit):
        main([str(prepared), "faces"])
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SystemExit, match="not pushed whole: the Hub cannot be reached"):
        main([str(prepared), "alice/faces"])
    for name in NAMES:
        append_decisions(prepared, {name: False})
    with pytest.raises(SystemExit, match="keeps no face, so there is nothing to push"):
        main([str(prepared), "alice/faces"])


def test_a_private_set_is_read_with_its_owners_token_only(hub_here, prepared, monkeypatch):
    push(prepared, "alice/secret", private=True)
    assert len(open_dataset("alice/secret")) == 6
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(prepared.parent / "other"))
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(prepared / "no-token"))
    with pytest.raises(ValueError, match="--data alice/secret is no folder here, and no data set"):
        open_dataset("alice/secret")


def test_a_folder_of_too_many_is_sharded_and_no_decision_moves_a_face():
    """12 000 faces of a folder, each twelfth refused: 5000 to a shard, as they follow."""
    faces, rejected = [], []
    for number in range(12_000):
        row = {"file": f"photos/{number // 5000:02d}/{number:06d}-1.png", "label": "photos"}
        faces.append(row | {"file": f"photos/{number:06d}-1.png"})
        if number % 12 == 0:
            rejected.append(row | {"file": f"rejected/photos/{number:06d}-1.png"})
            faces.pop()
    names = hub_names(Listing(64, {}, faces, rejected))
    assert len(set(names.values())) == 12_000
    assert names["rejected/photos/000000-1.png"] == "photos/0000/000000-1.png"
    assert names["photos/004999-1.png"] == "photos/0000/004999-1.png"
    assert names["photos/005001-1.png"] == "photos/0001/005001-1.png"
    few = Listing(64, {}, faces[:10], rejected[:1])
    assert hub_names(few)["rejected/photos/000000-1.png"] == "photos/000000-1.png"


def test_commits_are_bounded_in_files_and_bytes(monkeypatch):
    monkeypatch.setattr(push_module, "MANY", 3)
    monkeypatch.setattr(push_module, "MANY_BYTES", 10)
    sizes = {"a": 4, "b": 6, "c": 1, "d": 30}
    assert list(parts(list("abcdefgh"), sizes)) == [
        ["a", "b"],
        ["c"],
        ["d"],
        ["e", "f", "g"],
        ["h"],
    ]


def test_a_card_tells_no_path_and_is_safe_with_any_name():
    assert plain_name("/home/x/a b.jpg") == plain_name("D:\\x\\a b.jpg") == "a b.jpg"
    assert plain_name("album.zip/in/a\udce9.jpg") == "a\\xe9.jpg"
    row = {"label": "a|b\n<c>", "source": "/srv/x/Album.zip/in/1.jpg"}
    card = card_text(
        "alice/faces",
        [row],
        64,
        {"inputs": ["/srv/x"], "every": 0.5, "level": False, "faces": "union", "pick": 0},
        None,
    )
    assert "| a\\|b &lt;c> | 1 | Album.zip (1) |" in card and "(`--every 0.5 --union`)" in card
    assert "None is given" in card and "/srv" not in card
    assert [size_category(n) for n in (999, 1000, 200_000)] == ["n<1K", "1K<n<10K", "100K<n<1M"]
