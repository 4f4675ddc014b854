"""The command: a small folder for real, the refusals, and the collection of hard cases."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from preprocessing.crop import crop_face
from preprocessing.detect import Box
from preprocessing.listing import LISTING, METADATA, read_listing
from preprocessing.prepare import main
from preprocessing.read import read_image
from tests.preprocessing.films import write_film

ROOT = Path(__file__).parents[2]
COPIES = ("the same as another", "nearly the same as another")
HARD_CASES = ROOT.parent / "shared" / "data" / "hard_cases"


def prepared(out):
    """The rows of dataset.json, after checking that the folder holds exactly their PNG files."""
    content = json.loads((out / "dataset.json").read_text())
    rows = content["faces"] + content["rejected"]
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files - {"report.html"} == {LISTING, METADATA, *(row["file"] for row in rows)}
    for row in rows:
        with Image.open(out / row["file"]) as image:
            assert image.format == "PNG" and image.mode == "RGB"
            assert image.size == (content["size"], content["size"])
        assert row["file"].startswith("rejected/") == ("reason" in row)
    return content["faces"]


def bytes_of(folder):
    """What every file below a folder holds."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def portraits(tmp_path):
    """A folder of two usable portraits, one too small, and everything that goes wrong."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    portrait = Image.fromarray(data.astronaut())
    portrait.save(folder / "a.png")
    portrait.save(folder / "a_again.png")
    portrait.rotate(10).save(folder / "sub" / "a.jpg", quality=95)
    portrait.save(folder / "a_nearly.jpg", quality=95)
    portrait.resize((200, 200), Image.Resampling.BOX).save(folder / "small.png")  # 37 pixel face
    portrait.crop((170, 60, 280, 170)).save(folder / "tight.png")  # hardly more than the face
    Image.new("RGB", (200, 100), "gray").save(folder / "wall.png")
    (folder / "broken.jpg").write_bytes(b"<html>not found</html>")
    (folder / "readme.txt").write_text("text")
    return folder


def test_command_keeps_the_faces_and_says_why_not_the_rest(portraits, tmp_path):
    """Run as a person would: eight pictures, two faces kept, each of the others accounted for."""
    out = tmp_path / "dataset"
    command = [sys.executable, "-m", "preprocessing.prepare", str(portraits), "--out", str(out)]
    done = subprocess.run(
        [*command, "--size", "64"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    rows = prepared(out)
    assert [row["file"] for row in rows] == ["photos/000003-1.png", "photos/000006-1.png"]
    assert [Path(row["source"]).name for row in rows] == ["a_nearly.jpg", "a.jpg"]
    assert {row["label"] for row in rows} == {"photos"}
    expected = crop_face(read_image(rows[0]["source"]), Box(*rows[0]["box"]), 64)
    np.testing.assert_array_equal(read_image(out / rows[0]["file"]), expected)
    counted = [
        line for line in done.stdout.splitlines() if line[0] == " " and line.split()[0].isdigit()
    ]
    assert [line.split(maxsplit=1) for line in counted] == [
        ["2", str(out / "photos")],
        ["1", "nearly the same as another"],
        ["1", "the same as another"],
        ["1", "too small for 64 pixels"],
        ["1", "too close to the picture's edge"],
        ["1", "unreadable"],
        ["1", "no face found"],
        ["1", "files that are no pictures"],
    ]
    reason = "is not a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF picture"
    assert done.stderr == f"{portraits / 'broken.jpg'} {reason}\n"


def test_two_runs_write_the_same_bytes_whatever_the_workers(portraits, tmp_path):
    """41 pictures are two units."""
    for number in range(33):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(portraits / f"plain_{number}.png")
    outs = [tmp_path / workers / "out" for workers in ("1", "2")]  # of one name: the report has it
    for out in outs:
        assert main([str(portraits), "--out", str(out), "--workers", out.parent.name]) == 0
    assert bytes_of(outs[0]) == bytes_of(outs[1])


def test_a_folder_a_zip_file_and_a_film_are_three_labels(tmp_path):
    """The film shows a wall for a second and then, four frames a second, a face."""
    face = data.astronaut()[:256, 80:336]
    (tmp_path / "photos").mkdir()
    Image.fromarray(face).save(tmp_path / "photos" / "a b.png")
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as file:
        file.write(tmp_path / "photos" / "a b.png", "../c.png")
    write_film(tmp_path / "film.mp4", [(99, 99, 99)] * 4 + [face] * 4, (256, 256), fps=4)
    inputs = [str(tmp_path / name) for name in ("photos", "album.zip", "film.mp4")]
    out = tmp_path / "out"
    assert main([*inputs, "--out", str(out), "--every", "0.5"]) == 0
    photo, packed, filmed = prepared(out)
    assert [row["label"] for row in (photo, packed, filmed)] == ["photos", "album", "film"]
    assert packed["file"] == "album/000001-1.png"
    assert packed["source"] == f"{tmp_path}/album.zip/../c.png"
    assert (out / packed["file"]).read_bytes() == (out / photo["file"]).read_bytes()
    assert filmed["twins"] == packed["twins"] == photo["twins"]
    listing = read_listing(out)
    assert [row["time"] for row in listing.pictures] == [0.0, 0.5]
    assert {row["time"] for row in (filmed, *listing.rejected)} == {1.0, 1.5}


def test_folders_of_one_name_get_numbered_labels(tmp_path, capsys):
    """x/faces, y/Faces and a single picture of z/faces: three labels, in the order given."""
    inputs = []
    for parent, name in (("x", "faces"), ("y", "Faces"), ("z", "faces")):
        folder = tmp_path / parent / name
        folder.mkdir(parents=True)
        Image.fromarray(data.astronaut()).save(folder / "a.png")
        inputs.append(folder)
    inputs[2] = inputs[2] / "a.png"
    inputs.append(inputs[0])  # given twice, searched once
    out = tmp_path / "dataset"
    assert main([*map(str, inputs), "--out", str(out)]) == 0
    labels = [row["label"] for row in prepared(out)]
    assert labels == ["faces", "Faces_2", "faces_3"]
    assert "pictures: 3\n" in capsys.readouterr().out


def test_a_folder_whose_pictures_hold_no_face_is_named_in_the_summary(tmp_path, capsys):
    for name, picture in (("people", data.astronaut()), ("walls", np.full((99, 99, 3), 128, "u1"))):
        (tmp_path / name).mkdir()
        Image.fromarray(picture).save(tmp_path / name / "a.png")
    inputs = [str(tmp_path / "people"), str(tmp_path / "walls")]
    assert main([*inputs, "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr()
    assert f"no face came from INPUT {inputs[1]}\n" in told.err
    assert len(prepared(tmp_path / "out")) == 1
    lines = [line.split() for line in told.out.splitlines()]
    assert ["1", str(tmp_path / "out/people")] in lines
    assert ["0", str(tmp_path / "out/walls")] in lines
    assert (tmp_path / "out/report.html").exists()
    for what in (f"look at it {tmp_path / 'out/report.html'}", f"--data {tmp_path / 'out'} --out"):
        assert what in " ".join(told.out.split())


def test_an_input_without_pictures_is_refused_before_anything_is_written(tmp_path, capsys):
    (tmp_path / "people").mkdir()
    Image.fromarray(data.astronaut()).save(tmp_path / "people" / "a.png")
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.txt").write_bytes(bytes(100))
    inputs = [str(tmp_path / "people"), str(tmp_path / "clips")]
    assert main([*inputs, "--out", str(tmp_path / "out")]) == 1
    sentence = "clips holds no pictures (files that are no pictures: 1)"
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_whose_name_is_no_utf8_gives_a_label_that_is(tmp_path):
    folder = tmp_path / os.fsdecode(b"Andr\xe9")
    folder.mkdir()
    Image.fromarray(data.astronaut()).save(folder / "a.png")
    assert main([str(folder), "--out", str(tmp_path / "out")]) == 0
    (row,) = prepared(tmp_path / "out")
    assert row["label"] == r"Andr\xe9" and Path(row["source"]) == folder / "a.png"


def test_without_any_face_the_reasons_are_listed(tmp_path, capsys):
    (tmp_path / "walls").mkdir()
    Image.new("RGB", (200, 100), "gray").save(tmp_path / "walls" / "wall.png")
    assert main([str(tmp_path / "walls"), "--out", str(tmp_path / "dataset")]) == 1
    assert "no face was kept" in capsys.readouterr().err
    listing = read_listing(tmp_path / "dataset")
    assert listing.faces == [] and [row["reason"] for row in listing.pictures] == ["no face found"]


@pytest.mark.parametrize(
    "flags, sentence",
    [
        (["in", "--out", "new", "--size", "0"], "--size must be a power of two .* got 0"),
        (["in", "--out", "new", "--size", "100"], "--size must be a power of two .* got 100"),
        (["in", "--out", "new", "--size", "2048"], "--size must be a power of two .* got 2048"),
        (["in", "--out", "new", "--size", "big"], "--size: invalid int value: 'big'"),
        (["nowhere", "--out", "new"], "INPUT nowhere does not exist"),
        (["in", "--out", ""], "it is empty; name a folder"),
        (["in", "--out", "full/file.txt"], "--out full/file.txt is a file"),
        (["in", "--out", "in/new"], "--out in/new must not lie inside INPUT in"),
        (["", "--out", "new"], "argument INPUT: it is empty"),
        (["in", "--out", ""], "argument --out: it is empty"),
        (["in"], "required: --out"),
        (["--out", "new"], "required: INPUT"),
    ],
)
def test_bad_flags_are_refused_before_anything_is_written(
    flags, sentence, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("full").mkdir()
    Path("full/file.txt").write_text("kept")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as stop:
        main(flags)
    assert stop.value.code == 2
    assert re.search(sentence, capsys.readouterr().err)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(not HARD_CASES.is_dir(), reason="the hard cases are not on this machine")
def test_hard_cases_end_as_their_index_says(tmp_path, capsys):
    """One run over all of them: no crop without a face, none lost in a plain readable portrait."""
    assert main([str(HARD_CASES), "--out", str(tmp_path / "out")]) == 0
    num_kept = {}
    copies = [row for row in read_listing(tmp_path / "out").rejected if row["reason"] in COPIES]
    for row in prepared(tmp_path / "out") + copies:  # many of them are one portrait
        name = Path(row["source"]).relative_to(HARD_CASES).as_posix()
        num_kept[name] = num_kept.get(name, 0) + 1
    unreadable = capsys.readouterr().err
    index = json.loads((HARD_CASES / "index.json").read_text())
    no_face = {row["file"] for row in index if row["faces"] == 0}
    assert not no_face & num_kept.keys()
    assert all(
        f"{HARD_CASES / row['file']} " in unreadable for row in index if row["decodable"] is False
    )
    assert (
        "truncated_video.webm ends early, at 0:01 of 0:05; what comes before is used" in unreadable
    )
    without = read_listing(tmp_path / "out").pictures
    assert [row["time"] for row in without if "time" in row] == [0.0, 1.0]  # what it had
    assert num_kept["many_faces_15.jpg"] == 15
    assert num_kept["two_faces_big_small.jpg"] == 2
    for number in (1, 2, 3):
        assert num_kept[f"false_positive_{number}.jpg"] == 1
    portraits = "alpha.png cmyk.jpg gray.jpg gray16.png gray_alpha.png palette.png rgb16.png"
    portraits += (
        " photo.bmp photo.webp progressive.jpg duplicate_a.jpg nested/deeper/duplicate_a.jpg"
    )
    portraits += " exif_orientation_6.jpg exif_orientation_8.jpg UPPERCASE.JPG no_extension"
    portraits += " face_fills_frame.jpg unicode_žluťoučký_顔.jpg"
    assert [name for name in portraits.split() if num_kept.get(name) != 1] == []
