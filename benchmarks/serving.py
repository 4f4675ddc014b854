"""The page, served as the README says, for benchmarks and tests to visit."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

ROOT = Path(__file__).parents[1]
# for playwright's chromium, in a container
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
CHROMIUM_FLAGS += ["--disable-background-networking"]
START_SECONDS, END_SECONDS = 120, 30


class Served(NamedTuple):
    """A page that is served, and by which process."""

    address: str
    pid: int


@contextmanager
def serving(
    hub: dict[str, str] | None = None, program: tuple[str, ...] = ("app.py",)
) -> Iterator[Served]:
    """`python app.py`, or another program with a page, on loopback until the block ends; with a Hub
    if the variables that tell it are given.

    Raises: RuntimeError with what it printed if it does not start.
    """
    environment = {"GRADIO_ANALYTICS_ENABLED": "0", "PYTHONUNBUFFERED": "1"}
    environment |= hub or {"HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryFile("w+") as log:
        app = subprocess.Popen(
            [sys.executable, *program],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while True:
                log.seek(0)
                text = log.read()
                if found := re.search(r"http://127\.0\.0\.1:\d+", text):
                    break
                if app.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the page did not start: {text}")
                time.sleep(0.2)
            urlopen(found[0], timeout=END_SECONDS).close()
            yield Served(found[0], app.pid)
        finally:
            app.terminate()
            app.wait(END_SECONDS)
