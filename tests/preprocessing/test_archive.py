"""Pictures in zip files: which are found, and archives that mean harm or are damaged."""

import io
import zipfile
import zlib

import pytest
from PIL import Image

from preprocessing.archive import ENCRYPTED, PACKED_FILM, PACKED_ZIP, list_members, read_member
from preprocessing.read import read_image


def picture(colour="red", kind="PNG"):
    content = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(content, kind)
    return content.getvalue()


def archive(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files:
            file.writestr(name, content)
    return str(path)


def test_pictures_are_found_by_name_or_content_wherever_they_claim_to_lie(tmp_path):
    names = ["../../up.png", "/etc/root.png", "b\\c.png", "žluť/顔 1.png", "no_extension", "a.heic"]
    path = archive(tmp_path / "a.zip", [(name, picture()) for name in names])
    members, passed_over = list_members(path)
    assert sorted(member.name for member in members) == sorted(names)
    assert not passed_over
    for member in members:
        image = read_image(member.name, content=read_member(path, member))
        assert (image == [255, 0, 0]).all()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_two_pictures(tmp_path):
    path = archive(tmp_path / "a.zip", [("a.png", picture("red")), ("a.png", picture("blue"))])
    members, _ = list_members(path)
    assert [read_image("a", content=read_member(path, m))[0, 0, 2] for m in members] == [0, 255]


def test_the_rest_is_counted_by_what_it_is(tmp_path):
    names = ["a.mkv", "b.zip", ".c.png", "__MACOSX/d.png", "e.txt", "f/"]
    path = archive(tmp_path / "a.zip", [(name, b"text") for name in names])
    members, passed_over = list_members(path)
    assert members == []
    assert passed_over == {
        PACKED_FILM: 1,
        PACKED_ZIP: 1,
        "hidden": 2,
        "files that are no pictures": 1,
    }


def test_encrypted_pictures_are_counted_and_not_read(tmp_path):
    path = archive(tmp_path / "a.zip", [("a.png", picture())])
    content = bytearray((tmp_path / "a.zip").read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + offset] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    assert list_members(path) == ([], {ENCRYPTED: 1})


def test_a_bomb_is_refused_whatever_size_it_declares(tmp_path, monkeypatch):
    monkeypatch.setattr("preprocessing.archive.MAX_BYTES", 1000)
    path = archive(tmp_path / "a.zip", [("a.png", bytes(1_000_000))])
    ((member,), _) = list_members(path)
    with pytest.raises(ValueError, match="^a.png unpacks to more than 0 MB"):
        read_member(path, member)


def test_damaged_members_and_archives_are_told(tmp_path):
    path = archive(tmp_path / "a.zip", [("a.png", zlib.compress(picture()) * 20)])
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[60] ^= 255
    (tmp_path / "a.zip").write_bytes(content)
    ((member,), _) = list_members(path)
    with pytest.raises(ValueError, match="^a.png cannot be unpacked"):
        read_member(path, member)
    (tmp_path / "b.zip").write_bytes(content[:-30])
    with pytest.raises(ValueError, match="^b.zip cannot be read as a zip file .File is not a zip"):
        list_members(str(tmp_path / "b.zip"))
