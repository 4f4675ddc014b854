"""The plan of a run, and the units of work that follow from it.

    make_plan(inputs, config)    the lines of `.work/plan.jsonl`
    units(work, config, tell)    Unit by Unit what is left to do; films are read meanwhile
    unit_names(work)             of units that are done, in the order of the inputs

A line is UNIT pictures of one input, or a film. A face is called after its picture's place in its
input: "000012-1.png" is the largest face of the twelfth. Frames of a film are counted by
themselves; a film that lies in a folder of pictures has a sub-folder, called after its place.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from preprocessing.archive import Member
from preprocessing.config import PrepareConfig
from preprocessing.films import Film, Frame
from preprocessing.inputs import Input, Source
from preprocessing.resume import Work, write_unit
from preprocessing.unit import Item, Unit

UNIT = 32  # pictures
UNIT_BYTES = 32 << 20  # of frames, which wait in memory
PER_FOLDER = 2000  # pictures whose faces share a folder, which then hardly holds 10 thousand files
PER_PART = 1000  # files that share a folder of `.work`


def make_plan(inputs: list[Input], config: PrepareConfig) -> list[dict]:
    """The lines of a plan: its head, and what is to be searched."""
    lines = list(input_lines(inputs, config))
    passed_over = sum((input.passed_over for input in inputs), Counter())
    head = {
        "settings": config.settings(),
        "inputs": [{"names": input.names, "label": input.label} for input in inputs],
        "passed_over": dict(sorted(passed_over.items())),
        "total": sum(num_pictures(line) for line in lines),
    }
    return [head, *lines]


def input_lines(inputs: list[Input], config: PrepareConfig) -> Iterator[dict]:
    """What is to be searched, line by line."""
    for input in inputs:
        spread_out = len(input.sources) > PER_FOLDER
        pictures = []
        for place, source in enumerate(input.sources, 1):
            if source.is_film:
                folder = "" if len(input.sources) == 1 else f"{place:06d}/"
                yield film_line(source, input.label, folder, config)
                continue
            stem = numbered(place, spread_out)
            known = input.known.get(Path(source.name).name, {})
            pictures.append([stem, source.path, source.member, known])
            if len(pictures) == UNIT:
                yield {"label": input.label, "pictures": pictures}
                pictures = []
        if pictures:
            yield {"label": input.label, "pictures": pictures}


def film_line(source: Source, label: str, folder: str, config: PrepareConfig) -> dict:
    """The line of a film; "frames" is about how many will be taken."""
    try:
        with Film(source.path) as film:
            frames = math.ceil(film.seconds / config.every)
            spread_out = not 0 < frames <= PER_FOLDER
    except ValueError:  # told when its turn comes
        frames, spread_out = 0, False
    line = {"label": label, "film": source.path, "folder": folder}
    return line | {"frames": frames, "spread_out": spread_out}


def numbered(place: int, spread_out: bool) -> str:
    """The file names of a picture's faces, without the number of the face."""
    return f"{place // PER_FOLDER:02d}/{place:06d}" if spread_out else f"{place:06d}"


def num_pictures(line: dict) -> int:
    """How many pictures a line has to search, in a film about how many frames."""
    return len(line["pictures"]) if "pictures" in line else line["frames"]


def num_done(work: Work) -> int:
    """How many pictures and frames are searched already."""
    done = 0
    for number, line in numbered_lines(work):
        if "pictures" in line:
            done += len(line["pictures"]) * work.unit(picture_unit(number)).exists()
            continue
        for part in range(num_parts(number, work)):
            done += len({row.get("frame") for row in work.rows(film_unit(number, part))})
    return done


def picture_unit(number: int) -> str:
    return f"{number // PER_PART:03d}/{number:06d}"


def film_unit(number: int, part: int) -> str:
    return f"film-{number:06d}/{part // PER_PART:03d}/{part:06d}"


def film_end(number: int) -> str:
    return f"film-{number:06d}/end"


def unit_names(work: Work) -> Iterator[str]:
    """The units that are done, in the order of the plan."""
    for number, line in numbered_lines(work):
        if "pictures" in line:
            yield picture_unit(number)
            continue
        (end,) = work.rows(film_end(number))
        yield from (film_unit(number, part) for part in range(end["units"]))


def film_words(work: Work) -> list[str]:
    """What was told of the films when they were read."""
    ends = (work.rows(film_end(n))[0] for n, line in numbered_lines(work) if "film" in line)
    return [end["word"] for end in ends if end["word"]]


def numbered_lines(work: Work) -> Iterator[tuple[int, dict]]:
    """The lines of the plan with their numbers, without its head."""
    lines = enumerate(work.lines())
    next(lines)
    yield from lines


def units(work: Work, config: PrepareConfig, tell: Callable[[list[str]], None]) -> Iterator[Unit]:
    """What is left to do; `tell` gets sentences about a film that cannot be read to its end."""
    for number, line in numbered_lines(work):
        if "film" in line:
            yield from film_units(number, line, work, config, tell)
        elif not work.unit(picture_unit(number)).exists():
            items = [
                picture_item(stem, Source(path, member and Member(*member)), known)
                for stem, path, member, known in line["pictures"]
            ]
            yield Unit(picture_unit(number), line["label"], items)


def picture_item(stem: str, source: Source, known: dict) -> Item:
    return Item(stem, {"source": Path(source.name).as_posix()} | known, source)


def film_units(
    number: int, line: dict, work: Work, config: PrepareConfig, tell: Callable[[list[str]], None]
) -> Iterator[Unit]:
    """The frames of a film that no earlier run has searched, some at a time."""
    end = film_end(number)
    if work.unit(end).exists() and num_parts(number, work) >= work.rows(end)[0]["units"]:
        return
    path, parts, taken = Path(line["film"]), 0, 0
    try:
        with Film(line["film"]) as film:
            per_unit = max(1, min(UNIT, UNIT_BYTES // film.frame_bytes))
            skip = num_parts(number, work) * per_unit
            frames = enumerate(film.frames(config.every, config.per_shot, skip), 1)
            while some := list(itertools.islice(frames, per_unit)):
                items = [frame_item(line, place, frame) for place, frame in some if frame]
                if items:
                    yield Unit(film_unit(number, parts), line["label"], items)
                parts, taken = parts + 1, taken + len(some)
            word = film.word()
            if not taken:
                raise ValueError(f"{path.name} has no frame that can be read; make an MP4 of it")
    except ValueError as error:
        word = str(error)
    if word:
        word = str(path.parent / word)
        tell([word])
    if not taken:  # its row says why it gave nothing
        row = {"source": path.as_posix(), "reason": "unreadable", "sentence": word}
        write_unit(work.unit(film_unit(number, 0)), [row])
        parts, word = 1, None
    write_unit(work.unit(end), [{"units": parts, "word": word}])


def num_parts(number: int, work: Work) -> int:
    """How many units of a film are done, up to the first that is not."""
    return next(n for n in itertools.count() if not work.unit(film_unit(number, n)).exists())


def frame_item(line: dict, place: int, frame: Frame) -> Item:
    row = {"source": Path(line["film"]).as_posix(), "time": frame.time, "frame": frame.index}
    stem = line["folder"] + numbered(place, line["spread_out"])
    return Item(stem, row, image=frame.image)
