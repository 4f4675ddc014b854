"""Where a benchmark may write: what somebody else keeps stays as it is."""

import argparse

import pytest

from benchmarks import metrics
from benchmarks.machine import report_file, save_json


def test_a_report_is_replaced_and_a_new_one_begun(tmp_path):
    path = tmp_path / "new" / "draw.json"
    assert report_file(str(path)) == path
    save_json({"machine": {}}, path)
    path.with_suffix(".png").touch()
    assert report_file(str(path)) == path


@pytest.mark.parametrize("name", ["config.json", "list.json", "text.json", "face.json", "a.txt"])
def test_what_is_no_report_is_refused(tmp_path, name):
    """A config of weights, a list, a text, a picture that lies where the report's would."""
    (tmp_path / "config.json").write_text('{"z_dim": 512}')
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "text.json").write_text("text")
    (tmp_path / "face.png").touch()
    with pytest.raises(argparse.ArgumentTypeError, match=str(tmp_path)):
        report_file(str(tmp_path / name))


def test_a_command_says_so_before_it_measures(tmp_path, capsys):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SystemExit):
        metrics.main(["--data", str(tmp_path), "--out", str(tmp_path / "config.json")])
    assert "config.json is no benchmark's; name a new file" in capsys.readouterr().err
