"""Folders, pictures, zip files and films that are given -> what to search for faces, with labels.

    list_inputs(paths, ...)   list[Input], each with its sources in order

An INPUT is one label. Pictures that are named one by one go under the name of the folder they lie
in, so several of them are one input.
"""

import hashlib
import heapq
import os
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import NamedTuple

from preprocessing import celeba
from preprocessing.archive import ZIPS, Member, list_members
from preprocessing.films import FILMS
from preprocessing.read import is_picture, list_files, readable

LONGEST = 60  # characters of a label; of any script, a folder's name takes as many and more
NO_LABELS = {"rejected"}  # names that a dataset folder uses itself


class Source(NamedTuple):
    """A picture, a picture in a zip file or a film."""

    path: str
    member: Member | None = None
    is_film: bool = False

    @property
    def name(self) -> str:
        """As a person finds it: "album.zip/x.jpg" inside a zip file."""
        return f"{self.path}/{self.member.name}" if self.member else self.path


@dataclass
class Input:
    """What was named as one, or pictures of one folder that were named one by one."""

    names: list[str]  # as given
    label: str
    sources: list[Source] = field(default_factory=list)
    passed_over: Counter = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)  # sentences about what cannot be read
    known: dict[str, dict] = field(default_factory=dict)  # file name -> what CelebA says of it


def list_inputs(
    paths: Iterable[Path], pick: int = 0, people: int = 0, seed: int = 0
) -> list[Input]:
    """What to search, in the order given; inputs that are given twice count once.

    If `pick` is not 0, that many pictures of each input are chosen by chance; if `people` is not 0,
    all pictures of that many persons, of those inputs that CelebA's list of them belongs to.

    Raises: ValueError naming an input that holds nothing to search, or lacks what is asked for.
    """
    groups: dict[Path, list[Path]] = {}  # by what makes a label
    for path in paths:
        groups.setdefault(label_place(path).resolve(), []).append(path)
    inputs: dict[Path, Input] = {}
    for place, group in groups.items():
        taken = {input.label for input in inputs.values()}
        input = Input([str(path) for path in group], new_label(label_place(group[0]), taken))
        sources = [source for path in group for source in list_sources(path, input)]
        sharing = [other for known, other in inputs.items() if overlap(known, place)]
        if sharing or len(group) > 1:
            sources = new_ones(sources, sharing, input)
        input.sources, inputs[place] = sources, input
    inputs = list(inputs.values())
    for input in inputs:
        choose(input, pick, people, seed)
        if not input.sources:
            besides = "; ".join(f"{what}: {number}" for what, number in input.passed_over.items())
            raise ValueError(
                f"INPUT {input.names[0]} holds no pictures ({besides or 'nothing at all'})"
            )
    if people and not any(input.known for input in inputs):
        raise ValueError(f"--celeba-people needs {celeba.IDENTITIES}, which lies beside no INPUT")
    return inputs


def label_place(path: Path) -> Path:
    """A folder, a film or a zip file itself; of a picture the folder it lies in."""
    alone = not path.is_dir() and not is_film(path) and not zipfile.is_zipfile(path)
    return path.parent if alone else path


def overlap(a: Path, b: Path) -> bool:
    """Whether one place lies in the other, or both are one."""
    return a.is_relative_to(b) or b.is_relative_to(a)


def new_ones(sources: list[Source], others: list[Input], input: Input) -> list[Source]:
    """The sources, each once, that no other input holds; `input` counts those it passes over."""
    known = {os.path.realpath(source.path) for other in others for source in other.sources}
    new: dict[tuple, Source] = {}
    for source in sources:
        path = os.path.realpath(source.path)
        if path in known:
            input.passed_over["pictures that were given before"] += 1
        else:
            new.setdefault((path, source.member), source)
    return list(new.values())


def new_label(place: Path, taken: set[str]) -> str:
    """The name of a folder, a film or a zip file, numbered when another input took it.

    Letter case does not count.
    """
    path = PurePath(os.path.abspath(place))
    name = path.stem if path.suffix.lower() in FILMS + ZIPS else path.name
    name = name.lstrip(".") or "pictures"
    name = readable(name)[:LONGEST]
    taken = {label.casefold() for label in taken | NO_LABELS}
    label, number = name, 2
    while label.casefold() in taken:
        label, number = f"{name}_{number}", number + 1
    return label


def is_film(path: Path) -> bool:
    """Whether a file calls itself a film."""
    return path.suffix.lower() in FILMS and path.is_file()


def is_zip(path: Path) -> bool:
    """Whether a file calls itself a zip file."""
    return path.suffix.lower() in ZIPS and path.is_file()


def list_sources(path: Path, input: Input) -> list[Source]:
    """What one path holds, in order; `input` takes what is passed over and told besides."""
    if path.is_dir():
        files, passed_over = list_files(path, lambda f: is_film(f) or is_zip(f) or is_picture(f))
        input.passed_over += passed_over
    else:
        files = [str(path)]
    sources = []
    for file in files:
        if is_film(Path(file)):
            sources.append(Source(file, is_film=True))
        elif is_zip(Path(file)) or (not path.is_dir() and zipfile.is_zipfile(file)):
            sources += list_zip(file, input)
        else:
            sources.append(Source(file))
    return sources


def list_zip(file: str, input: Input) -> list[Source]:
    """The pictures in a zip file; one that cannot be read is told and passed over."""
    try:
        members, passed_over = list_members(file)
    except ValueError as e:
        input.passed_over["zip files that cannot be read"] += 1
        input.told.append(str(Path(file).parent / str(e)))
        return []
    input.passed_over += passed_over
    return [Source(file, member) for member in members]


def choose(input: Input, pick: int, people: int, seed: int) -> None:
    """Take what CelebA says of an input's pictures, and keep those that are asked for."""

    def file_name(source: Source) -> str:
        return PurePath(source.member.name if source.member else source.path).name

    persons = celeba.read_identities(Path(input.names[0]))
    if people and persons:
        there = {persons[file_name(s)] for s in input.sources if file_name(s) in persons}
        chosen = set(by_chance(there, people, seed))
        input.sources = [s for s in input.sources if persons.get(file_name(s)) in chosen]
    if pick:
        films = {source for source in input.sources if source.is_film}
        pictures = [source for source in input.sources if not source.is_film]
        root = len(input.names[0])  # the same choice wherever the album lies
        names = {source.name[root:]: source for source in pictures}
        chosen = films | {names[name] for name in by_chance(names, pick, seed)}
        input.sources = [source for source in input.sources if source in chosen]
    names = {file_name(source) for source in input.sources}
    attributes = celeba.read_attributes(Path(input.names[0]), names)
    for name in names & (persons.keys() | attributes.keys()):
        known = {"identity": persons.get(name), "attributes": attributes.get(name)}
        input.known[name] = {what: value for what, value in known.items() if value is not None}


def by_chance(values: Iterable, number: int, seed: int) -> list:
    """`number` of the values, the same for a seed; more of them are those and others."""

    def draw(value: object) -> bytes:
        text = f"{seed} {value}".encode(errors="surrogateescape")
        return hashlib.sha256(text).digest()

    return heapq.nsmallest(number, values, key=draw)
