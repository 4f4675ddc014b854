"""What CelebA's own lists say of its pictures, if they lie where its authors put them.

    identity_CelebA.txt      000001.jpg 2880                     one line a picture
    list_attr_celeba.txt     the number of pictures, the names of 40 attributes, then
                             000001.jpg -1 1 ...                 1 where the attribute holds

Reference: Liu et al. 2015, "Deep Learning Face Attributes in the Wild".
"""

from pathlib import Path

IDENTITIES, ATTRIBUTES = "identity_CelebA.txt", "list_attr_celeba.txt"


def find(name: str, album: Path) -> Path | None:
    """A list of CelebA's, beside its pictures (a folder or a zip file), in Anno/ or above."""
    album = album.absolute()
    for folder in (album, *album.parents[:2]):
        for path in (folder / name, folder / "Anno" / name):
            if path.is_file():
                return path
    return None


def read_identities(album: Path) -> dict[str, int]:
    """Name of a picture -> number of the person; empty if there is no list.

    Raises: ValueError naming the list if it is another.
    """
    path = find(IDENTITIES, album)
    if path is None:
        return {}
    people = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            name, _, person = line.strip().partition(" ")
            if not person.strip().isdecimal():
                raise ValueError(f"line {number} of {path} names no picture and person")
            people[name] = int(person)
    return people


def read_attributes(album: Path, names: set[str]) -> dict[str, list[str]]:
    """Name of a picture, of those in `names` -> its attributes; empty if there is no list.

    Raises: ValueError naming the list if it is another.
    """
    path = find(ATTRIBUTES, album)
    if path is None:
        return {}
    found = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        file.readline()
        titles = file.readline().split()
        for number, line in enumerate(file, 3):
            name, *values = line.split() or [""]
            if len(values) != len(titles):
                raise ValueError(f"line {number} of {path} does not hold {len(titles)} attributes")
            if name in names:
                pairs = zip(titles, values, strict=True)
                found[name] = [title for title, value in pairs if value == "1"]
    return found
