"""Starting the trainer for real, as the README does."""

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch
from accelerate.state import AcceleratorState

from training.config import TrainConfig


def free_port() -> int:
    """One below those that systems hand out by themselves, so that it stays free until used."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)):  # nobody answers
                return port


def family(process: subprocess.Popen) -> list[psutil.Process]:
    """The launcher, unless it has ended, and the trainers that it started."""
    try:
        launcher = psutil.Process(process.pid)
        return [launcher, *launcher.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@pytest.fixture
def config(faces: Path, tmp_path: Path) -> TrainConfig:
    """Eight steps of eight images, R1 every second step, snapshots after 24, 48 and 64 images."""
    size = dict(num_layers=4, channel_base=128, channel_max=8, z_dim=8, batch=8, r1_interval=2)
    kimg = dict(total_kimg=0.064, snapshot_kimg=0.024, mixed_precision="no")
    return TrainConfig(str(faces), str(tmp_path / "run"), **size, **kimg)


@pytest.fixture
def fresh_accelerate() -> Iterator[None]:
    """Accelerate remembers its precision, and a run its signal handlers, as long as the process."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def kill() -> Callable[[subprocess.Popen, int, bool], None]:
    """Send a signal to the launcher and, unless it is for the launcher alone, to all trainers."""

    def kill(process: subprocess.Popen, number: int, everybody: bool) -> None:
        for running in family(process) if everybody else family(process)[:1]:
            running.send_signal(number)

    return kill


@pytest.fixture
def port() -> Callable[[], int]:
    """A free port, another one each time."""
    return free_port


@pytest.fixture
def start() -> Callable[..., subprocess.Popen]:
    """Start `accelerate launch SCRIPT ARGUMENTS` on the CPU, in a process group of its own."""
    started = []

    def start(script: Path, *arguments: str, processes: int = 1, cwd: Path, env=None, machine=""):
        launcher = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
        launcher += ["--multi_gpu"] if processes > 1 else []
        launcher += f"--mixed_precision no --dynamo_backend no --num_processes {processes}".split()
        launcher += (machine or f"--num_machines 1 --main_process_port {free_port()}").split()
        settings = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        process = subprocess.Popen(
            [*launcher, str(script), *arguments],
            cwd=cwd,
            env={**(env or os.environ), **settings, "CUDA_VISIBLE_DEVICES": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        for running in family(process):
            running.kill()
        with suppress(ProcessLookupError):  # whom a launcher that was killed has left
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)


@pytest.fixture
def launch(start) -> Callable[..., str]:
    """Start it, wait for its end, return what it printed; it must succeed."""

    def launch(*args, **kwargs) -> str:
        process = start(*args, **kwargs)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
        return output

    return launch


@pytest.fixture
def assert_same() -> Callable[[object, object], None]:
    """Assert that two states are equal bit by bit, through dicts and lists."""

    def compare(a: object, b: object, path: str = "state") -> None:
        assert type(a) is type(b), path
        if isinstance(a, dict):
            assert a.keys() == b.keys(), path
            for key in a:
                compare(a[key], b[key], f"{path}.{key}")
        elif isinstance(a, list | tuple):
            for i, (x, y) in enumerate(zip(a, b, strict=True)):
                compare(x, y, f"{path}[{i}]")
        else:
            assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b, path

    return compare
