"""Which folders a run takes, and what it leaves in those that it does not."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.dataset import ImageDataset
from stylegan.history import Moment, add_moment
from training.checkpoint import RECORD, recorded, save_flags
from training.config import TrainConfig
from training.folder import claim
from training.snapshot import save_run_card
from training.verify import verify

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(faces, tmp_path):
    return TrainConfig(str(faces), str(tmp_path / "runs/first"))


@pytest.fixture
def begun(config):
    """A run that has a state."""
    with claim(config):
        save_flags(config, ImageDataset(config.data))
        save_run_card(config, ImageDataset(config.data))
    (Path(config.out) / "state/kimg-000020.pt").touch()
    add_moment(config.out, Moment(20.0, "samples/kimg-000020.png"))
    return config


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "kind", ["weights", "other weights", "data set", "home", "card", "inside", "around", "file"]
)
def test_what_is_not_a_runs_is_refused_and_stays_as_it_is(config, weights, faces, tmp_path, kind):
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(faces, data)
    if kind == "weights":
        shutil.copytree(weights, out)
    elif kind == "other weights":  # no more than a config and a card
        out.mkdir()
        for name in ("config.json", "README.md"):
            shutil.copy(Path(weights) / name, out)
    elif kind == "data set":
        shutil.copytree(faces, out)
    elif kind in ("home", "card"):
        out.mkdir()
        (out / {"home": ".profile", "card": "README.md"}[kind]).write_text("mine")
    elif kind == "file":
        out.write_text("mine")
    else:
        out = data / "run" if kind == "inside" else tmp_path
    was = files(tmp_path)
    config = dataclasses.replace(config, data=str(data), out=str(out))
    with pytest.raises(ValueError, match=f"--out {out} (is not empty|is no folder|and --data)"):
        claim(config).__enter__()
    assert files(tmp_path) == was and not (data / "run").exists()


def test_an_empty_name_is_no_folder(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="--out is empty"):
        claim(dataclasses.replace(config, out="")).__enter__()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("there", [False, True])
def test_a_run_that_does_not_begin_leaves_nothing(config, there, tmp_path):
    """A folder that was there stays, empty."""
    if there:
        Path(config.out).mkdir(parents=True)
    with pytest.raises(ValueError, match="refused"), claim(config):
        dataset = ImageDataset(config.data)
        verify(dataset, Path(config.out))
        save_flags(config, dataset)
        save_run_card(config, dataset)
        raise ValueError("refused")
    assert (tmp_path / "runs").exists() == there
    assert not there or not any(Path(config.out).iterdir())


def test_one_run_at_a_time_in_a_folder(begun):
    """A trainer ends with a sentence while another process holds the folder, which stays as it is.
    It would wait half a minute for that one's end."""
    hurried = "import training.folder as f, training.train as t; f.CLAIM_SECONDS = 0.1; t.main()"
    command = [sys.executable, "-c", hurried, "--data", begun.data, "--out", begun.out]
    with claim(begun):
        was = files(Path(begun.out))
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
        assert files(Path(begun.out)) == was
    assert second.returncode == 1
    assert f"error: --out {begun.out} is in use by a run that has not ended" in second.stderr


def test_a_run_that_has_begun_keeps_what_it_has(begun):
    was = files(Path(begun.out))
    with pytest.raises(ValueError, match="refused"), claim(begun):
        raise ValueError("refused")
    assert files(Path(begun.out)) == was


def test_a_run_without_its_states_is_not_begun_anew(begun, capsys):
    """Unless it was killed before there was one: then its state/ is empty."""
    state = Path(begun.out) / "state"
    (state / "kimg-000020.pt").rename(state / "kimg-000020.torn")
    with pytest.raises(ValueError, match="holds the history.jsonl of a run and no state"):
        claim(begun).__enter__()
    shutil.rmtree(state)
    with pytest.raises(ValueError, match=f"or delete {begun.out} to begin anew"):
        claim(begun).__enter__()
    state.mkdir()
    with claim(begun):
        assert "has no state yet, so the run begins anew" in capsys.readouterr().err
    for name in ("kimg-000020", "kimg-000040"):
        (Path(begun.out) / "weights" / name).mkdir(parents=True)
    with pytest.raises(ValueError, match="no state to go on from"):
        claim(begun).__enter__()


@pytest.mark.parametrize("content", ["", '{"data": "fa', "[]", "{}", "null", '{"z_dim": 512}'])
def test_a_damaged_record_is_named_with_the_mend(begun, content, capsys):
    record = Path(begun.out) / RECORD
    record.write_text(content)
    with claim(begun), pytest.raises(ValueError, match=f"{record} is damaged.*; delete it"):
        recorded(begun)
    record.unlink()  # the mend
    with claim(begun):
        assert recorded(begun) == {}
    assert "has no config.json; these flags are taken" in capsys.readouterr().err
    (Path(begun.out) / "state/kimg-000020.pt").unlink()
    record.write_text(content)
    assert recorded(begun) == {} and "it is made anew" in capsys.readouterr().err


def test_notes_in_the_card_of_a_run_are_kept(begun, monkeypatch):
    card, dataset = Path(begun.out) / "README.md", ImageDataset(begun.data)
    monkeypatch.setattr("sys.argv", ["train.py", "--total-kimg", "9"])
    save_run_card(begun, dataset)
    assert "training/train.py --total-kimg 9" in card.read_text()
    card.write_text(card.read_text() + "\nThe one with the green hair.\n")
    was = card.read_text()
    monkeypatch.setattr("sys.argv", ["train.py", "--total-kimg", "10"])
    save_run_card(begun, dataset)
    assert card.read_text() == was


def test_a_record_that_cannot_be_written_names_itself_and_keeps_the_old_one(begun):
    record = Path(begun.out) / RECORD
    (record.parent / f".{RECORD}.new").symlink_to("/dev/full")
    longer = dataclasses.replace(begun, total_kimg=2000.0)
    with pytest.raises(OSError, match=f"{record} cannot be saved: No space left on device"):
        save_flags(longer, ImageDataset(begun.data))
    assert json.loads(record.read_text())["total_kimg"] == 1000.0
    assert sorted(path.name for path in record.parent.glob(f"*{RECORD}*")) == [RECORD]
