"""The best weights of a run: `best`, a link to the newest of the folders in `.best/`.

A link changes in one step, and the folder it leads to never does. Who asks once where it leads and
reads there gets files that belong together, whatever is saved meanwhile. What the link has left
stays an hour for those who read it still.

A disk without links gets a folder instead, which two renamings put in the place of the one before:
for a moment there is none, for which `find_pretrained` waits. Who reads several files just then may
get some of either; no renaming that all systems have can change that.
"""

import os
import shutil
import time
from pathlib import Path

from training.snapshot import replace

BEST, VERSIONS = "best", ".best"
READING_SECONDS = 3600


def new_version(out: Path) -> Path:
    """Where the next best weights of a run go: a folder that is not there yet."""
    numbers = [int(path.name) for path in (out / VERSIONS).glob("*") if path.name.isdecimal()]
    return out / VERSIONS / str(1 + max(numbers, default=0))


def publish(version: Path, out: Path) -> None:
    """Have `best` lead to a version. Where a disk has no links, the version becomes `best`."""
    link, new = out / BEST, out / f".{BEST}.link"
    before = link.resolve().name if link.is_symlink() else ""
    new.unlink(missing_ok=True)  # of a run that was killed
    try:
        new.symlink_to(version.relative_to(out), target_is_directory=True)
    except (OSError, NotImplementedError):
        replace(version, link)
        return
    if link.is_dir() and not link.is_symlink():  # as it was on a disk without links
        os.replace(link, new_version(out))
    os.replace(new, link)
    now = time.time()
    for old in version.parent.iterdir():
        if old.name == before:
            os.utime(old)  # left just now
        elif old != version and now - old.stat().st_mtime > READING_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
