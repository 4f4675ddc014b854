"""The flags of the command that prepares a dataset, checked."""

import argparse
import functools
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from preprocessing.crop import MARGIN
from preprocessing.detect import DETECTORS
from preprocessing.judge import Limits

SIZES = (32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class PrepareConfig:
    """What the command was asked for; `ValueError` when it cannot be done."""

    inputs: tuple[Path, ...]
    out: Path
    size: int = 64
    detector: str = "haar"
    min_face: int = 0  # pixels; 0: what fills `size`
    faces: str = "each"  # of a picture: "each", the "largest", or their "union" as one
    level: bool = False
    grayscale: bool = False
    every: float = 1.0  # seconds
    per_shot: int = 0  # frames; 0: all
    min_sharpness: float | None = None  # None: the judge's own
    pick: int = 0  # pictures of an input; 0: all
    celeba_people: int = 0  # 0: all
    seed: int = 0
    workers: int = 1

    def __post_init__(self):
        if self.size not in SIZES:
            raise ValueError(f"--size must be a power of two from 32 to 1024, got {self.size}")
        if self.level and self.detector != "yunet":
            raise ValueError("--level needs to know the eyes; add --detector yunet")
        if self.level and self.faces == "union":
            raise ValueError("--level turns one face, --union takes several; leave one out")
        if not (math.isfinite(self.every) and self.every > 0):
            raise ValueError(f"--every must be more than 0 seconds, got {self.every}")
        for flag in ("min_face", "per_shot", "pick", "celeba_people"):
            if getattr(self, flag) < 0:
                name = flag.replace("_", "-")
                raise ValueError(f"--{name} must be 0 or more, got {getattr(self, flag)}")
        if self.workers < 1:
            raise ValueError(f"--workers must be 1 or more, got {self.workers}")
        for path in self.inputs:
            if not path.exists():
                raise ValueError(f"INPUT {path} does not exist")
            if path.is_dir() and self.out.resolve().is_relative_to(path.resolve()):
                raise ValueError(f"--out {self.out} must not lie inside INPUT {path}")
        if self.out.exists() and not self.out.is_dir():
            raise ValueError(f"--out {self.out} is a file, not a folder")

    @property
    def needed(self) -> int:
        """The side of the smallest face whose crop need not be enlarged, pixels."""
        return round(self.size / MARGIN)

    def settings(self) -> dict[str, object]:
        """What decides about the dataset, as JSON has it."""
        settings = asdict(self) | {"inputs": [str(path) for path in self.inputs]}
        del settings["out"], settings["workers"]
        return settings


def named_path(text: str) -> Path:
    """A path that was named: an empty one, of a variable that is not set, is no folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; name a folder, `.` for this one")
    return Path(text)


def parse_args(argv: list[str] | None = None) -> PrepareConfig:
    """Flags to a checked config; prints a sentence and exits with 2 when they make no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m preprocessing.prepare",
        description="Find the faces in pictures and films and write them as a dataset to train on.",
    )
    add = parser.add_argument
    add(
        "inputs",
        nargs="+",
        type=named_path,
        metavar="INPUT",
        help="a folder, searched with all its sub-folders, a zip file, a film, each of them one "
        "label, or a picture",
    )
    add(
        "--out",
        required=True,
        type=named_path,
        metavar="DATASET",
        help="folder to write, new or empty, or one whose run was stopped",
    )
    number = functools.partial(add, type=int, metavar="N", default=0)
    add(
        "--size",
        type=int,
        default=64,
        help="side of the faces in pixels, a power of two from 32 to 1024 (default: 64)",
    )
    add(
        "--detector",
        choices=DETECTORS,
        default="haar",
        help="haar (default) finds frontal faces, yunet drawn and turned ones too",
    )
    number("--min-face", metavar="PX", help="least width of a face (default: what fills --size)")
    which = parser.add_mutually_exclusive_group()
    for name, what in (
        ("each", "take every face of a picture (default)"),
        ("largest", "take the largest face of a picture"),
        ("union", "take one crop that holds all faces of a picture"),
    ):
        which.add_argument(
            f"--{name}", dest="faces", action="store_const", const=name, default="each", help=what
        )
    add("--level", action="store_true", help="turn each face until its eyes are level")
    add("--grayscale", action="store_true", help="write pictures of one channel")
    add(
        "--every",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="time step in films (default: 1)",
    )
    number("--per-shot", help="most frames of a film's shot (default: all)")
    usual = Limits().min_sharpness
    add(
        "--min-sharpness",
        type=float,
        metavar="X",
        help=f"refuse less sharp faces (default: {usual})",
    )
    number("--pick", help="take N pictures of each INPUT by chance, films apart (default: all)")
    number("--celeba-people", help="take N people of CelebA by chance (default: all)")
    number("--seed", help="seed of --pick and --celeba-people (default: 0)")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    number("--workers", default=cores or 1, help="processes (default: one a core)")
    args = vars(parser.parse_args(argv))
    try:
        return PrepareConfig(**args | {"inputs": tuple(args["inputs"])})
    except (ValueError, OSError) as error:
        parser.error(str(error))
