"""How long a stranger's model takes for a face, in a process of its own that can be ended.

    python -m playground.trial FOLDER TYPE MOST     prints seconds, or ends after MOST seconds

Seconds are those that a processor works, so that nobody is refused because others draw, too.
"""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import torch

from stylegan import Generator
from stylegan.precision import seconds_an_image

ENDED = 3  # exit status of a drawing that took too long
PATIENCE = 60  # seconds for all, the start of Python included; a busy machine needs most of them
ROOT = Path(__file__).resolve().parents[1]


def seconds_a_face(folder: Path, dtype: torch.dtype, most: float) -> float:
    """Of the generator in a folder; infinite if it takes more than `most`.

    Raises: ValueError if the process ends otherwise, TimeoutError if it does not begin to draw.
    """
    name = str(dtype).removeprefix("torch.")
    command = [sys.executable, "-m", "playground.trial", str(folder.resolve()), name, str(most)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired as e:
        raise TimeoutError("this machine is too busy: try again in five minutes") from e
    if done.returncode == ENDED:
        return float("inf")
    if done.returncode:
        raise ValueError("it cannot draw a face")
    return float(done.stdout)


def end_at(most: float) -> None:
    """End this process when all its threads together have worked so long."""
    while time.process_time() < most:
        time.sleep(0.02)
    os._exit(ENDED)


def main(folder: str, name: str, most: str) -> None:
    """Draw a face and print how long it took."""
    G = Generator.from_pretrained(folder)
    until = time.process_time() + float(most) * torch.get_num_threads()
    threading.Thread(target=end_at, args=[until], daemon=True).start()
    print(seconds_an_image(G, getattr(torch, name)))


if __name__ == "__main__":
    main(*sys.argv[1:])
