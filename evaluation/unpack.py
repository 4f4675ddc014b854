"""A zip file of pictures, unpacked once into a folder of the user's cache, whole or not at all.

What lies in it is a stranger's: nothing is written outside the folder, and no more than the archive
declares, which is looked at first.
"""

import hashlib
import lzma
import os
import shutil
import stat
import sys
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from filelock import FileLock

from preprocessing.listing import LISTING, METADATA
from preprocessing.read import NO_ALBUMS

MOST_FILES = 1_000_000
EXPANSION, SOME = 100, 1 << 30  # most bytes of a file of the archive; bytes that any may unpack to
DAMAGES = zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError


def cache() -> Path:
    """The folder where the program keeps what it can make again, made if need be.

    Raises: OSError naming it if it cannot be made.
    """
    folder = (
        Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "stylegan-playground"
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise OSError(f"the cache {folder} cannot be made: {e.strerror}") from e
    return folder


def members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files in an archive, without what is hidden and links.

    Raises: ValueError saying why it will not be unpacked.
    """
    found, total = {}, 0
    for info in archive.infolist():
        name = PurePosixPath(info.filename)
        windows = PureWindowsPath(info.filename)
        if windows.anchor or name.is_absolute() or ".." in (*name.parts, *windows.parts):
            raise ValueError(f"holds {info.filename!r}, which would lie outside its folder")
        hidden = any(part.startswith(".") or part in NO_ALBUMS for part in name.parts)
        if info.is_dir() or hidden or stat.S_ISLNK(info.external_attr >> 16) or not name.parts:
            continue
        if info.flag_bits & 1:
            raise ValueError("is encrypted; unpack it and give the folder")
        found[name] = info
        total += info.file_size
    if len(found) > MOST_FILES:
        raise ValueError(f"holds more than {MOST_FILES} files")
    if total > EXPANSION * os.path.getsize(archive.filename) + SOME:
        raise ValueError(f"would unpack to {total / 1e9:.1f} GB, {EXPANSION} times its own size")
    return list(found.values())


def _extract(archive: zipfile.ZipFile, files: list[zipfile.ZipInfo], folder: Path) -> None:
    """Write files below a folder, all or none."""
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)  # of a process that was killed
    try:
        new.mkdir()
        needed, free = sum(info.file_size for info in files), shutil.disk_usage(new).free
        if needed > free:
            raise OSError(f"it needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} are free")
        for info in files:
            path = new / info.filename
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, path.open("xb") as target:
                shutil.copyfileobj(source, target)
        if hasattr(os, "sync"):
            os.sync()  # one for all files
        shutil.rmtree(folder, ignore_errors=True)  # of which something was deleted
        os.replace(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _is_whole(folder: Path, files: list[zipfile.ZipInfo]) -> bool:
    try:
        return all((folder / f.filename).stat().st_size == f.file_size for f in files)
    except OSError:
        return False


def _top(folder: Path) -> Path:
    """A data set that was packed with its folder is the folder inside."""
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if len(inside) == 1 and any((inside[0] / name).is_file() for name in (LISTING, METADATA)):
        return inside[0]
    return folder


def unpacked(path: Path) -> Path:
    """The folder with a zip's files under their names; one process unpacks, others wait for it.

    The same archive, by its names, sizes and checksums, is unpacked once.

    Raises: ValueError for a file that is no zip, is damaged or asks for too much; OSError if it
    cannot be written.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            files = members(archive)
            listed = "\n".join(f"{f.filename}\t{f.file_size}\t{f.CRC}" for f in files)
            digest = hashlib.sha256(os.fsencode(listed)).hexdigest()[:16]
            folder = cache() / f"{path.stem[:40]}-{digest}"
            with FileLock(folder.with_name(f".{folder.name}.lock")):
                if files and not _is_whole(folder, files):
                    print(f"{path} is unpacked into {folder}", file=sys.stderr)
                    _extract(archive, files, folder)
    except DAMAGES as e:
        raise ValueError(f"--data {path} is damaged, or no zip file: {e}") from e
    except (ValueError, RuntimeError) as e:  # ours, and of a compression that is unknown here
        raise ValueError(f"--data {path} {e}") from e
    except OSError as e:
        raise OSError(f"--data {path} cannot be unpacked: {e.strerror or e}") from e
    if not files:
        raise ValueError(f"--data {path} holds no files")
    return _top(folder)
