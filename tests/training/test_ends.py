"""Whatever goes wrong above 128 pixels, where helpers read the pictures, all processes end."""

import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "training/train.py"
FLAGS = (
    "--preset tiny --num-layers 3 --channel-base 128 --channel-max 4 "
    "--d-channel-base 256 --d-channel-max 4 --z-dim 8 --mixed-precision no --eval-kimg 0 "
    "--snapshot-kimg 0.008"
)

pytestmark = pytest.mark.slow


@pytest.fixture
def large(tmp_path):
    """Folders of four pictures of 256 pixels."""

    def make(name):
        (tmp_path / name).mkdir()
        for i in range(4):
            Image.effect_noise((256, 256), 99).convert("RGB").save(tmp_path / name / f"{i}.png")
        return tmp_path / name

    return make


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_ends_every_process_with_a_sentence(start, large, tmp_path, processes):
    """A picture that breaks, a disk that fills, a loss that is no number, each in a run of its own:
    ten seconds after the sentence no process is left."""
    sentences = {
        "picture": "error: .*png cannot be decoded",
        "disk": "cannot be saved: No space left on device",
        "nan": "is nan in the step",
    }
    runs = {}
    for what in sentences:
        flags = f"--data {large('data-' + what)} --out {what} {FLAGS}".split()
        flags += ["--g-lr", "1e30"] if what == "nan" else []
        runs[what] = start(SCRIPT, *flags, processes=processes, cwd=tmp_path)
    deadline = time.monotonic() + 250
    while not all(any((tmp_path / what).glob("state/*.pt")) for what in ("picture", "disk")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for path in (tmp_path / "data-picture").iterdir():
        cut = path.with_suffix(".cut")
        cut.write_bytes(path.read_bytes()[:30000])
        cut.replace(path)  # at once: no reader finds it empty
    for step in range(2, 2000):
        name = f".kimg-{step * 8 / 1000:010.3f}.pt.new"
        (tmp_path / "disk/state" / name).symlink_to("/dev/full")
    for what, process in runs.items():
        assert_ends(process, sentences[what])


def test_a_last_push_that_is_refused_ends_every_process(start, large, tmp_path, hub, hub_env):
    """The repository was made, then the token is withdrawn: the first push is told, the last is an
    error."""
    flags = f"--data {large('data')} --out run {FLAGS} --total-kimg 0.016".split()
    flags += ["--push-to-hub", "alice/faces"]
    process = start(SCRIPT, *flags, processes=2, cwd=tmp_path, env=hub_env)
    deadline = time.monotonic() + 120
    while not hub.repos and time.monotonic() < deadline:
        time.sleep(0.05)
    hub.tokens.clear()
    sentence = "error: pushing to alice/faces failed: the Hub knows no token .* tries again: python"
    output = assert_ends(process, sentence)
    assert output.count("pushing to alice/faces failed") == 2
    assert (tmp_path / "run/weights/kimg-000000.016").is_dir()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's end")
def test_a_trainer_whose_launcher_was_killed_meanwhile_ends(start, large, tmp_path):
    """While it loads its libraries, before it can be told."""
    flags = f"--data {large('data')} --out run {FLAGS}".split()
    process = start(SCRIPT, *flags, cwd=tmp_path)
    launcher = psutil.Process(process.pid)
    while "loading libraries" not in (line := process.stdout.readline()):
        assert line
    (trainer,) = launcher.children()
    launcher.kill()
    trainer.wait(timeout=60)
    assert not (tmp_path / "run").exists()
    assert "error: accelerate launch has ended" in process.communicate()[0]


def assert_ends(process, sentence):
    """Ten seconds after it was said, no process is left."""
    output = ""
    while "error: " not in output:
        line = process.stdout.readline()
        assert line, output
        output += line
    said = time.monotonic()
    output += process.communicate(timeout=60)[0]
    took = time.monotonic() - said
    assert process.returncode != 0 and took < 10, (took, output)
    assert re.search(sentence, output, re.DOTALL), output
    assert process.pid not in sessions(), output
    return output


def sessions():
    """Of all processes that run; a run has one of its own."""
    found = set()
    for pid in psutil.pids():
        with suppress(ProcessLookupError):
            found.add(os.getsid(pid))
    return found
