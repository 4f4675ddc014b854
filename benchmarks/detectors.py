"""Which detector finds which faces: `python -m benchmarks.detectors --data ../shared/data`.

162 photographs and 165 drawn pictures were looked through by eye, with the boxes of both detectors
on them. By picture, tests/preprocessing/faces.json has

    faces    those that a detector has to find, also the ones that both missed
    either   those that it may find: from the side in the background, nearly black, upside down
    false    boxes that hold no face, or only a part of one

A found box is right if it matches a face: the intersection is at least IOU of the union, or the
centres are closer than NEAR of the larger side. Of photographs, the pictures a second of CPU time
are also measured at 640x480, enlarged. The table is printed and written as JSON.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.machine import machine, save_json
from preprocessing.detect import DETECTORS, Box, Face, distance, find_faces
from preprocessing.read import read_image

LABELS = Path(__file__).parents[1] / "tests/preprocessing/faces.json"
KINDS = ("photographs", "drawn")
IOU, NEAR = 0.4, 0.25
MIN_SIZE, ENOUGH = 22, 44  # pixels, as `prepare` asks for faces of 64 pixels
ENLARGED, PIXELS = 40, 640 * 480  # photographs that are measured at this size


def labelled(path: Path = LABELS) -> list[dict]:
    """The rows of the hand-checked sample: kind, file, frame of a film, and boxes."""
    return json.loads(path.read_text(encoding="utf-8"))["rows"]


def pictures(rows: Sequence[dict], data: Path) -> Iterator[np.ndarray]:
    """The pictures of the rows, uint8 RGB (H, W, 3); a film is read once, from its beginning."""
    film = None
    for row in rows:
        path = data / row["file"]
        if "frame" not in row:
            yield read_image(path)
            continue
        if film is None or path != film[0]:
            film = path, cv2.VideoCapture(str(path)), 0
        _, frames, number = film
        for _ in range(row["frame"] - number):
            frames.grab()
        read, image = frames.read()
        assert read, f"{path} has no frame {row['frame']}"
        film = path, frames, row["frame"] + 1
        yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def matches(a: Box, b: Box) -> bool:
    """Whether two boxes mean the same face."""
    width = min(a.x + a.size, b.x + b.size) - max(a.x, b.x)
    height = min(a.y + a.size, b.y + b.size) - max(a.y, b.y)
    both = max(0, width) * max(0, height)
    return both >= IOU * (a.size**2 + b.size**2 - both) or distance(a, b) < NEAR


def judged(row: dict, found: Sequence[Face]) -> tuple[int, int, int]:
    """Of a picture: faces found, faces missed, false boxes. A face that is found twice is false
    the second time."""
    missing = [Box(*box) for box in row["faces"]]
    allowed = [Box(*box) for box in row.get("either", [])]
    right = false = 0
    for face in sorted(found, key=lambda face: -face.score):
        same = [box for box in missing if matches(face.box, box)]
        if same:
            missing.remove(min(same, key=lambda box: distance(face.box, box)))
            right += 1
        elif not any(matches(face.box, box) for box in allowed):
            false += 1
    return right, len(missing), false


def speed(images: Sequence[np.ndarray], detector: str, repeat: int) -> float:
    """Pictures a second of this process's CPU time as `prepare` searches them, the median."""
    seconds = []
    for _ in range(repeat):
        start = time.process_time()
        for image in images:
            find_faces(image, MIN_SIZE, detector, ENOUGH)
        seconds.append(time.process_time() - start)
    return len(images) / statistics.median(seconds)


def enlarged(image: np.ndarray) -> np.ndarray:
    """A picture of PIXELS."""
    scale = (PIXELS / (image.shape[0] * image.shape[1])) ** 0.5
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def measure(rows: Sequence[dict], images: Sequence[np.ndarray], detector: str) -> dict:
    """Precision and recall of one detector."""
    counts = [
        judged(row, find_faces(image, MIN_SIZE, detector))
        for row, image in zip(rows, images, strict=True)
    ]
    right, missed, false = (sum(column) for column in zip(*counts, strict=True))
    return {
        "pictures": len(rows),
        "faces": right + missed,
        "found": right,
        "false": false,
        "precision": right / max(1, right + false),
        "recall": right / max(1, right + missed),
    }


def table(results: dict[str, dict[str, dict]]) -> str:
    """A row per kind and detector."""
    lines = [f"{'':24}{'faces':>8}{'found':>8}{'false':>8}{'precision':>11}{'recall':>8}{'/ s':>8}"]
    for kind, detectors in results.items():
        for detector, row in detectors.items():
            name = f"{kind}, {detector}"
            counts = "".join(f"{row[key]:8d}" for key in ("faces", "found", "false"))
            rates = f"{row['precision']:11.3f}{row['recall']:8.3f}{row['pictures_a_second']:8.0f}"
            lines.append(f"{name:24}{counts}{rates}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write the file, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--data", type=Path, required=True, help="folder of the labelled pictures")
    parser.add_argument("--repeat", type=int, default=3, help="times that the speed is measured")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/detectors.json"))
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)
    results, large = {}, {}
    for kind in KINDS:
        rows = [row for row in labelled() if row["kind"] == kind]
        images = list(pictures(rows, args.data))
        results[kind] = {
            detector: measure(rows, images, detector)
            | {"pictures_a_second": speed(images, detector, args.repeat)}
            for detector in DETECTORS
        }
        if kind == KINDS[0]:
            images = [enlarged(image) for image in images[:: len(images) // ENLARGED]]
            large = {detector: speed(images, detector, args.repeat) for detector in DETECTORS}
    report = {"machine": machine(), "repeat": args.repeat, "sample": results, "640x480": large}
    save_json(report, args.out)
    print(table(results))
    print("photographs of 640x480 a second of CPU time:", large)


if __name__ == "__main__":
    main()
