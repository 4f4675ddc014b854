r"""Pictures in, a dataset folder of square faces out.

    python -m preprocessing.prepare photos/ cartoons/ --out dataset --size 64

Every INPUT folder becomes one sub-folder of the dataset and one label; pictures named one by one
go under the name of the folder they lie in. A second folder of the same name gets `_2` after its
name, a third `_3`, in the order they were given. Bytes of a name that are no UTF-8 become `\xe9`
and the like. An INPUT without any picture is refused; one whose pictures gave no face is told, and
the exit status is 1.

    dataset/photos/00001.png     lossless, numbered in the order of the source files' paths
    dataset/dataset.json         {"size": 64, "faces": [{"file": "photos/00001.png",
                                  "label": "photos", "source": ..., "box": [x, y, size]}, ...]}

Every face of a picture that passes is kept, so a group gives several; what counts as a face beside
another is decided in detect.py. A face is left out when its crop would have to be enlarged, when
more than MAX_PADDED of the crop lies outside the picture, or when the same pixels are already in
the dataset under the same label. `dataset.json` is written last: a folder without it is unfinished.
"""

import argparse
import hashlib
import json
import os
import sys
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from preprocessing.crop import MARGIN, crop_face, crop_square, padded_fraction
from preprocessing.detect import Box, detect_faces
from preprocessing.read import list_pictures, read_image

SIZES = (32, 64, 128, 256, 512, 1024)
MAX_PADDED = 0.2  # beyond a fifth, the repeated border shows as stripes that a network would learn


@dataclass(frozen=True)
class PrepareConfig:
    """What the command was asked for; `ValueError` when it cannot be done."""

    inputs: tuple[Path, ...]
    out: Path
    size: int

    def __post_init__(self):
        if self.size not in SIZES:
            raise ValueError(f"--size must be a power of two from 32 to 1024, got {self.size}")
        for path in self.inputs:
            if not path.exists():
                raise ValueError(f"INPUT {path} does not exist")
            if path.is_dir() and self.out.resolve().is_relative_to(path.resolve()):
                raise ValueError(f"--out {self.out} must not lie inside INPUT {path}")
        if self.out.exists() and not self.out.is_dir():
            raise ValueError(f"--out {self.out} is a file, not a folder")
        if self.out.exists() and any(self.out.iterdir()):
            raise ValueError(f"--out {self.out} is not empty; name a new folder or empty it first")


@dataclass(frozen=True)
class Source:
    """A picture to search and the label its faces get."""

    path: Path
    label: str
    inputs: list[Path]  # those that hold it


@dataclass(frozen=True)
class Summary:
    """What became of the pictures: rows as in dataset.json, and what was left out by reason."""

    num_pictures: int
    passed_over: Counter
    labels: list[str]
    faces: list[dict]
    pictures_left_out: Counter
    faces_left_out: Counter
    without_faces: list[Path]  # inputs


def list_sources(inputs: tuple[Path, ...]) -> tuple[list[Source], Counter]:
    """The pictures of all inputs, each once, and what the folders hold besides, by reason.

    Raises: ValueError naming an input that holds no pictures.
    """
    labels: dict[Path, str] = {}  # folder -> label
    sources: dict[Path, Source] = {}  # by resolved path, so that no picture counts twice
    passed_over = Counter()
    for path in inputs:
        folder = path if path.is_dir() else path.parent
        if folder.resolve() not in labels:
            labels[folder.resolve()] = new_label(folder, set(labels.values()))
        pictures, others = list_pictures(path) if path.is_dir() else ([path], Counter())
        if not pictures:
            besides = "; ".join(f"{what}: {number}" for what, number in others.items())
            raise ValueError(f"INPUT {path} holds no pictures ({besides or 'nothing at all'})")
        passed_over += others
        for picture in pictures:
            label = labels[folder.resolve()]
            sources.setdefault(picture.resolve(), Source(picture, label, [])).inputs.append(path)
    return list(sources.values()), passed_over


def new_label(folder: Path, taken: set[str]) -> str:
    """The folder's name, numbered when another folder took it (letter case does not count)."""
    name = Path(os.path.abspath(folder)).name.lstrip(".") or "pictures"
    name = os.fsencode(name).decode(errors="backslashreplace")  # what others can read too
    taken = {label.casefold() for label in taken}
    label, number = name, 2
    while label.casefold() in taken:
        label, number = f"{name}_{number}", number + 1
    return label


def reason_to_skip(image: np.ndarray, box: Box, size: int) -> str | None:
    """Why a face of a picture (H, W, 3) makes no good crop of `size` pixels; None if it does."""
    if crop_square(box).size < size:
        return f"too small for {size} pixels"
    if padded_fraction(image, box) > MAX_PADDED:
        return "too close to the picture's edge"
    return None


def prepare(config: PrepareConfig, sources: list[Source], passed_over: Counter) -> Summary:
    """Write the faces and, if there are any, dataset.json; report unreadable files on stderr."""
    config.out.mkdir(parents=True, exist_ok=True)  # fails now rather than after the search
    faces, numbers, seen, with_faces = [], Counter(), set(), set()
    pictures_left_out, faces_left_out = Counter(), Counter()
    # Faces below half the needed size are not looked for: it takes long and finds little else.
    min_size = round(config.size / MARGIN / 2)
    for source in tqdm(sources, unit="picture", disable=None):  # no bar where nobody watches
        try:
            image = read_image(source.path)  # (H, W, 3)
        except ValueError as error:
            pictures_left_out["unreadable"] += 1
            tqdm.write(f"{source.path.parent / str(error)}", file=sys.stderr)
            continue
        boxes = detect_faces(image, min_size)
        if not boxes:
            pictures_left_out["no face found"] += 1
        for box in boxes:
            if reason := reason_to_skip(image, box, config.size):
                faces_left_out[reason] += 1
                continue
            with_faces.update(source.inputs)
            crop = crop_face(image, box, config.size)  # (size, size, 3)
            key = (source.label, hashlib.sha256(crop).digest())
            if key in seen:
                faces_left_out["the same as another"] += 1
                continue
            seen.add(key)
            numbers[source.label] += 1
            file = f"{source.label}/{numbers[source.label]:05d}.png"
            save_png(config.out / file, crop)
            row = {"file": file, "label": source.label, "source": source.path.as_posix()}
            faces.append(row | {"box": list(box)})
    if faces:
        save_json(config.out / "dataset.json", {"size": config.size, "faces": faces})
    labels = list(dict.fromkeys(source.label for source in sources))
    return Summary(
        len(sources),
        passed_over,
        labels,
        faces,
        pictures_left_out,
        faces_left_out,
        [path for path in config.inputs if path not in with_faces],
    )


def save_png(path: Path, image: np.ndarray) -> None:
    """Write uint8 RGB (H, W, 3), in a new folder if need be."""
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(image).save(path)


def save_json(path: Path, content: dict) -> None:
    """Write a file that is either complete or absent, whenever the run is stopped."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)


def report(summary: Summary, out: Path) -> str:
    """The summary as a few lines for a person."""
    by_label = Counter(row["label"] for row in summary.faces)
    sections = {
        f"pictures: {summary.num_pictures}": {},
        f"faces kept: {len(summary.faces)}": {str(out / k): by_label[k] for k in summary.labels},
        f"faces left out: {summary.faces_left_out.total()}": summary.faces_left_out,
        f"pictures left out: {summary.pictures_left_out.total()}": summary.pictures_left_out,
        f"passed over: {summary.passed_over.total()}": summary.passed_over,
    }
    lines = []
    for title, counts in sections.items():
        lines.append(title)
        lines += [f"  {count:6d}  {name}" for name, count in counts.items()]
    return "\n".join(lines)


def named_path(text: str) -> Path:
    """A path that was named: an empty one, of a variable that is not set, is no folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; name a folder, `.` for this one")
    return Path(text)


def parse_args(argv: list[str] | None = None) -> PrepareConfig:
    """Flags to a checked config; prints a sentence and exits with 2 when they make no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m preprocessing.prepare",
        description="Find the faces in pictures and write them as a dataset for training.",
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        type=named_path,
        metavar="INPUT",
        help="a folder, searched with all its sub-folders and named as one label, or a picture",
    )
    parser.add_argument(
        "--out",
        required=True,
        type=named_path,
        metavar="DATASET",
        help="new or empty folder to write",
    )
    parser.add_argument(
        "--size",
        type=int,
        default=64,
        help="side of the faces in pixels, a power of two from 32 to 1024 (default: %(default)s)",
    )
    args = parser.parse_args(argv)
    try:
        return PrepareConfig(tuple(args.inputs), args.out, args.size)
    except (ValueError, OSError) as error:
        parser.error(str(error))


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status is 0, or 1 unless every input gave faces."""
    config = parse_args(argv)
    sys.stdout.reconfigure(errors="backslashreplace")  # a file name need not be printable
    warnings.filterwarnings("ignore", module="PIL")  # what matters is said by read_image
    try:
        sources, passed_over = list_sources(config.inputs)
    except ValueError as error:
        print(f"nothing is written: {error}", file=sys.stderr)
        return 1
    try:
        summary = prepare(config, sources, passed_over)
    except OSError as error:
        print(f"stopped, the dataset is unfinished: {error}", file=sys.stderr)
        return 1
    print(report(summary, config.out))
    if not summary.faces:
        print("no face was kept, so there is no dataset", file=sys.stderr)
    elif summary.without_faces:
        names = ", ".join(map(str, summary.without_faces))
        print(f"the dataset is complete, but no face came from INPUT {names}", file=sys.stderr)
    return 1 if summary.without_faces else 0


if __name__ == "__main__":
    sys.exit(main())
