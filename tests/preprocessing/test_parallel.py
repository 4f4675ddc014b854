"""Work in several processes: all of it is done, and none of them outlives its master."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from preprocessing.parallel import spread

ROOT = Path(__file__).parents[2]
MASTER = """
import functools, signal, sys
from preprocessing.parallel import spread
from tests.preprocessing.test_parallel import note
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's "&" has it ignored
    for done in spread(functools.partial(note, sys.argv[1]), range(4), 2):
        pass
"""


def double(number):
    if number < 0:
        raise ValueError(f"{number} is negative")
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def note(folder, number):
    """Write this process's number into the folder, and take long."""
    Path(folder, str(os.getpid())).touch()
    time.sleep(60)


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(fact, seconds=30):
    until = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_once(workers):
    assert sorted(spread(double, iter(range(9)), workers)) == list(range(0, 18, 2))


def test_an_error_of_a_worker_ends_the_work():
    with pytest.raises(ValueError, match="-1 is negative"):
        list(spread(double, [1, -1, 2, 3], 2))


def test_a_worker_that_is_killed_is_told():
    with pytest.raises(OSError, match="a worker was killed, as for memory; try fewer --workers"):
        list(spread(double, [1, 13, 2, 3], 2))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_master_however_that_ends(end, tmp_path):
    script, pids = tmp_path / "master.py", tmp_path / "pids"
    script.write_text(MASTER)
    pids.mkdir()
    command = [sys.executable, str(script), str(pids)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=env, cwd=ROOT, stderr=subprocess.DEVNULL) as master:
        wait_until(lambda: len(list(pids.iterdir())) == 2)
        master.send_signal(end)
        master.wait(timeout=20)
    wait_until(lambda: not any(alive(path.name) for path in pids.iterdir()))
