"""What is mixed, as text: in the address of the page and inside saved pictures."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import numpy as np
from PIL import Image

from playground.seeds import MAX_SEED

KEY = "Scene"  # of the text inside a picture
RANGES = {"a": (0, MAX_SEED), "b": (0, MAX_SEED), "weight": (0, 1), "psi": (0, 1), "own": (0, 1)}
BAND = -1, 1  # range of the others


@dataclass(frozen=True)
class Scene:
    """Two seeds and how they are mixed; the fields of the Mix tab in their order.

    Raises: ValueError naming a field that is out of its range.
    """

    a: int
    b: int
    weight: float
    psi: float
    own: bool
    shape: float
    features: float
    texture: float

    def __post_init__(self):
        for name, value in asdict(self).items():
            low, high = RANGES.get(name, BAND)
            if not low <= value <= high:
                raise ValueError(f"{name} must lie between {low} and {high}, got {value}")

    def text(self) -> str:
        """As an address has it behind its question mark."""
        return urlencode({name: int(x) if name == "own" else x for name, x in asdict(self).items()})


def parse_scene(text: str) -> Scene:
    """Raises ValueError saying what is missing or wrong."""
    found = dict(parse_qsl(text))
    values = {}
    for field in fields(Scene):
        if field.name not in found:
            raise ValueError(f"{field.name} is missing")
        kind = float if field.type is float else int
        try:
            values[field.name] = kind(found[field.name])
        except ValueError as e:
            raise ValueError(f"{field.name} is no number: {found[field.name][:20]}") from e
    scene = Scene(**values)
    return replace(scene, own=bool(scene.own))


def stamp(picture: np.ndarray, scene: Scene, model: str) -> Image.Image:
    """A picture, uint8 (H, W, 3), that, saved as PNG, says what it is and how it was mixed."""
    image = Image.fromarray(picture)
    image.info |= {KEY: scene.text(), "Model": model}
    image.info["Comment"] = "A generated face: no such person exists. StyleGAN PlayGround"
    return image


def scene_of(path: str | Path) -> Scene:
    """Of a saved picture.

    Raises: ValueError with a sentence if it is none or holds no scene.
    """
    try:
        with Image.open(path, formats=["PNG"]) as image:
            text = image.info.get(KEY)
    except (OSError, ValueError, Image.DecompressionBombError) as e:
        raise ValueError(f"{Path(path).name} is not a PNG picture of a face") from e
    if text is None:
        raise ValueError(f"{Path(path).name} was not saved here, or lost what was written in it")
    try:
        return parse_scene(text)
    except ValueError as e:
        raise ValueError(f"What is written in {Path(path).name} is no mix: {e}") from e
