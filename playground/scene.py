"""What is mixed, as text: in the address of the page and inside saved pictures."""

import base64
from dataclasses import dataclass, fields, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from playground.seeds import MAX_SEED

KEY, FACE_KEY = "Scene", "Face"  # of the texts inside a picture
MINE = "mine"  # in place of a seed
RANGES = {"a": (0, MAX_SEED), "b": (0, MAX_SEED), "weight": (0, 1), "psi": (0, 1), "own": (0, 1)}
BAND = -1, 1  # range of the others


@dataclass(frozen=True)
class Scene:
    """Two faces and how they are mixed; the fields of the Mix tab in their order.

    A face is a seed, or None for the visitor's own. Without `layers` none is mixed by itself; an
    empty `model` is the page's own (see `playground.model.Models`).

    Raises: ValueError naming a field that is out of its range.
    """

    a: int | None
    b: int | None
    weight: float
    psi: float
    own: bool
    shape: float = 0
    features: float = 0
    texture: float = 0
    layers: tuple[float, ...] = ()
    model: str = ""

    def __post_init__(self):
        for name, value in list(vars(self).items())[:-1]:
            low, high = RANGES.get(name, BAND)
            for one in value if name == "layers" else [value]:
                if one is not None and not low <= one <= high:
                    raise ValueError(f"{name} must lie between {low} and {high}, got {one:.10g}")

    @property
    def has_own_face(self) -> bool:
        """Whether one of the two is the visitor's."""
        return self.a is None or self.b is None

    def own_faces(self, faces: Tensor) -> Tensor:
        """Of one or two faces of the visitor's, A's first and B's last, those that it shows."""
        if self.b is not None or self == self.alone("A"):
            return faces[:1]
        return faces[-1:] if self.a is not None or self == self.alone("B") else faces

    @property
    def bands(self) -> tuple[float, float, float]:
        """What is added to the weight of the layers of each band."""
        return self.shape, self.features, self.texture

    def alone(self, letter: str) -> "Scene":
        """Face A or face B and nothing of the other."""
        nothing = dict(shape=0, features=0, texture=0, layers=())
        return replace(self, weight=float(letter == "B"), **nothing)

    def text(self) -> str:
        """As an address has it behind its question mark."""
        found = {name: MINE if value is None else value for name, value in vars(self).items()}
        layers, model = found.pop("layers"), found.pop("model")
        if any(layers):
            found["layers"] = ",".join(f"{offset:g}" for offset in layers)
        if model:
            found["model"] = model
        return urlencode(found | {"own": int(self.own)}, safe=",/@")


FIELDS = {field.name for field in fields(Scene)}


def parse_scene(text: str) -> Scene:
    """Raises ValueError saying what is missing or wrong."""
    found = dict(parse_qsl(text))
    layers, model = found.pop("layers", ""), found.pop("model", "")
    values = {"model": model}
    for field in fields(Scene)[:-2]:
        name, kind = field.name, float if field.type is float else int
        if name not in found:
            raise ValueError(f"{name} is missing")
        is_mine = name in ("a", "b") and found[name] == MINE
        values[name] = None if is_mine else _number(name, kind, found[name])
    values["layers"] = tuple(_number("layers", float, x) for x in layers.split(",") if x)
    scene = Scene(**values)
    return replace(scene, own=bool(scene.own))


def _number(name: str, kind: type, text: str) -> float:
    try:
        return kind(text)
    except ValueError as e:
        raise ValueError(f"{name} is no number: {text[:20]}") from e


def stamp(picture: np.ndarray, scene: Scene, model: str, face: Tensor | None) -> Image.Image:
    """A picture that, saved as PNG, says what it is and how it was mixed.

    Shapes: picture uint8 (H, W, 3); face (1 or 2, num_ws, w_dim), the visitor's own, A's first.
    """
    image = Image.fromarray(picture)
    image.info |= {KEY: scene.text(), "Model": model}
    if scene.has_own_face:
        shown = scene.own_faces(face).half().numpy().tobytes()
        image.info[FACE_KEY] = base64.b64encode(shown).decode()
    image.info["Comment"] = "A generated face: no such person exists. StyleGAN PlayGround"
    return image


def enlarged(image: Image.Image, side: int) -> Image.Image:
    """Smoothly, `side` pixels wide and high, with what it says."""
    larger = image.resize((side, side), Image.Resampling.LANCZOS)
    larger.info = image.info
    return larger


def file_name(scene: Scene) -> str:
    """Of a saved picture: the two faces and how many percent there are of the second, or the one
    face that is alone."""
    a, b = (MINE if seed is None else seed for seed in (scene.a, scene.b))
    for seed, letter in ((a, "A"), (b, "B")):
        if scene == scene.alone(letter):
            return f"face-{seed}.png"
    return f"mix-{a}-{b}-{round(100 * scene.weight)}.png"


def scene_of(path: str | Path) -> tuple[Scene, Tensor | None]:
    """Of a saved picture, and the visitor's own faces that are in it, (n * num_ws * w_dim,).

    Raises: ValueError with a sentence if it is none or holds no scene.
    """
    name = Path(path).name
    try:
        with Image.open(path, formats=["PNG"]) as image:
            text, face = image.info.get(KEY), image.info.get(FACE_KEY, "")
    except (OSError, ValueError, Image.DecompressionBombError) as e:
        raise ValueError(f"{name} is not a PNG picture of a face") from e
    if text is None:
        raise ValueError(
            f"No mix is written in {name}: only a mix that this page saved holds one, and "
            "programs that change a picture may lose it"
        )
    try:
        scene = parse_scene(text)
        if not scene.has_own_face:
            return scene, None
        values = np.frombuffer(base64.b64decode(face), np.float16).astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError("its face has values that are no numbers")
    except ValueError as e:
        raise ValueError(f"What is written in {name} is no mix: {e}") from e
    return scene, torch.from_numpy(values)
