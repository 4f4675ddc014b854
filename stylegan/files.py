"""Files that are whole or not there, and folders that may be written to.

A program can be killed, a disk full, a machine without power at any moment. What is written here is
found afterwards, or meanwhile by another program, as it was before or as it should be.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path


def sync(paths: Iterable[Path]) -> None:
    """Return when the disk holds what was written to these files."""
    for path in paths:
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def write_whole(path: Path, content: str | bytes | memoryview) -> None:
    """Write a file in one step, in place of an older one; text as UTF-8.

    Raises: OSError naming the file and what is wrong; an older one is kept.
    """
    content = content.encode() if isinstance(content, str) else content
    new = path.with_name(f".{path.name}.new")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError as e:
        new.unlink(missing_ok=True)
        raise OSError(f"{path} cannot be saved: {e.strerror}") from e


def read_object(path: Path) -> dict[str, object]:
    """Parse a JSON object; ValueError names the file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as e:
        raise ValueError(f"{path} is not JSON: {e}") from e
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold a JSON object")
    return values


def older_of(folder: Path) -> Path:
    """What a folder is called that makes way for a newer one, until that has its name."""
    return folder.parent / f".{folder.name}.old"


def is_free(folder: Path) -> bool:
    """Whether there is no such folder yet, or nothing in it."""
    return not folder.exists() or not any(folder.iterdir())


def check_out(out: str, data: str) -> Path:
    """The folder that `--out` names; it may hold something. `data` may be empty: none is read.

    Raises: ValueError if it names none, a file, or one that lies in the folder of `--data` or
    around it: what is written would be taken for pictures.
    """
    if not out.strip():
        raise ValueError("--out is empty; name a folder")
    folder = Path(out)
    if not folder.is_dir() and (folder.exists() or folder.is_symlink()):
        raise ValueError(f"--out {out} is no folder; name a new one")
    inner, outer = folder.resolve(), Path(data).resolve()
    if not data or not outer.is_dir():  # what is unpacked or downloaded lies elsewhere
        return folder
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise ValueError(
            f"--out {out} and --data {data} lie in one another; name an --out beside the pictures"
        )
    return folder
