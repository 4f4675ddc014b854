"""What a dataset folder holds: `dataset.json`, and the decisions of a person beside it.

    write_listing(folder, listing)   dataset.json and metadata.jsonl, whole
    read_listing(folder)             Listing
    append_decisions(folder, ...)    keep or reject faces; on disk when it returns
    read_decisions(folder)           file -> True to keep, False to reject, None for neither
    decisions_in(content)            the lines of decisions.jsonl that are decisions
    kept(listing, decisions)         rows of the faces to train on

A row tells of one face: "file" and "label", always; "source", "box", "points", "time", "frame",
"scores", "hash", "person", "twins" where they are known; "reason" if the face was refused. Nothing
here needs cv2, so whoever reads a dataset needs none either.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TextIO

LISTING, METADATA, DECISIONS = "dataset.json", "metadata.jsonl", "decisions.jsonl"
FORMAT = 2  # of dataset.json; the first had no "format" and listed the kept faces only
USEFUL = 100  # faces per label: with fewer, training and measuring say little

Row = dict[str, object]


@dataclass(frozen=True)
class Listing:
    """What `dataset.json` says. Rows that are written may be any iterables; rows read are lists."""

    size: int  # side of the faces, pixels
    settings: dict[str, object] = field(default_factory=dict)  # the flags, as given
    faces: Iterable[Row] = ()  # kept, unless a person decides otherwise
    rejected: Iterable[Row] = ()  # each with its "reason"
    pictures: Iterable[Row] = ()  # that gave no face: "source" and "reason"
    passed_over: dict[str, int] = field(default_factory=dict)  # files by reason
    words: list[str] = field(default_factory=list)  # advice on the whole set


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A text file (UTF-8) to write, which takes the place of `path` in one step at the end.

    Raises: OSError naming the file and what is wrong; an older one is kept.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        with new.open("w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException as e:
        new.unlink(missing_ok=True)
        if isinstance(e, OSError):
            raise OSError(f"{path} cannot be saved: {e.strerror or e}") from e
        raise


def write_listing(folder: Path, listing: Listing) -> None:
    """Write metadata.jsonl, as a Hub image folder wants it, and then dataset.json.

    One row stands on a line and is read and written by itself, so `listing` may be longer than
    memory. The faces are iterated once.

    Raises: OSError naming the file and what is wrong.
    """
    with whole_file(folder / METADATA) as metadata, whole_file(folder / LISTING) as file:

        def faces() -> Iterator[Row]:
            for row in listing.faces:
                entry = {"file_name": row["file"], "label": row["label"]}
                metadata.write(json.dumps(entry) + "\n")
                yield row

        head = {"format": FORMAT, "size": listing.size, "settings": listing.settings}
        file.write(json.dumps(head)[:-1])
        lists = {"faces": faces(), "rejected": listing.rejected, "pictures": listing.pictures}
        for name, rows in lists.items():
            file.write(f',\n"{name}": [')
            for number, row in enumerate(rows):
                file.write((",\n" if number else "\n") + json.dumps(row))
            file.write("\n]")
        tail = {"passed_over": dict(listing.passed_over), "words": listing.words}
        file.write(",\n" + json.dumps(tail)[1:] + "\n")


def read_listing(folder: str | Path) -> Listing:
    """What `folder`/dataset.json says; one of the first format tells of kept faces only.

    Raises: ValueError in one sentence if there is none, or none that can be believed.
    """
    path = Path(folder) / LISTING
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(
            f"{folder} has no {LISTING}; write the folder with preprocessing.prepare"
        ) from None
    except OSError as e:
        raise ValueError(f"{path} cannot be read ({e.strerror})") from e
    except (ValueError, RecursionError) as e:
        raise ValueError(f"{path} is damaged: it is no JSON") from e
    if isinstance(content, dict) and content.get("format", 1) not in (1, FORMAT):
        raise ValueError(
            f"{path} has format {content['format']!r}, this program knows {FORMAT}; update it"
        )
    try:
        listing = Listing(
            content["size"],
            content.get("settings", {}),
            content["faces"],
            content.get("rejected", []),
            content.get("pictures", []),
            content.get("passed_over", {}),
            content.get("words", []),
        )
        good = type(listing.size) is int and all(map(_is_row, listing.faces + listing.rejected))
    except (KeyError, TypeError, AttributeError):
        good = False
    if not good:
        raise ValueError(f"{path} is damaged: it does not list faces as preparation does")
    return listing


def _is_row(row: object) -> bool:
    """Whether it names a label and a file, which lies in the folder and not elsewhere."""
    if not isinstance(row, dict) or not isinstance(row.get("label"), str):
        return False
    file = row.get("file")
    if not isinstance(file, str) or not file or "\0" in file:
        return False
    path, windows = PurePosixPath(file), PureWindowsPath(file)
    return not (path.is_absolute() or windows.anchor or ".." in (*path.parts, *windows.parts))


def append_decisions(folder: str | Path, decisions: Mapping[str, bool | None], **more) -> None:
    """Keep (True) or reject (False) files, or leave them to preparation (None).

    All of them are on disk together when this returns. Several programs may do it at once. `more`
    stands on every line, for whoever wrote it to read again.

    Raises: OSError if they cannot be written.
    """
    rows = [{"file": file, "keep": keep} | more for file, keep in decisions.items()]
    lines = [json.dumps(row) + "\n" for row in rows]
    with Path(folder, DECISIONS).open("ab+", buffering=0) as file:
        if file.tell() and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
            lines.insert(0, "\n")  # after the half line of a program that was killed
        content = "".join(lines).encode()
        if file.write(content) != len(content):
            raise OSError(f"{Path(folder, DECISIONS)} cannot be written: the disk is full")
        os.fsync(file.fileno())


def decisions_in(content: bytes) -> Iterator[Row]:
    """The decisions among these lines, in order: "file", "keep" and whatever else stands there.

    What is no decision, as the half line of a program that was killed, counts for nothing.
    """
    for line in content.splitlines():
        try:
            row = json.loads(line)
            file, keep = row["file"], row["keep"]
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        if isinstance(file, str) and (keep is None or isinstance(keep, bool)):
            yield row


def read_decisions(folder: str | Path) -> dict[str, bool | None]:
    """The last decision on each file that has one, None if that was to leave it to preparation."""
    path = Path(folder, DECISIONS)
    content = path.read_bytes() if path.exists() else b""
    return {row["file"]: row["keep"] for row in decisions_in(content)}


def kept(listing: Listing, decisions: Mapping[str, bool | None]) -> list[Row]:
    """The rows of the faces to train on, in the order of their files' names.

    A face is kept if its last decision says so or, without one, if preparation kept it.
    """

    def is_kept(row: Row, otherwise: bool) -> bool:
        decision = decisions.get(row["file"])
        return otherwise if decision is None else decision

    rows = [row for row in listing.faces if is_kept(row, True)]
    rows += [row for row in listing.rejected if is_kept(row, False)]
    return sorted(rows, key=lambda row: row["file"])
