"""From the rows of all units to a whole dataset: what only the whole set can tell.

    finish(work, config)   faces that are there twice are refused, and dataset.json is written

Rows are read from disk as often as they are needed; what stays in memory of a face are its
description and some numbers.
"""

import base64
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from preprocessing.advice import advise
from preprocessing.config import PrepareConfig
from preprocessing.groups import near_duplicates, people
from preprocessing.listing import Listing, Row, write_listing
from preprocessing.plan import film_words, num_done, unit_names
from preprocessing.report import write_report
from preprocessing.resume import Work
from preprocessing.unit import REJECTED

SAME, NEARLY = "the same as another", "nearly the same as another"


class Rows:
    """Rows that are made again whenever they are iterated."""

    def __init__(self, make: Callable[[], Iterator[Row]]):
        self.make = make

    def __iter__(self) -> Iterator[Row]:
        return self.make()


@dataclass
class Told:
    """What the dataset holds, in numbers."""

    num_pictures: int = 0  # searched, frames of films included
    faces: Counter = field(default_factory=Counter)  # by label
    rejected: Counter = field(default_factory=Counter)  # by reason
    pictures: Counter = field(default_factory=Counter)  # by reason
    words: list[str] = field(default_factory=list)


def finish(work: Work, config: PrepareConfig) -> Told:
    """Write what belongs to the whole set, dataset.json last, and delete `.work`.

    Whatever moment a run is killed at, doing it again gives the same.

    Raises: OSError naming what cannot be written.
    """
    reasons, twins, persons = compare(work)
    told = Told()

    def faces() -> Iterator[Row]:
        for number, row in enumerate(row for row in all_rows(work) if "box" in row):
            del row["pixels"], row["description"]
            row |= {"twins": int(twins[number]), "person": int(persons[number])}
            if number in reasons:
                row |= {"file": f"{REJECTED}/{row['file']}", "reason": reasons[number]}
            yield row

    for row in faces():
        if row.get("reason") in (SAME, NEARLY):
            move(config, row["file"].removeprefix(f"{REJECTED}/"), row["file"])
        if "reason" in row:
            told.rejected[row["reason"]] += 1
        else:
            told.faces[row["label"]] += 1
    told.pictures.update(row["reason"] for row in all_rows(work) if "box" not in row)
    told.num_pictures = num_done(work)
    listing = Listing(
        config.size,
        config.settings(),
        Rows(lambda: (row for row in faces() if "reason" not in row)),
        Rows(lambda: (row for row in faces() if "reason" in row)),
        Rows(lambda: (row for row in all_rows(work) if "box" not in row)),
        work.head["passed_over"],
    )
    told.words = advise(listing)
    listing.words.extend(film_words(work) + told.words)
    write_listing(config.out, listing)
    write_report(config.out)
    work.end()
    return told


def all_rows(work: Work) -> Iterator[Row]:
    """The rows of all units, in the order of the inputs and their pictures."""
    for name in unit_names(work):
        yield from work.rows(name)


def compare(work: Work) -> tuple[dict[int, str], np.ndarray, np.ndarray]:
    """Of the faces in their order: why some are refused, groups of near copies and of people.

    Of faces with the same pixels under one label the first stays, of near copies under one label
    the sharpest.
    """
    hashes, sharpness, labels, descriptions = [], [], [], []
    reasons: dict[int, str] = {}
    refused, seen = set(), set()
    for number, row in enumerate(row for row in all_rows(work) if "box" in row):
        hashes.append(row["hash"])
        sharpness.append(row["scores"]["sharpness"])
        labels.append(row["label"])
        descriptions.append(np.frombuffer(base64.b64decode(row["description"]), np.float32))
        key = row["label"], bytes.fromhex(row["pixels"])
        if "reason" in row:
            refused.add(number)
        elif key in seen:
            reasons[number] = SAME
        else:
            seen.add(key)
    twins = near_duplicates(hashes) if hashes else np.zeros(0, int)
    persons = people(np.stack(descriptions)) if descriptions else np.zeros(0, int)
    best: dict[tuple[str, int], int] = {}
    for number in range(len(hashes)):
        if number in refused or number in reasons:
            continue
        group = labels[number], int(twins[number])
        other = best.setdefault(group, number)
        if other == number:
            continue
        worse = number if sharpness[number] <= sharpness[other] else other
        best[group] = other if worse == number else number
        reasons[worse] = NEARLY
    return reasons, twins, persons


def move(config: PrepareConfig, old: str, new: str) -> None:
    """Rename a face's file, unless an earlier run did."""
    target = config.out / new
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(config.out / old, target)
    except FileNotFoundError:
        if not target.exists():
            raise
