"""A direction of W with a name, as JSON: {"name": "older", "model": ..., "direction": [...]}."""

import json
import re
from pathlib import Path

import torch
from torch import Tensor

from playground.files import new_file
from playground.mistake import Mistake, plain
from playground.model import Model

MOST_LETTERS, MOST_BYTES, FARTHEST = 40, 200_000, 1_000_000
NAMELESS = "Saved"
GIVE = "Give a file that this page has saved."


def save_direction(name: str, direction: Tensor, model: Model) -> str:
    """Write it, (w_dim,), to a new file and return its path.

    Raises: Mistake if there is no name or nowhere to go.
    """
    if not (name := plain(name, MOST_LETTERS)):
        raise Mistake("Give the direction a name first.")
    if not direction.any():
        raise Mistake("Move some of the sliders first: the file keeps where they lead.")
    values = [float(f"{value:.5g}") for value in direction.tolist()]
    entry = dict(name=name, model=model.key or model.name, direction=values)
    word = re.sub(r"\W+", "-", name).strip("-") or "direction"
    return new_file(f"{word}.json", json.dumps(entry).encode())


def load_direction(path: str, model: Model) -> tuple[str, Tensor]:
    """Its name and itself, (w_dim,).

    Raises: Mistake with a sentence for what is none, or none of this model.
    """
    file, wide = Path(path), model.G.w_dim
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError("it is too long")
        entry = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(entry, dict) or not entry.keys() >= {"name", "direction"}:
            raise ValueError("it has no name and direction")
        name, values = entry["name"], entry["direction"]
        if not isinstance(name, str) or not all(isinstance(x, int | float) for x in values):
            raise ValueError("it needs a name and a list of numbers")
        if len(values) != wide or not all(abs(x) < FARTHEST for x in values):
            raise ValueError(f"this model needs {wide} numbers below {FARTHEST}")
    except (json.JSONDecodeError, UnicodeDecodeError) as e:
        raise Mistake(f"{file.name} is no JSON. {GIVE}") from e
    except (ValueError, TypeError, RecursionError) as e:
        raise Mistake(f"{file.name} is no direction of this model: {e}. {GIVE}") from e
    return plain(name, MOST_LETTERS) or NAMELESS, torch.tensor(values, dtype=torch.float32)
