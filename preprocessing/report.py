"""One page that shows what became of the pictures: `report.html` in the dataset's folder.

    python -m preprocessing.report DATASET

It holds the funnel from pictures to kept faces, advice, the labels, the scores, and sheets of the
faces that are kept (by label) and refused (by reason); of faces that training.rank has ranked, both
ends. It reads only what is on disk, with a person's decisions, so it can be made again at any time.
Nothing in it points elsewhere: pictures are inside, at most MAX_SHOWN of them, so a page of 20
thousand faces stays below 5 MB.
"""

import argparse
import base64
import html
import io
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from preprocessing.advice import advise, count, several
from preprocessing.listing import Listing, Row, kept, read_decisions, read_listing, whole_file
from preprocessing.read import read_image, readable

REPORT = "report.html"
MAX_SHOWN = 2000  # faces on the page
MAX_SHEET, MIN_SHEET = 200, 12  # faces of one sheet; 12 when there are very many sheets
SIDE = 64  # pixels of a face on the page
BY_HAND = "rejected by a person"
BINS = 24
REALNESS, ENDS = "realness", 24  # the score that training.rank gives; faces shown of either end
SCORES = {
    "size": "pixels of the picture across a face",
    "sharpness": "1: edges are blurred by 0.7 pixels",
    "exposure": "0: black, 1: white",
    "frontal": "1: towards the camera, 0: in profile",
    REALNESS: "how real a discriminator finds it",
}

STYLE = """
:root { color-scheme: light dark; --back: #f6f6f4; --card: #fff; --text: #1d1d1f; --soft: #63636b;
  --line: #dcdce0; --kept: #2f7d5b; --other: #c07a3e; }
@media (prefers-color-scheme: dark) { :root { --back: #151517; --card: #1f1f22; --text: #ececef;
  --soft: #a2a2ac; --line: #37373c; --kept: #5cb88d; --other: #d99a62; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 1.5rem 1rem 4rem; background: var(--back);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 0 0 .75rem; }
p { margin: 0 0 .5rem; }
small, .soft { color: var(--soft); }
small { font-size: .85rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  margin-top: 1rem; padding: 1rem; }
ul { margin: 0; padding-left: 1.2rem; }
li + li { margin-top: .3rem; }
.bars { display: grid; grid-template-columns: minmax(8rem, 28%) 1fr; gap: .3rem .8rem;
  align-items: center; line-height: 1.3; }
.bar { display: flex; align-items: center; gap: .5rem; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.bar i { height: 1rem; min-width: 2px; border-radius: 3px; background: var(--kept); }
.bar i.other { background: var(--other); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .35rem .6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; font-size: .85rem; }
th:first-child, td:first-child { padding-left: 0; text-align: left; white-space: normal;
  min-width: 5rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(240px, 100%), 1fr));
  gap: 1.2rem; align-items: end; }
figure { margin: 0; }
figcaption { line-height: 1.3; margin-bottom: .4rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 11px; }
.key { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px;
  background: var(--kept); vertical-align: -1px; }
.key.other { background: var(--other); }
summary { cursor: pointer; font-weight: 600; padding: .3rem 0; }
summary small { font-weight: 400; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(48px, 1fr)); gap: 3px;
  margin: .3rem 0 .8rem; }
.sheet img { display: block; width: 100%; aspect-ratio: 1; border-radius: 3px;
  background: var(--line); }
"""


def write_report(folder: str | Path) -> Path:
    """Write `folder`/report.html and return its path.

    Raises:
        ValueError: in one sentence, if the folder holds no dataset.
        OSError: if the page cannot be written.
    """
    folder = Path(folder)
    listing = read_listing(folder)
    files = {row["file"] for row in kept(listing, read_decisions(folder))}
    faces, rejected = [], []
    for row in sorted((*listing.faces, *listing.rejected), key=lambda row: row["file"]):
        if row["file"] in files:
            faces.append(row)
        else:
            rejected.append({"reason": BY_HAND} | row)
    now = replace(listing, faces=faces, rejected=rejected)
    of_preparation = advise(listing)
    words = [word for word in listing.words if word not in of_preparation] + advise(now)
    with whole_file(folder / REPORT) as file:
        file.write(page(folder, now, words))
    return folder / REPORT


def page(folder: Path, listing: Listing, words: list[str]) -> str:
    """The whole page of a listing, in which "faces" are those kept and "rejected" all others."""
    name = escaped(folder.resolve().name)
    found = len(listing.faces) + len(listing.rejected)
    by_label, by_reason = sorted_by(listing.faces, "label"), sorted_by(listing.rejected, "reason")
    sheets = max(1, len(by_label) + len(by_reason))
    shown = min(MAX_SHEET, max(MIN_SHEET, MAX_SHOWN // sheets))
    settings = ", ".join(
        f"{key} {' '.join(map(str, value)) if isinstance(value, list) else value}"
        for key, value in listing.settings.items()
    )
    parts = [
        f"<header><h1>{name}</h1><p class=soft>{several(len(listing.faces), 'face')} of "
        f"{listing.size} pixels kept, of {found} found.</p><small>{escaped(settings)}</small>"
        "</header>",
        section("Advice", "<ul>" + "".join(f"<li>{escaped(w)}</li>" for w in words) + "</ul>"),
        section("From pictures to faces", funnel(listing)),
        section("Labels", labels(listing)),
        section("Scores", plots(listing)),
        *ends_of(folder, listing.faces),
        section("Kept", sheets_of(folder, by_label, shown)),
        section("Refused", sheets_of(folder, by_reason, shown) or "<p>No face was refused.</p>"),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def escaped(text: object) -> str:
    """Any text as HTML; a name with bytes that are no UTF-8 shows them as \\xe9."""
    return html.escape(readable(str(text)))


def section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"


def sorted_by(rows: list[Row], key: str) -> dict[str, list[Row]]:
    """Rows by their label or reason, the commonest first."""
    names = Counter(row[key] for row in rows)
    groups = {name: [] for name, _ in sorted(names.items(), key=lambda item: (-item[1], item[0]))}
    for row in rows:
        groups[row[key]].append(row)
    return groups


def bars(counts: dict[str, int], largest: int, kind: str = "") -> str:
    """Names, bars and numbers in rows."""
    return "".join(
        f'<span>{escaped(name)}</span><span class=bar><i class="{kind}" style="width:'
        f'calc((100% - 4rem) * {number / max(largest, 1):.3f})"></i>{number}</span>'
        for name, number in counts.items()
    )


def funnel(listing: Listing) -> str:
    """Pictures, those with a face, faces found and kept, and why the others are not."""
    found = [*listing.faces, *listing.rejected]
    with_face = len({(row.get("source", row["file"]), row.get("frame")) for row in found})
    empty = Counter(row.get("reason", "no face found") for row in listing.pictures)
    stages = {
        "pictures and frames": with_face + empty.total(),
        "with a face": with_face,
        "faces found": len(found),
        "faces kept": len(listing.faces),
    }
    reasons = Counter(row["reason"] for row in listing.rejected)
    largest = max(stages.values())
    content = f"<div class=bars>{bars(stages, largest)}</div>"
    for title, counts in {
        "Faces not kept": reasons,
        "Pictures without a face": empty,
        "Files passed over": Counter(listing.passed_over),
    }.items():
        if counts.total():
            rows = bars(dict(counts.most_common()), largest, "other")
            content += f"<p style='margin-top:1rem'>{title}</p><div class=bars>{rows}</div>"
    return content


def labels(listing: Listing) -> str:
    """The balance of the labels and their medians."""
    counted = count(listing.faces)
    scores = [s for s in SCORES if any(label.middle(s) is not None for label in counted.values())]
    faces = {name: label.faces for name, label in counted.items()}
    head = "".join(f"<th>{name}</th>" for name in ("pictures", "look-alikes", *scores))
    rows = ""
    for name, label in counted.items():
        cells = [len(label.pictures), len(label.people) or "–"]
        for score in scores:
            middle = label.middle(score)
            digits = 0 if score == "size" else 2
            cells.append("–" if middle is None else f"{middle:.{digits}f}")
        rows += f"<tr><td>{escaped(name)}</td>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>"
    return (
        f"<div class=bars>{bars(faces, max(faces.values(), default=1))}</div>"
        f"<div class=wide style='margin-top:1rem'><table><tr><th>label</th>{head}</tr>{rows}"
        "</table></div><small>Groups of look-alikes, and medians of the scores of kept faces."
        "</small>"
    )


def plots(listing: Listing) -> str:
    """A histogram of each score that any face has."""
    figures = ""
    for score, unit in SCORES.items():
        values = [
            np.array([row["scores"][score] for row in rows if score in row.get("scores", {})])
            for rows in (listing.faces, listing.rejected)
        ]
        if any(len(v) for v in values):
            caption = f"<figcaption><b>{score}</b><br><small>{unit}</small></figcaption>"
            figures += f"<figure>{caption}{histogram(*values)}</figure>"
    if not figures:
        return "<p>No scores are known.</p>"
    key = "<p><span class=key></span> kept <span class='key other'></span> refused</p>"
    return f"{key}<div class=plots>{figures}</div>"


def histogram(good: np.ndarray, bad: np.ndarray) -> str:
    """Kept values with refused ones on top of them, as inline SVG; the last bar holds the rest."""
    values = np.concatenate([good, bad])
    low, high = values.min(), np.percentile(values, 99)
    if high <= low:
        high = low + 1
    edges = np.linspace(low, high, BINS + 1)
    counts = [np.histogram(v.clip(low, high), edges)[0] for v in (good, bad)]
    scale, width = 90 / max((counts[0] + counts[1]).max(), 1), 240 / BINS
    shapes = ""
    for i, (kept_here, others) in enumerate(zip(*counts, strict=True)):
        top = 96.0
        for number, colour in (kept_here, "kept"), (others, "other"):
            if number:
                top -= number * scale
                shapes += (
                    f'<rect x="{i * width:.1f}" y="{top:.1f}" width="{width - 1:.1f}" '
                    f'height="{number * scale:.1f}" fill="var(--{colour})"/>'
                )
    digits = 0 if high > 10 else 2
    return (
        f'<svg viewBox="0 0 240 112" role="img">{shapes}<line x1="0" x2="240" y1="96.5" y2="96.5" '
        f'stroke="var(--line)"/><text x="0" y="109">{low:.{digits}f}</text>'
        f'<text x="240" y="109" text-anchor="end">{high:.{digits}f}</text></svg>'
    )


def sheets_of(folder: Path, groups: dict[str, list[Row]], shown: int) -> str:
    """A sheet of each group, with faces spread evenly over it; small groups of many are named."""
    content = ""
    for name, rows in list(groups.items())[: MAX_SHOWN // MIN_SHEET // 2]:
        places = np.unique(np.linspace(0, len(rows) - 1, min(shown, len(rows))).round().astype(int))
        faces = "".join(thumbnail(folder, rows[place]) for place in places)
        note = f"{len(rows)}" if len(places) == len(rows) else f"{len(rows)}, {len(places)} shown"
        content += (
            f"<details open><summary>{escaped(name)} <small>{note}</small></summary>"
            f"<div class=sheet>{faces}</div></details>"
        )
    if more := len(groups) - MAX_SHOWN // MIN_SHEET // 2:
        content += f"<p class=soft>and {more} more</p>" if more > 0 else ""
    return content


def ends_of(folder: Path, rows: list[Row]) -> list[str]:
    """The section on both ends of a discriminator's ranking, if there is one."""
    rows = [row for row in rows if REALNESS in row.get("scores", {})]
    if not rows:
        return []
    rows.sort(key=lambda row: row["scores"][REALNESS])
    content = ""
    for title, end in (("least real", rows[:ENDS]), ("most real", rows[: -ENDS - 1 : -1])):
        faces = "".join(thumbnail(folder, row) for row in end)
        content += f"<p>The discriminator finds these {title}</p><div class=sheet>{faces}</div>"
    return [section("Both ends", content)]


def thumbnail(folder: Path, row: Row) -> str:
    """A face as an inline picture that tells its source and scores; empty if it is lost."""
    title = [row["file"], row.get("source", "")]
    if "time" in row:
        title.append(f"at {row['time']:.1f} s")
    title += [f"{name} {score:g}" for name, score in row.get("scores", {}).items()]
    if "reason" in row:
        title.append(row["reason"])
    text = escaped("\n".join(map(str, title)))
    try:
        image = Image.fromarray(read_image(folder / row["file"]))
    except ValueError:
        return f'<img alt="" title="{text}">'
    image.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    image.save(file, "WEBP", quality=75, method=2)
    content = base64.b64encode(file.getvalue()).decode()
    return f'<img decoding=async alt="" title="{text}" src="data:image/webp;base64,{content}">'


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status is 0, or 1 with a sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m preprocessing.report", description="Write report.html of a dataset again."
    )
    parser.add_argument("folder", metavar="DATASET", help="folder that preparation wrote")
    try:
        print(write_report(parser.parse_args(argv).folder))
    except (ValueError, OSError) as error:
        print(f"no report is written: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
