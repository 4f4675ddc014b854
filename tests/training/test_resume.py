"""Nothing is lost when a run stops, however it stops: real runs, really killed."""

import os
import signal
import time
from pathlib import Path

import pytest
import torch

from training.checkpoint import SUM_BYTES

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "training/train.py"
FLAGS = (
    "--preset tiny --num-layers 4 --channel-base 128 --channel-max 8 --d-channel-base 128 "
    "--d-channel-max 8 --z-dim 8 --r1-interval 3 --path-length 2 --style-mixing 0.5 --conditional "
    "--ada-start 0.5 --ada-kimg 0.5 --mixed-precision no --snapshot-kimg 0.12"
)
LAST = 0.72  # kimg, 90 steps

pytestmark = pytest.mark.slow


def newest(run):
    return max((run / "state").glob("kimg-*.pt"), default=None)


def assert_same(a, b, path="state"):
    """Bit by bit, through dicts and lists."""
    assert type(a) is type(b), path
    if isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for key in a:
            assert_same(a[key], b[key], f"{path}.{key}")
    elif isinstance(a, list | tuple):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{path}[{i}]")
    else:
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b, path


def wait_for(condition, process):
    deadline = time.monotonic() + 200
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.02)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_that_is_stopped_again_and_again_ends_as_the_unbroken_one(
    start, launch, faces, tmp_path, processes
):
    """kill -9, SIGTERM to everybody, Ctrl-C, and SIGTERM to the launcher alone: then the state, a
    dict of weights, optimizers, EMA, ADA p and signs, mean path length, equals bit for bit."""
    flags = f"--data {faces} {FLAGS} --total-kimg {LAST}".split()
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    launch(SCRIPT, *flags, "--out", str(unbroken), processes=processes, cwd=tmp_path)
    outputs = []
    for number, everybody in [
        (signal.SIGKILL, True),
        (signal.SIGTERM, True),
        (signal.SIGINT, True),
        (signal.SIGTERM, False),
    ]:
        before = newest(broken)
        process = start(SCRIPT, *flags, "--out", str(broken), processes=processes, cwd=tmp_path)
        wait_for(lambda before=before: newest(broken) not in (None, before), process)
        time.sleep(0.1)  # somewhere in the steps that follow
        (os.killpg if everybody else os.kill)(process.pid, number)
        outputs.append(process.communicate(timeout=100)[0])  # the end of all that write to it
    assert any("stopped at kimg" in output for output in outputs)
    output = launch(SCRIPT, *flags, "--out", str(broken), processes=processes, cwd=tmp_path)
    assert "going on at kimg" in output
    states = [torch.load(newest(run), weights_only=True) for run in (unbroken, broken)]
    assert states[0]["nimg"] == 720 and states[0]["mean_path"] > 0
    assert 0 < states[0]["ada"]["p"] != 0.5
    assert_same(*states)
    for kind in ("weights/*/*.safetensors", "samples/*.png"):
        files = [sorted(run.glob(kind)) for run in (unbroken, broken)]
        assert [f.read_bytes() for f in files[0]] == [f.read_bytes() for f in files[1]]
    logs = [(run / "log.jsonl").read_text().splitlines() for run in (unbroken, broken)]
    assert len(logs[1]) >= len(logs[0]) > 5  # a stop reports once more; no step is told twice


def test_a_full_disk_and_a_torn_state_cost_only_time(start, launch, faces, tmp_path):
    flags = f"--data {faces} {FLAGS} --total-kimg {LAST}".split()
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    launch(SCRIPT, *flags, "--out", str(unbroken), cwd=tmp_path)
    (broken / "state").mkdir(parents=True)
    (broken / "state/kimg-000000.480.new").symlink_to("/dev/full")
    process = start(SCRIPT, *flags, "--out", str(broken), cwd=tmp_path)
    output = process.communicate(timeout=200)[0]
    assert process.returncode == 1
    assert "kimg-000000.480.pt cannot be saved: No space left on device; once it can" in output
    kept = sorted(path.name for path in (broken / "state").iterdir())
    assert kept == ["kimg-000000.240.pt", "kimg-000000.360.pt"]
    torn = broken / "state/kimg-000000.360.pt"
    torn.write_bytes(torn.read_bytes()[: -SUM_BYTES - 100])
    output = launch(SCRIPT, *flags, "--out", str(broken), cwd=tmp_path)
    assert f"{torn} is torn, going back to the state before it" in output
    assert "going on at kimg 0.240" in output
    assert_same(*(torch.load(newest(run), weights_only=True) for run in (unbroken, broken)))


def test_one_run_at_a_time_in_a_folder(start, faces, tmp_path):
    flags = f"--data {faces} --out run {FLAGS} --total-kimg 1000".split()
    first = start(SCRIPT, *flags, cwd=tmp_path)
    wait_for(lambda: newest(tmp_path / "run"), first)
    second = start(SCRIPT, *flags, cwd=tmp_path)
    output = second.communicate(timeout=100)[0]
    assert second.returncode == 1
    assert "error: --out run is in use by a run that has not ended" in output
    assert first.poll() is None
