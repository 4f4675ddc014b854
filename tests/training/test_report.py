"""What a run says and writes down."""

import json

import pytest
import torch

from training.config import TrainConfig
from training.report import Reporter


def test_a_report_averages_what_happened_since_the_last_one(tmp_path, capsys):
    """R1 is measured in some steps only: its mean is over those."""
    reporter = Reporter(TrainConfig(str(tmp_path), str(tmp_path), total_kimg=1.0), nimg=100)
    reporter.add(
        {"loss/G": torch.tensor(1.0), "loss/D": torch.tensor(2.0), "r1": torch.tensor(5.0)}
    )
    reporter.add({"loss/G": torch.tensor(3.0), "loss/D": torch.tensor(2.0)})
    reporter.time -= 60  # a minute has passed for 100 images: 600 s per kimg, 8 minutes to go
    reporter.report(200)
    line = capsys.readouterr().out
    assert "kimg 0.20/1" in line and "loss G 2.000 D 2.000" in line and "left 0 h 08 min" in line
    reporter.add({"loss/G": torch.tensor(7.0), "loss/D": torch.tensor(0.0)})
    reporter.report(300)
    reporter.report(300)  # nothing new
    first, second = map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
    assert (first["kimg"], first["loss/G"], first["r1"]) == (0.2, 2.0, 5.0)
    assert first["sec_per_kimg"] == pytest.approx(600, rel=0.01)
    assert (second["kimg"], second["loss/G"]) == (0.3, 7.0) and "r1" not in second


def test_reports_are_due_every_ten_seconds(tmp_path):
    reporter = Reporter(TrainConfig(str(tmp_path), str(tmp_path)), nimg=0)
    assert not reporter.due()
    reporter.time -= 11
    assert reporter.due()
