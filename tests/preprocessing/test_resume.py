"""A run that is killed goes on to the same bytes; a folder of others is left alone."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from preprocessing import unit
from preprocessing.prepare import main
from tests.preprocessing.films import write_film

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """Four units of small pictures, some of them a face, and one of a film."""
    folder = tmp_path_factory.mktemp("inputs") / "album"
    folder.mkdir()
    face = Image.fromarray(data.astronaut()).crop((130, 0, 330, 200)).resize((96, 96))
    for number in range(100):
        angle, size = number % 5 * 4 - 8, 96 + number % 3
        picture = face if number % 4 == 0 else face.crop((0, 60, 40, 90))
        picture.rotate(angle).resize((size, size)).save(folder / f"{number:03d}.png")
    write_film(folder / "film.mp4", [(n, 9 * n % 255, 90) for n in range(40)])
    return folder


@pytest.fixture(scope="module")
def unbroken(album, tmp_path_factory):
    """The bytes of a run that nobody stops."""
    out = tmp_path_factory.mktemp("unbroken") / "out"
    assert main([*flags(album, out), "--workers", "1"]) == 0
    return bytes_of(out)


def flags(album, out):
    return [str(album), "--out", str(out), "--size", "32", "--every", "0.1"]


def bytes_of(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def units(out):
    return len(list(out.glob(".work/units/**/*.jsonl")))


@pytest.mark.parametrize("end, workers", [(signal.SIGKILL, 2), (signal.SIGTERM, 1)])
def test_a_run_that_is_killed_goes_on_to_the_same_bytes(end, workers, album, unbroken, tmp_path):
    """Killed three times, each time when some more of the five units are done."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "preprocessing.prepare", *flags(album, out)]
    command += ["--workers", str(workers)]
    for _ in range(3):
        before = units(out)
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as run:
            until = time.monotonic() + 60
            while units(out) <= before and run.poll() is None:
                assert time.monotonic() < until
                time.sleep(0.002)
            run.send_signal(end)
        if run.returncode == 0:
            break
        assert run.returncode == (-signal.SIGKILL if end == signal.SIGKILL else 130)
    assert main([*flags(album, out), "--workers", "1"]) == 0
    assert bytes_of(out) == unbroken


class Killed(BaseException):
    pass


def test_a_run_that_is_killed_at_the_very_end_goes_on_too(
    album, unbroken, tmp_path, monkeypatch, capsys
):
    """Before each of the last steps in turn: renaming copies, both lists, the report, the end."""
    out = tmp_path / "out"
    steps = ["os.replace"] * 9 + ["shutil.rmtree"]
    for number, step in enumerate(steps):
        calls = iter(range(99))
        module, name = step.split(".")
        real = getattr(sys.modules[module], name)

        def killed(*args, number=number, calls=calls, real=real, **more):
            if next(calls) >= 12 * number:
                raise Killed
            return real(*args, **more)

        with monkeypatch.context() as patch:
            patch.setattr(step, killed)
            with contextlib.suppress(Killed):
                main([*flags(album, out), "--workers", "1"])
    assert main([*flags(album, out), "--workers", "1"]) == 0
    assert bytes_of(out) == unbroken
    assert main([*flags(album, out), "--workers", "1"]) == 0
    assert "out is complete already; for pictures that came" in capsys.readouterr().out


def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(
    album, unbroken, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "out"

    def full(fd):
        if units(out) > 1:
            raise OSError(28, "No space left on device")
        os.fdatasync(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert main([*flags(album, out), "--workers", "1"]) == 1
    told = capsys.readouterr().err
    assert "stopped, the dataset is unfinished: " in told
    assert "cannot be saved: No space left on device; the same line again goes on" in told
    assert main([*flags(album, out), "--workers", "1"]) == 0
    assert bytes_of(out) == unbroken


def test_a_folder_of_other_flags_is_refused_in_words(album, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(unit, "find_faces", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            main([*flags(album, out), "--workers", "1"])
    assert (out / ".work" / "plan.jsonl").exists()
    before = bytes_of(out)
    assert main([*flags(album, out), "--size", "64"]) == 1
    told = "out is half made with other flags (--size 32 and not 64); give those, or name a new"
    assert told in capsys.readouterr().err
    assert bytes_of(out) == before


def test_a_complete_dataset_of_other_flags_and_a_strange_folder_are_refused(
    album, unbroken, tmp_path, capsys
):
    out = tmp_path / "out"
    for name, content in unbroken.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
    other = shutil.copytree(album, tmp_path / "other album")
    assert main(flags(other, out)) == 1
    told = f"holds a dataset that was made with other flags (INPUT {album} and not {other})"
    assert told in capsys.readouterr().err
    assert main([*flags(album, out), "--grayscale"]) == 1
    assert "(--grayscale False and not True)" in capsys.readouterr().err
    assert bytes_of(out) == unbroken
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "novel.txt").write_text("kept")
    assert main(flags(album, tmp_path / "mine")) == 1
    assert "mine is not empty; name a new folder" in capsys.readouterr().err
    assert bytes_of(tmp_path / "mine") == {"novel.txt": b"kept"}
