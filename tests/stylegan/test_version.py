"""One version: what installs the package says what the package says."""

from pathlib import Path

import pytest

import stylegan

ROOT = Path(__file__).parents[2]


def test_an_installed_package_has_the_version_of_its_source():
    pyprojecttoml = pytest.importorskip("setuptools.config.pyprojecttoml")
    project = pyprojecttoml.read_configuration(ROOT / "pyproject.toml")["project"]
    assert project["version"] == stylegan.__version__
