"""One unit of work: some pictures are searched, their faces cut out, judged and written.

    search(unit, config, work)   what a worker does; all it learns goes into one file of `.work`

A face's file is named after the place of its picture, so that whoever searches a picture again,
after a run that was killed, writes the same bytes under the same name.
"""

import base64
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from preprocessing.archive import read_member
from preprocessing.config import PrepareConfig
from preprocessing.crop import crop_face, crop_square, padded_fraction, union
from preprocessing.detect import Face, find_faces
from preprocessing.inputs import Source
from preprocessing.judge import Limits, describe, judge, picture_hash, too_bad
from preprocessing.read import read_image
from preprocessing.resume import Work, synced, write_unit

MAX_PADDED = 0.2  # beyond a fifth, what is made up at the border would be learnt by a network
REJECTED = "rejected"


class Item(NamedTuple):
    """A picture to search."""

    stem: str  # what its faces' files are called, without the number of the face
    row: dict  # what is known of it: "source", and "time" and "frame" in a film
    source: Source | None = None  # to read, or
    image: np.ndarray | None = None  # uint8 RGB (H, W, 3)


@dataclass(frozen=True)
class Unit:
    """Pictures that one worker searches in one go."""

    name: str
    label: str
    items: list[Item]


@dataclass(frozen=True)
class Done:
    """What became of a unit, to be told."""

    num_pictures: int
    sentences: list[str]


def search(unit: Unit, config: PrepareConfig, work: Work) -> Done:
    """Write the faces of a unit's pictures, and then its rows, which say that it is done.

    Raises: OSError naming what cannot be written.
    """
    rows, sentences = [], []
    for item in unit.items:
        try:
            image = item.image if item.source is None else read(item.source)
        except ValueError as error:
            sentences.append(str(Path(item.row["source"]).parent / str(error)))
            rows.append(item.row | {"reason": "unreadable", "sentence": sentences[-1]})
            continue
        faces = choose(image, config)
        if not faces:
            rows.append(item.row | {"reason": "no face found"})
        for number, (face, reason) in enumerate(faces, 1):
            crop = crop_face(image, face, config.size, level=config.level)
            row = item.row | describe_face(face, crop, reason, config)
            file = f"{unit.label}/{item.stem}-{number}.png"
            row["file"] = f"{REJECTED}/{file}" if "reason" in row else file
            row["label"] = unit.label
            synced(config.out / row["file"], png(crop, config.grayscale))
            rows.append(row)
    write_unit(work.unit(unit.name), rows)
    return Done(len(unit.items), sentences)


def read(source: Source) -> np.ndarray:
    """The picture uint8 RGB (H, W, 3).

    Raises: ValueError that starts with its name and says why it cannot be read.
    """
    if source.member is None:
        return read_image(source.path)
    return read_image(source.member.name, content=read_member(source.path, source.member))


def choose(image: np.ndarray, config: PrepareConfig) -> list[tuple[Face, str | None]]:
    """The faces of a picture (H, W, 3), largest first, each with a reason to refuse it or None."""
    # Of pictures without a usable face, smaller ones are found, to be told as what they are.
    smallest, enough = config.min_face or config.needed // 2, max(config.min_face, config.needed)
    faces = find_faces(image, smallest, config.detector, enough)
    if faces and config.faces == "union":
        faces = [Face(union(faces), None, faces[0].score)]
    reasons = [reason_to_refuse(image, face, config.size) for face in faces]
    if config.faces == "largest":
        reasons[1:] = ["not the largest face"] * (len(faces) - 1)
    return list(zip(faces, reasons, strict=True))


def reason_to_refuse(image: np.ndarray, face: Face, size: int) -> str | None:
    """Why a face of a picture (H, W, 3) makes no good crop of `size` pixels; None if it does."""
    if crop_square(face.box).size < size:
        return f"too small for {size} pixels"
    if padded_fraction(image, face.box) > MAX_PADDED:
        return "too close to the picture's edge"
    return None


def describe_face(face: Face, crop: np.ndarray, reason: str | None, config: PrepareConfig) -> dict:
    """The row of a face and its crop (size, size, 3), which is judged if there is no reason yet.

    "pixels" and "description" are for those who compare the faces in the end.
    """
    scores = judge(face, crop)
    limits = Limits()
    if config.min_sharpness is not None:
        limits = limits._replace(min_sharpness=config.min_sharpness)
    row = {"box": list(face.box), "scores": scores, "hash": picture_hash(crop)}
    if face.points is not None:
        row["points"] = [list(point) for point in face.points]
    if reason := reason or too_bad(scores, limits):
        row["reason"] = reason
    row["pixels"] = hashlib.sha256(crop).hexdigest()[:32]
    row["description"] = base64.b64encode(describe(crop)).decode()
    return row


def png(crop: np.ndarray, grayscale: bool) -> bytes:
    """A crop uint8 (size, size, 3) as a PNG file, of one channel if asked for."""
    content = io.BytesIO()
    image = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) if grayscale else crop
    Image.fromarray(image).save(content, "PNG")
    return content.getvalue()
