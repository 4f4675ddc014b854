"""Figures of weights as people meet them: a table, a section of the card, `metrics.json`.

Takes figures as `evaluation.quality.Reference.judge` and the command make them.
"""

import json
from pathlib import Path

from stylegan.files import write_whole
from stylegan.layout import METRICS

HEADING = "## How good they are"


def _plain(figures: dict[str, object]) -> dict[str, float]:
    """Figures that stand alone, shares of the folders among them."""
    alone = {name: value for name, value in figures.items() if isinstance(value, float)}
    shares = {f"share of {name}": share for name, share in figures["shares"].items()}
    return {name: value for name, value in alone.items() if name != "score"} | shares


def roughly(figures: dict[str, object]) -> str:
    """How few real faces of some labels there are; empty if they are enough."""
    few = figures.get("few", {}).items()
    told = ", ".join(f"{name} {count}".removeprefix(". ") for name, count in few)
    return f"rough, with few real faces: {told}" if told else ""


def table(figures: dict[str, object]) -> str:
    """A row per figure; value and floor of each group side by side."""
    distances = figures["distances"]
    lines = [f"score {figures['score']:.1f} of 100", *filter(None, [roughly(figures)])]
    lines.append(f"{'':26}" + "".join(f"{group:>14}{'floor':>10}" for group in distances))
    for name in next(iter(distances.values())):
        pairs = [group[name] for group in distances.values()]
        values = "".join(f"{pair['value']:14.4f}{pair['floor']:10.4f}" for pair in pairs)
        lines.append(f"{name:26}{values}")
    lines += [f"{name:26}{value:14.4f}" for name, value in _plain(figures).items()]
    for name, scores in figures.get("mixing", {}).items():
        if name == "problem":
            lines.append(f"mixing not measured: {scores}")
        else:
            lines.append(f"mixing, {name}: " + ", ".join(f"{k} {v:.3f}" for k, v in scores.items()))
    return "\n".join(lines)


def section(figures: dict[str, object]) -> str:
    """The same in Markdown, under a heading of its own."""
    distances, rule = figures["distances"], "| --- " * (1 + 2 * len(figures["distances"])) + "|"
    lines = [
        HEADING,
        "",
        f"Score **{figures['score']:.1f}** of 100, at which drawn faces would be as close to the "
        f"real ones as other real ones; {figures['samples']} faces, features "
        f"`{figures['features']}`. Beside each distance stands its floor, that of real faces.",
        *([f"The figures are {roughly(figures)}."] if figures.get("few") else []),
        "",
        "| " + "".join(f"| {group} | floor " for group in distances) + "|",
        rule,
    ]
    for name in next(iter(distances.values())):
        pairs = [group[name] for group in distances.values()]
        values = "".join(f"| {pair['value']:.3f} | {pair['floor']:.3f} " for pair in pairs)
        lines.append(f"| {name} {values}|")
    lines += ["", "| | |", "| --- | --- |"]
    lines += [f"| {name} | {value:.3f} |" for name, value in _plain(figures).items()]
    scores = figures.get("mixing", {})
    if scores and "problem" not in scores:
        lines += ["", "| mixing " + "".join(f"| {name} " for name in scores) + "|"]
        lines += ["| --- " * (1 + len(scores)) + "|"]
        for name in next(iter(scores.values())):
            row = "".join(f"| {found[name]:.3f} " for found in scores.values())
            lines.append(f"| {name} {row}|")
    return "\n".join(lines) + "\n"


def save_metrics(figures: dict[str, object], folder: Path) -> None:
    """Write a folder's metrics.json."""
    write_whole(folder / METRICS, json.dumps(figures, indent=1) + "\n")


def update_card(figures: dict[str, object], folder: Path) -> None:
    """Put the section into the folder's README.md, in place of an older one or at the end."""
    path = folder / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, found, after = text.partition(HEADING + "\n")
    _, following, rest = after.partition("\n## ") if found else ("", "", "")
    text = (before.rstrip() + "\n\n" + section(figures) + following + rest).lstrip()
    write_whole(path, text)
