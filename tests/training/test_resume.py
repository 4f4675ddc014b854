"""Nothing is lost when a run stops, however it stops: real runs, really killed."""

import json
import signal
import time
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "training/train.py"
FLAGS = (
    "--preset tiny --num-layers 4 --channel-base 128 --channel-max 8 "
    "--d-channel-base 128 --d-channel-max 8 --z-dim 8 --r1-interval 3 --path-length 2 "
    "--conditional --ada-start 0.5 --ada-kimg 0.5 --mixed-precision no --snapshot-kimg 0.048"
)
LAST = 0.24  # kimg, 30 steps
FIRST = "kimg-000000.064"  # what is kept after eight steps; a kill may come before its faces

pytestmark = pytest.mark.slow


def newest(run):
    return max((run / "state").glob("kimg-*.pt"), default=None)


def wait_for(condition, process):
    deadline = time.monotonic() + 200
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.02)


STOPS = [  # the signal, and whether everybody gets it or the launcher alone
    (signal.SIGKILL, True),
    (signal.SIGINT, True),
    (signal.SIGTERM, True),
    (signal.SIGTERM, False),
]


@pytest.fixture
def stop(start, kill):
    """Start a run, and stop it somewhere in the steps after its next state; what it printed."""

    def stop(command, run, number, everybody=True, **how) -> str:
        before = newest(run)
        process = start(*command, "--out", str(run), **how)
        wait_for(lambda: newest(run) not in (None, before), process)
        time.sleep(0.1)
        kill(process, number, everybody)
        return process.communicate(timeout=100)[0]  # the end of all that write to it

    return stop


def test_a_run_that_is_stopped_again_and_again_ends_as_the_unbroken_one(
    launch, stop, faces, tmp_path, assert_same
):
    """kill -9, SIGTERM to everybody, Ctrl-C, and SIGTERM to the launcher alone: then the state, a
    dict of weights, optimizers, EMA, ADA p and signs, mean path length, equals bit for bit."""
    command = [SCRIPT, *f"--data {faces} {FLAGS} --total-kimg {LAST}".split()]
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    two = dict(processes=2, cwd=tmp_path)
    launch(*command, "--out", str(unbroken), **two)
    outputs = [stop(command, broken, *how, **two) for how in STOPS]
    assert any("stopped at kimg" in output for output in outputs)
    output = launch(*command, "--out", str(broken), **two)
    assert "going on at kimg" in output
    states = [torch.load(newest(run), weights_only=True) for run in (unbroken, broken)]
    assert states[0]["nimg"] == 240 and states[0]["mean_path"] > 0
    assert 0 < states[0]["ada"]["p"] != 0.5
    assert_same(*states)
    for kind in ("weights/*/*.safetensors", "samples/*.png"):
        for path in unbroken.glob(kind):  # the broken one has those of its stops, too
            other = broken / path.relative_to(unbroken)
            if FIRST not in str(path) or other.exists():  # which saves its state first, then draws
                assert path.read_bytes() == other.read_bytes(), path
    lines = (broken / "log.jsonl").read_text().splitlines()
    kimg = [json.loads(line)["kimg"] for line in lines]
    assert len(kimg) > 5 and kimg == sorted(set(kimg))  # no step is told twice
