"""The pictures of a data set, each read once before the first step.

A picture that is broken is named at the start and not after a night. The run folder keeps what was
found, so that a later start reads only pictures that have another size or time since.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from evaluation.dataset import ImageDataset, sum_of

VERIFIED = ".pictures.json"  # {name: [bytes, time in ns, SHA-256]} of pictures that can be read
SOME = 5  # that are named


def remembered(path: Path) -> dict[str, list]:
    """What an earlier start has found; nothing if its file is missing or torn."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def verify(dataset: ImageDataset, folder: Path) -> None:
    """Read every picture, say what was passed over, and keep the sums that make its identity.

    Raises: ValueError that counts the pictures which cannot be read, and names some.
    """
    if dataset.passed_over:
        counts = "; ".join(f"{what}: {number}" for what, number in dataset.passed_over.items())
        print(f"passed over beside the pictures: {counts}", file=sys.stderr)
    known, broken = remembered(folder / VERIFIED), []

    def look(index: int) -> list | None:
        """Size, time and sum of a picture's file; None if it is broken."""
        path = dataset.paths[index]
        status = path.stat()
        entry = known.get(dataset.names[index])
        if entry and entry[:2] == [status.st_size, status.st_mtime_ns]:
            return entry
        try:
            dataset[index, False]
        except ValueError as e:
            broken.append(str(e))
            return None
        return [status.st_size, status.st_mtime_ns, sum_of(path)]

    with ThreadPoolExecutor() as pool:
        looked = pool.map(look, range(len(dataset)))
        progress = dict(desc="reading all pictures once", unit="picture", leave=False)
        looked = list(tqdm(looked, total=len(dataset), disable=None, **progress))
    found = {name: entry for name, entry in zip(dataset.names, looked, strict=True) if entry}
    if found != known:
        new = folder / f"{VERIFIED}.new"
        new.write_text(json.dumps(found), encoding="utf-8")
        os.replace(new, folder / VERIFIED)
    if broken:
        raise ValueError(
            f"{len(broken)} of {len(dataset)} pictures cannot be read; replace or remove them: "
            + "; ".join(sorted(broken)[:SOME])
            + ("; and others" if len(broken) > SOME else "")
        )
    dataset.sums = [entry[2] for entry in looked]
