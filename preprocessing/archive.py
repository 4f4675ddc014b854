"""Pictures in a zip file, which stays packed.

    list_members(path)           the pictures in it and what was passed over
    read_member(path, place)     the bytes of one

A name in the archive is only told, never written to, so it may be any. Sizes that the archive
declares are not believed: of none more than MAX_BYTES is unpacked.
"""

import functools
import zipfile
from collections import Counter
from pathlib import PurePosixPath
from typing import NamedTuple

from PIL import Image

from preprocessing.bounded import MAX_BYTES
from preprocessing.films import FILMS
from preprocessing.read import FORMATS, NO_ALBUMS, REPORTED, SUFFIXES

ZIPS = (".zip",)
PACKED_FILM = "films in a zip file, which must be unpacked"
PACKED_ZIP = "zip files in a zip file, which must be unpacked"
ENCRYPTED = "encrypted files, which must be unpacked with their password"


class Member(NamedTuple):
    """A picture in a zip file: its name, and its place in the file's own list."""

    name: str
    place: int


@functools.lru_cache(maxsize=1)  # opening one of 200 thousand members takes seconds
def opened_zip(path: str) -> zipfile.ZipFile:
    """A zip file to read from.

    Raises: ValueError saying that it cannot be read.
    """
    try:
        return zipfile.ZipFile(path)
    except OSError as e:
        reason = e.strerror or str(e)
    except Exception as e:  # of damaged ones, almost anything
        reason = str(e) or type(e).__name__
    raise ValueError(f"{PurePosixPath(path).name} cannot be read as a zip file ({reason})")


def list_members(path: str) -> tuple[list[Member], Counter]:
    """The pictures in a zip file, sorted by name, and what was passed over, by reason.

    Raises: ValueError if it is no zip file that can be read.
    """
    archive = opened_zip(path)
    members, passed_over = [], Counter()
    for place, info in enumerate(archive.infolist()):
        name = PurePosixPath(info.filename.replace("\\", "/"))
        suffix = name.suffix.lower()
        if info.is_dir():
            continue
        if any(
            part.startswith(".") and part.strip(".") or part in NO_ALBUMS for part in name.parts
        ):
            passed_over["hidden"] += 1
        elif suffix in FILMS:
            passed_over[PACKED_FILM] += 1
        elif suffix in ZIPS:
            passed_over[PACKED_ZIP] += 1
        elif info.flag_bits & 1:
            passed_over[ENCRYPTED] += 1
        elif suffix in SUFFIXES + REPORTED or _begins_as_a_picture(archive, info):
            members.append(Member(info.filename, place))
        else:
            passed_over["files that are no pictures"] += 1
    return sorted(members), passed_over


def _begins_as_a_picture(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    """Whether a member's first bytes are those of a picture, whatever its name."""
    Image.init()
    try:
        with archive.open(info) as file:
            start = file.read(16)
    except Exception:  # damaged, or packed in a way that is not known
        return False
    return any(Image.OPEN[kind][1](start) is True for kind in FORMATS if kind in Image.OPEN)


def read_member(path: str, member: Member) -> bytes:
    """What a member of a zip file holds.

    Raises: ValueError that starts with its name and says why it cannot be read.
    """
    name = PurePosixPath(member.name).name
    try:
        archive = opened_zip(path)
        with archive.open(archive.infolist()[member.place]) as file:
            content = file.read(MAX_BYTES + 1)
    except ValueError:
        raise
    except Exception as e:  # damaged, or packed in a way that is not known
        raise ValueError(f"{name} cannot be unpacked ({e or type(e).__name__})") from e
    if len(content) > MAX_BYTES:
        raise ValueError(f"{name} unpacks to more than {MAX_BYTES // 1_000_000} MB")
    return content
