"""A Space, built as Spaces build it: `python -m benchmarks.space`.

The files of `playground.space` are laid down, a new environment gets their `requirements.txt` and
nothing else, and another user, who may not write to them, starts the page. The Hub is away all the
while, as an address at which nobody answers; the page is asked for a model of it. Needs root, to
become another user, and some gigabytes for a while.

    torch_installed        its version; one that ends in +cpu lacks what only GPUs need
    install_mib            what was installed
    files_kib              what a Space is sent
    first_picture_s        from the start of Python to the first mix: CPU seconds of the page, and
                           the clock's, which other work on the machine makes longer
    memory_mib             of the page, resident after that and after ten more mixes
    hub_away               what the page answers when it is asked for a model of the Hub
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import psutil
from gradio_client import Client
from gradio_client.exceptions import AppError

from benchmarks.machine import machine, report_file, save_json
from benchmarks.serving import ROOT
from playground.space import files_for, write

NOBODY = 65534  # the user and group of those who own nothing
PASSED = "OMP_NUM_THREADS", "LD_LIBRARY_PATH"
MIXES, PATIENCE = 10, 300  # seconds for the page to start
MIB = 2**20


def size_of(folder: Path) -> int:
    """Bytes on the disk, each file once."""
    found = {(s.st_ino, s.st_blocks) for s in (p.lstat() for p in folder.rglob("*"))}
    return 512 * sum(blocks for _, blocks in found)


def install(folder: Path, needed: Path) -> Path:
    """An environment with what a file asks for and nothing else; returns its python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "-q", "-r", str(needed)]
    subprocess.run([*command, "--no-cache-dir"], check=True)
    return python


def version_of(package: str, python: Path) -> str:
    """As an environment has it."""
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    return subprocess.check_output([str(python), "-c", code], text=True).strip()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(python: Path, code: Path, home: Path, port: int) -> psutil.Popen:
    """The page, by another user and with that user's folders alone."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "HF_HOME": str(home / "hf")}
    env |= {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    env |= {"GRADIO_TEMP_DIR": str(home / "tmp"), "GRADIO_ANALYTICS_ENABLED": "False"}
    env |= {"HF_ENDPOINT": "http://127.0.0.1:9"}
    env |= {name: os.environ[name] for name in PASSED if name in os.environ}
    who = dict(user=NOBODY, group=NOBODY, extra_groups=[])
    return psutil.Popen([str(python), "app.py"], cwd=code, env=env, **who)


def client_of(page: psutil.Popen, port: int) -> Client:
    """Once the page answers.

    Raises: RuntimeError if it does not.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return Client(f"http://127.0.0.1:{port}", verbose=False)
        except (OSError, ValueError, httpx.HTTPError) as e:
            if page.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the page did not start") from e
            time.sleep(0.1)


def visit(page: psutil.Popen, port: int, begun: float) -> dict[str, object]:
    """Mix, mix again, ask for a model of the Hub."""

    def mix(seed: int) -> None:
        client.predict(seed_a=seed, seed_b=375, weight=0.3, api_name="/mix")

    def memory() -> float:
        return round(page.memory_info().rss / MIB, 1)

    client = client_of(page, port)
    mix(175)
    times = page.cpu_times()
    first = {"cpu": times.user + times.system, "clock": time.monotonic() - begun}
    before = memory()
    for seed in range(MIXES):
        mix(seed)
    after = memory()
    try:
        client.predict(repo="user/repository", api_name="/model")
        told = "nothing"
    except AppError as e:
        told = str(e)
    mix(175)  # it still draws
    return {
        "first_picture_s": {name: round(seconds, 2) for name, seconds in first.items()},
        "memory_mib": {"first mix": before, f"{MIXES} more": after},
        "hub_away": told,
    }


def measure(python: Path | None = None) -> dict[str, object]:
    """All figures; with the `python` of an environment that is installed already, of that."""
    with tempfile.TemporaryDirectory(prefix="space-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        code, home = folder / "code", folder / "home"
        write(files_for("cpu"), code)
        python = python or install(folder / "venv", code / "requirements.txt")
        home.mkdir()
        os.chown(home, NOBODY, NOBODY)
        port, begun = free_port(), time.monotonic()
        page = start(python, code, home, port)
        try:
            found = visit(page, port, begun)
        finally:
            page.terminate()
            page.wait(30)
        sizes = size_of(python.parents[1]) / MIB, size_of(code) / 1024
        told = dict(torch_installed=version_of("torch", python))
        return told | dict(install_mib=round(sizes[0]), files_kib=round(sizes[1])) | found


def main(argv: Sequence[str] | None = None) -> None:
    """Measure once and print, or write, the report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.space", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("--python", type=Path, help="of an environment that is installed already")
    parser.add_argument("--out", type=report_file, default=ROOT / "benchmarks/results/space.json")
    args = parser.parse_args(argv)
    if os.geteuid():
        parser.error("only root can start the page as another user")
    report = {"machine": machine()} | measure(args.python)
    save_json(report, args.out)
    print(*(f"{name}: {value}" for name, value in report.items()), sep="\n")


if __name__ == "__main__":
    main()
