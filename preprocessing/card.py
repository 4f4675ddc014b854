"""What people are told of a data set on the Hub: how many faces, from what, made how.

Nothing in it tells where something lay on the machine that it came from.
"""

from collections import Counter
from pathlib import PureWindowsPath

from preprocessing.listing import Row
from preprocessing.read import readable

MARK = "<!-- preprocessing.push writes this card anew; delete this line and it stays as it is -->"
NAMED = 5  # films and archives of a label
CHOICES = ("each", "largest", "union"), ("haar", "yunet")  # that are flags, and values of one

CARD = """\
{mark}
# {title}

{total} faces, cropped square, {size}x{size} pixels, as PNG.

| label | faces | from |
| --- | --- | --- |
{table}

`metadata.jsonl` has the label of each file and the name of the picture or film it comes from.

## How they were made

`python -m preprocessing.prepare` of StyleGAN PlayGround found the faces, cropped them and left out
the bad ones{settings}; a person may have decided on some. `python -m preprocessing.push` sent what
was kept. To train on them: `python training/train.py --data {repo} --out runs/first`.

## Licence

{licence}

## Faces of real people

Some faces here may be of real people. Many countries count those as personal data, whatever
the licence of the pictures says. Do not use them to recognise anybody, nor to make a likeness of
somebody who did not agree. A network that is trained on a small set can draw nearly the same faces
again. Whoever finds their own face here may ask the owner of this repository to take it out.
"""


def plain_name(source: str) -> str:
    """The name of a file without the folders that it lies in, as text, whatever system it is of."""
    return readable(PureWindowsPath(source).name)


def _origin(row: Row) -> str:
    """The film or archive of a face, or that it comes from a picture."""
    source = str(row.get("source", ""))
    if "time" in row:
        return plain_name(source)
    archive, found, _ = source.lower().partition(".zip/")
    return plain_name(source[: len(archive) + 4]) if found else "pictures"


def _cell(text: str) -> str:
    """Any text in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _table(rows: list[Row]) -> str:
    lines = []
    for label, count in sorted(Counter(row["label"] for row in rows).items()):
        origins = Counter(_origin(row) for row in rows if row["label"] == label).most_common()
        told = [f"{name} ({number})" for name, number in origins[:NAMED]]
        more = [f"{len(origins) - NAMED} others"] if len(origins) > NAMED else []
        lines.append(f"| {_cell(label)} | {count} | {_cell(', '.join(told + more))} |")
    return "\n".join(lines)


def _flags(settings: dict[str, object]) -> str:
    """The flags that are numbers, choices or switches: no other can tell a path."""
    told = []
    for name, value in settings.items():
        flag = f"--{str(name).replace('_', '-')}"
        if not value:
            continue
        if value is True or value in CHOICES[0]:
            told.append(flag if value is True else f"--{value}")
        elif isinstance(value, int | float) or value in CHOICES[1]:
            told.append(f"{flag} {value}")
    return f" (`{' '.join(told)}`)" if told else ""


def size_category(count: int) -> str:
    """As the Hub names sizes of data sets."""
    ends = ((1000, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
    return next((name for most, name in ends if count < most), "1M<n<10M")


def card_text(
    repo: str, rows: list[Row], size: int, settings: dict[str, object], licence: str | None
) -> str:
    """The card without its front matter, in Markdown; rows of the faces that are there."""
    told = "None is given: ask the owner before you use them."
    return CARD.format(
        mark=MARK,
        title=repo.partition("/")[2],
        total=len(rows),
        size=size,
        table=_table(rows),
        settings=_flags(settings),
        repo=repo,
        licence=f"As the owner gives it: {licence}." if licence else told,
    )
