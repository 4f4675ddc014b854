"""What `--data` names: a folder, a zip file, a data set on the Hub."""

import json
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from PIL import Image

from evaluation import unpack
from evaluation.source import find_data, on_hub, open_dataset
from preprocessing.listing import append_decisions
from preprocessing.push import push

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def pack(path, folder, top=""):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, top + file.relative_to(folder).as_posix())
    return str(path)


def caches(tmp_path):
    return sorted(p.name for p in (tmp_path / "cache/stylegan-playground").glob("[!.]*"))


def test_a_zip_is_the_folder_that_was_packed(faces, prepared, tmp_path):
    """With its names, labels and decisions; also if it was packed with its folder."""
    own = open_dataset(pack(tmp_path / "faces.zip", faces))
    folder = open_dataset(str(faces))
    assert own.identity() == folder.identity() and own.counts() == folder.counts()
    append_decisions(prepared, {"film/000000-1.png": False})
    for top in ("", "my faces/"):
        data = pack(tmp_path / f"{len(top)}.zip", prepared, top)
        assert open_dataset(data).identity() == open_dataset(str(prepared)).identity()


def test_a_zip_is_unpacked_once_and_again_if_something_is_gone(faces, tmp_path, capsys):
    data = pack(tmp_path / "a.zip", faces)
    folder = find_data(data).folder
    assert f"a.zip is unpacked into {folder}" in capsys.readouterr().err
    assert find_data(data).folder == folder and not capsys.readouterr().err
    assert (tmp_path / "cache") in folder.parents and len(caches(tmp_path)) == 1
    next(folder.rglob("*.png")).unlink()
    assert len(open_dataset(data)) == 8
    with zipfile.ZipFile(data, "a") as archive:
        archive.write(next(faces.rglob("*.png")), "late/another.png")
    assert len(open_dataset(data)) == 9


def test_what_is_hidden_and_links_in_a_zip_are_left_out(faces, tmp_path):
    data = pack(tmp_path / "a.zip", faces)
    link = zipfile.ZipInfo("late/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("__MACOSX/late/._face.png", b"x")
        archive.writestr(".DS_Store", b"x")
    folder = find_data(data).folder
    assert sum(path.is_file() for path in folder.rglob("*")) == 8


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "b/../../a.png", "..\\a.png", "C:\\a.png"])
def test_a_zip_writes_nothing_outside_its_folder(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/good.png", b"x")
        archive.writestr(name, b"x")
    with pytest.raises(ValueError, match="a.zip holds .*a.png', which would lie outside its fold"):
        find_data(str(tmp_path / "a.zip"))
    assert caches(tmp_path) == []


def test_a_zip_that_is_damaged_locked_or_a_bomb_leaves_nothing(faces, tmp_path, monkeypatch):
    data = Path(pack(tmp_path / "a.zip", faces))
    whole = data.read_bytes()
    data.write_bytes(whole[:300] + bytes(100) + whole[400:])
    with pytest.raises(ValueError, match="a.zip is damaged, or no zip file: "):
        find_data(str(data))
    data.write_bytes(whole[:-100])
    with pytest.raises(ValueError, match="a.zip is damaged, or no zip file: "):
        find_data(str(data))
    locked = bytearray(whole)
    locked[whole.rindex(b"PK\x01\x02") + 8] |= 1
    data.write_bytes(locked)
    with pytest.raises(ValueError, match="a.zip is encrypted; unpack it and give the folder"):
        find_data(str(data))
    data.write_bytes(whole)
    for name, value, words in [
        ("SOME", -100 * len(whole), "would unpack to 0.0 GB, 100 times its own size"),
        ("MOST_FILES", 7, "holds more than 7 files"),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(unpack, name, value)
            with pytest.raises(ValueError, match=words):
                find_data(str(data))
    with monkeypatch.context() as patch:
        patch.setattr(unpack.shutil, "disk_usage", lambda path: type("", (), {"free": 10}))
        with pytest.raises(OSError, match="a.zip cannot be unpacked: it needs 0.0 GB, and 0.0 are"):
            find_data(str(data))
    with zipfile.ZipFile(data, "w"):
        pass
    with pytest.raises(ValueError, match="a.zip holds no files"):
        find_data(str(data))
    assert caches(tmp_path) == []


def test_a_cache_that_cannot_be_made_is_said(faces, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(OSError, match="cannot be unpacked: the cache .* cannot be made: Not a dir"):
        find_data(pack(tmp_path / "a.zip", faces))


def test_of_two_processes_one_unpacks(faces, tmp_path):
    data = pack(tmp_path / "a.zip", faces)
    code = f"from evaluation.unpack import unpacked; unpacked(__import__('pathlib').Path({data!r}))"
    command = dict(cwd=ROOT, stderr=subprocess.PIPE, text=True)
    both = [subprocess.Popen([sys.executable, "-c", code], **command) for _ in range(2)]
    told = [process.communicate(timeout=120)[1] for process in both]
    assert sorted(len(text) > 0 for text in told) == [False, True], told
    assert len(open_dataset(data)) == 8


def test_a_name_is_of_the_hub_unless_there_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert on_hub("alice/faces")
    (tmp_path / "alice/faces").mkdir(parents=True)
    assert not on_hub("alice/faces")
    for name in ("faces", "../faces", "/nowhere/faces", "a/b/c", ""):
        with pytest.raises(
            ValueError, match="is no folder, no zip file and no user/name of a data"
        ):
            on_hub(name)


def test_a_set_of_the_hub_is_downloaded_once_and_read_without_it(hub_here, prepared, monkeypatch):
    push(prepared, "alice/faces")
    first = open_dataset("alice/faces")
    assert first.identity() == open_dataset(str(prepared)).identity() and len(first.commit) == 40
    hub_here.log.clear()
    assert open_dataset("alice/faces").commit == first.commit
    assert not any("/resolve/" in path for _, path, *_ in hub_here.log)
    append_decisions(prepared, {"film/000000-1.png": False})
    push(prepared, "alice/faces")
    assert len(open_dataset("alice/faces")) == 5
    assert len(open_dataset("alice/faces", first.commit)) == 6
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert len(open_dataset("alice/faces")) == 5
    assert open_dataset("alice/faces", first.commit).is_the_one(first.identity())
    with pytest.raises(OSError, match="alice/others is no folder here, and the Hub cannot be reac"):
        open_dataset("alice/others")


def test_a_part_of_a_set_is_no_set(hub_here, prepared, monkeypatch):
    """A file of the copy goes while the Hub is away."""
    push(prepared, "alice/faces")
    next(find_data("alice/faces").folder.rglob("*.png")).unlink()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(OSError, match="a part of it is missing that the Hub cannot be reached for"):
        open_dataset("alice/faces")


def test_what_is_no_data_set_of_pictures_is_said(hub_here, tmp_path):
    api = HfApi(endpoint=hub_here.url)
    for name, file in [("alice/table", "train.csv"), ("alice/plain", "early/A.PNG")]:
        api.create_repo(name, repo_type="dataset")
        Image.new("L", (32, 32)).save(tmp_path / "a.png")
        what = dict(path_or_fileobj=tmp_path / "a.png", path_in_repo=file)
        api.upload_file(repo_id=name, repo_type="dataset", **what)
    with pytest.raises(ValueError, match="alice/table on the Hub holds no picture files"):
        open_dataset("alice/table")
    assert open_dataset("alice/plain").counts() == {"early": 1}
    with pytest.raises(ValueError, match="alice/nothing is no folder here, and no data set on the"):
        open_dataset("alice/nothing")
    with pytest.raises(ValueError, match="alice/plain on the Hub has no commit 0000"):
        open_dataset("alice/plain", "0" * 40)


def test_a_set_that_was_uploaded_as_a_folder_is_read_with_its_decisions(hub_here, prepared):
    """With `hf upload`, rejected faces and all."""
    append_decisions(prepared, {"film/000000-1.png": False})
    api = HfApi(endpoint=hub_here.url)
    api.create_repo("alice/all", repo_type="dataset")
    api.upload_folder(repo_id="alice/all", repo_type="dataset", folder_path=prepared)
    dataset = open_dataset("alice/all")
    assert dataset.counts() == {"film": 2, "photos": 3}
    assert json.loads((prepared / "dataset.json").read_text())["rejected"]
