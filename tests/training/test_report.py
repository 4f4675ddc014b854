"""What a run says and writes down."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from training.report import JsonLines, Reporter, log_pictures


def scalars(**values):
    return {name: torch.tensor(value) for name, value in values.items()}


def step(loss_g, **more):
    return scalars(**{"loss/G": loss_g, "loss/D": 2.0, "ada/p": 0.25}, **more)


@pytest.fixture
def logging(tmp_path):
    """An accelerator that logs to a file, and the lines of the file."""
    accelerator = Accelerator(cpu=True, log_with=JsonLines(tmp_path / "log.jsonl", nimg=0))
    accelerator.init_trackers("run")

    def read():
        return [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]

    return accelerator, read


def test_a_report_averages_what_happened_since_the_last_one(logging, capsys):
    """R1 is measured in some steps only: its mean is over those."""
    accelerator, read = logging
    reporter = Reporter(accelerator, total=1000.0, nimg=100)
    reporter.add(100, step(1.0, r1=5.0))
    reporter.add(150, step(3.0))
    reporter.time -= 60  # a minute has passed for 100 images: 600 s per kimg, 8 minutes to go
    reporter.report(200)
    line = capsys.readouterr().out
    assert "kimg 0.20/1" in line and "loss G 2.000 D 2.000  ADA p 0.25" in line
    assert "left 0 h 08 min" in line
    reporter.foresee()
    assert "at this speed 0 h 08 min are left to --total-kimg 1;" in capsys.readouterr().out
    reporter.add(200, step(7.0))
    reporter.report(300)
    reporter.report(300)  # nothing new
    first, second = read()
    assert (first["kimg"], first["loss/G"], first["r1"]) == (0.2, 2.0, 5.0)
    assert first["sec_per_kimg"] == pytest.approx(600, rel=0.01)
    assert (second["kimg"], second["loss/G"]) == (0.3, 7.0) and "r1" not in second


def test_what_not_every_image_has_is_averaged_over_those_that_have_it(logging):
    """Signs of a sub-folder come as sum and count: (2 - 1 + 0) of 2 + 1 + 0 images is a third."""
    accelerator, read = logging
    reporter = Reporter(accelerator, total=1000.0, nimg=0)
    for i, pair in enumerate([[2.0, 2.0], [-1.0, 1.0], [0.0, 0.0]]):
        pairs = {"signs/a": torch.tensor(pair), "signs/never": torch.zeros(2)}
        reporter.add(i, step(1.0) | pairs)
    reporter.report(3)
    assert read()[0]["signs/a"] == pytest.approx(1 / 3) and "signs/never" not in read()[0]


@pytest.mark.parametrize("value, word", [(float("nan"), "nan"), (float("inf"), "inf")])
def test_the_first_term_that_is_no_number_is_named_with_its_step(logging, value, word):
    accelerator, read = logging
    reporter = Reporter(accelerator, total=1000.0, nimg=0)
    reporter.add(0, step(1.0))
    reporter.add(8, step(1.0, r1=value))
    reporter.add(16, step(float("nan")))
    with pytest.raises(FloatingPointError, match=f"r1 is {word} .* began at kimg 0.008"):
        reporter.report(24)
    assert not Path(accelerator.trackers[0].tracker).exists()


def test_a_run_that_goes_on_drops_what_it_will_report_again(tmp_path):
    """And a line that a kill cut short."""
    path = tmp_path / "log.jsonl"
    lines = [json.dumps({"kimg": kimg}) + "\n" for kimg in (0.1, 0.2, 0.3)]
    path.write_text("".join(lines) + '{"kimg": 0.')
    JsonLines(path, nimg=200)
    assert path.read_text() == "".join(lines[:2])


def test_numbers_and_pictures_reach_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accelerator = Accelerator(cpu=True, log_with="tensorboard", project_dir=tmp_path)
    accelerator.init_trackers("run", {"batch": "8"})
    reporter = Reporter(accelerator, total=1000.0, nimg=0)
    reporter.add(0, step(1.5))
    reporter.report(8)
    log_pictures(accelerator, {"samples": np.zeros((4, 6, 3), dtype=np.uint8)}, 8)
    accelerator.end_training()
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    (scalar,), (picture,) = events.Scalars("loss/G"), events.Images("samples")
    assert (scalar.step, scalar.value) == (8, 1.5)
    assert (picture.step, picture.height, picture.width) == (8, 4, 6)


def test_numbers_and_pictures_reach_trackio(tmp_path, monkeypatch):
    pytest.importorskip("trackio")
    logged = []

    class Run:
        def log(self, values, step):
            logged.append((step, values))

        def finish(self):
            pass

    monkeypatch.setattr("trackio.init", lambda project: Run())
    monkeypatch.setattr("trackio.Image", lambda picture: ("picture", picture.shape))
    accelerator = Accelerator(cpu=True, log_with="trackio")
    accelerator.init_trackers("run")
    log_pictures(accelerator, {"samples": np.zeros((4, 6, 3), dtype=np.uint8)}, 8)
    assert logged == [(8, {"samples": ("picture", (4, 6, 3))})]
