"""Starting the trainer for real, as the README does."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def start() -> Callable[..., subprocess.Popen]:
    """Start `accelerate launch SCRIPT ARGUMENTS` on the CPU, in a process group of its own."""
    started = []

    def start(script: Path, *arguments: str, processes: int = 1, cwd: Path, env=None, machine=""):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        launcher = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
        launcher += ["--multi_gpu"] if processes > 1 else []
        launcher += f"--mixed_precision no --dynamo_backend no --num_processes {processes}".split()
        launcher += (machine or f"--num_machines 1 --main_process_port {port}").split()
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
        if process.poll() is None:
            os.killpg(process.pid, 9)
        process.communicate()


@pytest.fixture
def launch(start) -> Callable[..., str]:
    """Start it, wait for its end, return what it printed; it must succeed."""

    def launch(*args, **kwargs) -> str:
        process = start(*args, **kwargs)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
        return output

    return launch
