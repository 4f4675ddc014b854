"""What a Space gets, and that the page runs from nothing else."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from gradio_client import Client
from huggingface_hub import HfApi, RepoCard
from PIL import Image

from playground import space
from playground.space import files_for, main, send, write
from stylegan.layout import CONFIG, WEIGHTS
from tests.conftest import ROOT


def content(file: Path | bytes) -> str:
    return (file if isinstance(file, bytes) else file.read_bytes()).decode()


@pytest.fixture
def clone(tmp_path):
    """The repository as strangers get it, from what is committed or about to be."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split("\0")
    if not names[0]:
        pytest.skip("needs a clone made by git")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / "clone" / name)
    return tmp_path / "clone"


def test_a_space_gets_the_page_and_no_trainer(clone):
    files = files_for("cpu", clone)
    needed = content(files.pop("requirements.txt")).splitlines()
    assert needed[0] == "--extra-index-url https://download.pytorch.org/whl/cpu"
    assert needed[1:] == (clone / "requirements.txt").read_text().splitlines()
    assert all(path.is_file() and path.is_relative_to(clone) for path in files.values())
    assert {"app.py", "playground/words.py", "weights/faces-64/model.safetensors"} <= files.keys()
    parts = {name.partition("/")[0] for name in files}
    assert not {"preprocessing/prepare.py", "preprocessing/push.py"} & files.keys()
    assert not parts & {"tests", "training", "evaluation", "benchmarks", "runs", "Dockerfile"}
    sizes = {name: path.stat().st_size for name, path in files.items()}
    encoder = sum(sizes.pop(f"weights/faces-64/encoder/{name}") for name in (CONFIG, WEIGHTS))
    assert sum(sizes.values()) < 10e6 and encoder < 5e6
    (clone / "packages.txt").unlink()
    with pytest.raises(ValueError, match="has no packages.txt, which a Space needs"):
        files_for("cpu", clone)


def test_zerogpu_gets_a_torch_that_it_has(clone):
    here, there = clone / "requirements.txt", files_for("zero", clone)["requirements.txt"]
    changed = set(content(there).splitlines()) ^ set(content(here).splitlines())
    assert sorted(changed) == ["torch==2.13.0", "torch>=2.9,<2.12"]
    card = RepoCard(content(files_for("zero", clone)["README.md"])).data
    assert card.sdk == "gradio" and card.python_version == "3.12"
    assert card.suggested_hardware == "zero-a10g"


def test_docker_gets_a_dockerfile_of_good_manners(clone):
    files = files_for("docker", clone)
    card = RepoCard(content(files["README.md"])).data.to_dict()
    assert card["sdk"] == "docker" and card["app_port"] == 7860 and card["license"] == "apache-2.0"
    assert not card.keys() & {"sdk_version", "python_version", "app_file"}
    lines = content(files["Dockerfile"]).replace("\\\n", "").splitlines()
    told = [line for line in lines if line and not line.startswith("#")]
    assert re.fullmatch(r"FROM python:\d+\.\d+\.\d+-slim-\w+", told[0])
    names = [line.split()[0] for line in told]
    user = told[names.index("USER")].split()[1]
    assert user == "1000" and names.index("USER") > names.index("COPY")
    runs = " ".join(line for line in told if line.startswith("RUN"))
    assert "--no-install-recommends" in runs and "rm -rf /var/lib/apt/lists/*" in runs
    assert runs.count("pip install") == runs.count("--no-cache-dir") == 1
    assert set((clone / "packages.txt").read_text().split()) <= set(runs.split())
    assert told[-1].startswith('CMD ["') and "0.0.0.0" in told[-1]


def test_a_space_is_one_commit_and_what_it_needs_no_longer_goes(hub_here, clone, monkeypatch):
    files = files_for("cpu", clone)
    assert send(files, "alice/page", sdk="gradio", private=True).endswith("/alice/page")
    api, kind = HfApi(endpoint=hub_here.url), dict(repo_type="space")
    names = {*files, ".gitattributes"}
    assert set(api.list_repo_files("alice/page", **kind)) == names
    assert api.space_info("alice/page").private
    assert len(api.list_repo_commits("alice/page", **kind)) == 2
    del files["docs/page.png"]
    send(files, "alice/page", sdk="gradio", private=True)
    assert set(api.list_repo_files("alice/page", **kind)) == names - {"docs/page.png"}
    api.create_repo("alice/other", space_sdk="gradio", **kind)
    where = dict(repo_id="alice/other", path_in_repo="main.py", **kind)
    api.upload_file(path_or_fileobj=b"x", **where)
    with pytest.raises(SystemExit, match="error: alice/other holds another Space; name a new one"):
        main(["alice/other"])
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(space.HfApi, "create_repo", lambda *_, **__: api_away())
    with pytest.raises(SystemExit, match="error: alice/page cannot be written: the Hub cannot be"):
        main(["alice/page"])


def api_away():
    raise space.httpx.ConnectError("refused")


@pytest.mark.slow
def test_the_page_runs_from_just_these_files(clone, tmp_path):
    """Another layout, the Hub away, variables for host and port; nothing is written to the code."""
    code, home = tmp_path / "code", tmp_path / "home"
    write(files_for("cpu", clone), code)
    with pytest.raises(ValueError, match="is not empty; name a new folder"):
        write({}, code)
    before = sorted(code.rglob("*"))
    for path in (code, *before):
        path.chmod(0o555 if path.is_dir() else 0o444)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = str(s.getsockname()[1])
    env = {
        name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ
    }
    env |= {"HOME": str(home), "HF_HOME": str(home / "hf"), "GRADIO_TEMP_DIR": str(home / "tmp")}
    env |= {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": port}
    env |= {
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    env |= {"GRADIO_ANALYTICS_ENABLED": "False", "OMP_NUM_THREADS": "1"}
    page = subprocess.Popen(
        [sys.executable, "app.py"], cwd=code, env=env, stdout=subprocess.PIPE, text=True
    )
    try:
        assert page.stdout.readline() == "Loading the weights in this repository, then the page\n"
        address = f"http://127.0.0.1:{port}/"
        assert page.stdout.readline() == f"The page is at {address} until you press Ctrl-C\n"
        client = Client(address, verbose=False, download_files=str(tmp_path))
        picture = client.predict(seed_a=175, seed_b=375, weight=0.3, api_name="/mix")
        path = picture[0] if isinstance(picture, tuple | list) else picture
        with Image.open(path) as shown:
            assert shown.size[0] >= 64
    finally:
        page.kill()
        page.wait()
        for path in (code, *before):
            path.chmod(0o755)
    # Gradio writes *.pyi beside components of our own where it may, as root here
    assert [path for path in sorted(code.rglob("*")) if path.suffix != ".pyi"] == before
