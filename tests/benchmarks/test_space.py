"""The benchmark of a Space; that the page runs from its files is tested in tests/test_space.py."""

import os
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.space import main, size_of, version_of


def test_the_size_of_a_folder_counts_each_file_once(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    once = size_of(tmp_path)
    os.link(tmp_path / "a", tmp_path / "b")
    assert 100_000 <= once == size_of(tmp_path) < 200_000


def test_the_version_of_a_package_is_that_of_its_environment():
    assert version_of("torch", Path(sys.executable)) == torch.__version__


def test_only_root_can_be_another_user(monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    with pytest.raises(SystemExit):
        main([])
    assert "only root can start the page as another user" in capsys.readouterr().err
