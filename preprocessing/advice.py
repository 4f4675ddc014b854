"""The word on a whole dataset before a night is spent on it.

    advise(listing)   sentences: one for each label, then what is worth mending

All of it comes from the rows of `dataset.json`. They are iterated once, so a set may be longer than
memory. What preparation did not judge is not spoken of.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from preprocessing.listing import USEFUL, Listing, Row

FEW_PICTURES = 3  # pictures or frames that should not give
MUCH = 0.2  # of a label's faces
TURNED = 15  # degrees; a face turned further is not seen from the front
FEW_TURNED = 0.05  # of a label's faces
SPREAD = 10  # faces from which a spread is told
UNEVEN = 2  # times as many faces under one label as under another
LIGHT = 0.1  # of exposure between two labels, from black to white
SOFT = 1.25  # times as sharp
ALIKE = 3  # faces for each look-alike; with more, a set is less than its count says
NO_FACE = 0.2  # of the pictures
SMALL = "too small"  # how its reason begins
EDGE = "too close to the picture's edge"  # the reason


@dataclass
class Label:
    """What is counted of the faces of one label."""

    pictures: Counter = field(default_factory=Counter)  # (source, frame) -> faces
    people: Counter = field(default_factory=Counter)
    twins: Counter = field(default_factory=Counter)
    scores: dict[str, list[float]] = field(default_factory=dict)

    @property
    def faces(self) -> int:
        return self.pictures.total()

    def add(self, row: Row) -> None:
        self.pictures[row.get("source", row["file"]), row.get("frame")] += 1
        for counter, name in (self.people, "person"), (self.twins, "twins"):
            if name in row:
                counter[row[name]] += 1
        for name, score in row.get("scores", {}).items():
            self.scores.setdefault(name, []).append(score)

    def middle(self, score: str) -> float | None:
        """The median of a score, None if no face has it."""
        return float(np.median(self.scores[score])) if score in self.scores else None


def advise(listing: Listing) -> list[str]:
    """Plain sentences on the faces that `listing` keeps."""
    labels = count(listing.faces)
    refused = Counter(row.get("reason", "") for row in listing.rejected)
    if not labels:
        return ["No face is kept, so there is nothing to train on."]
    words = [f"{quoted(name)}: {summary(label)}." for name, label in labels.items()]
    for name, label in labels.items():
        words += too_few(name, label, refused, listing.size)
        words += one_sided(name, label)
    words += between(labels)
    words += left_out(
        labels, refused, Counter(row.get("reason") for row in listing.pictures), listing
    )
    return words


def count(rows: Iterable[Row]) -> dict[str, Label]:
    """The labels of kept faces, in the order of their names."""
    labels: dict[str, Label] = {}
    for row in rows:
        labels.setdefault(row["label"], Label()).add(row)
    return dict(sorted(labels.items()))


def quoted(name: str) -> str:
    return f'"{name}"'


def several(number: int, one: str, more: str = "") -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else more or one + 's'}"


def summary(label: Label) -> str:
    """How many faces, of how many pictures and look-alikes, how turned and how light."""
    frames = all(frame is not None for _, frame in label.pictures)
    where = several(len(label.pictures), "frame" if frames else "picture")
    parts = f"{several(label.faces, 'face')} from {where}"
    if label.people:
        groups = several(len(label.people), "group")
        alike = f"{groups} of look-alikes (one person may be in several)"
        parts += f", {alike if len(label.people) < label.faces else 'no two of them alike'}"
    if len(label.scores.get("frontal", ())) >= SPREAD:
        half, tenth = 90 * (1 - np.percentile(label.scores["frontal"], (50, 10)))
        parts += (
            f"; half of them are turned by less than {half:.0f} degrees, "
            f"one in ten by more than {tenth:.0f}"
        )
    if len(label.scores.get("exposure", ())) >= SPREAD:
        low, high = 100 * np.percentile(label.scores["exposure"], (10, 90))
        parts += f"; light from {low:.0f} to {high:.0f} of 100"
    return parts


def too_few(name: str, label: Label, refused: Counter, size: int) -> list[str]:
    """What to do with fewer than USEFUL faces."""
    if label.faces >= USEFUL:
        return []
    word = (
        f"{quoted(name)} has {several(label.faces, 'face')}; below {USEFUL}, training learns them "
        "by heart and measuring says little. Add pictures, or take more frames of a film"
    )
    small = sum(number for reason, number in refused.items() if reason.startswith(SMALL))
    if small and size > 32:
        word += f"; {several(small, 'face')} of the set {was(small)} too small for {size} pixels, "
        word += "so a smaller --size keeps more"
    return [word + "."]


def was(number: int) -> str:
    return "was" if number == 1 else "were"


def one_sided(name: str, label: Label) -> list[str]:
    """Many faces of few pictures or look-alikes, near copies, one pose."""
    words, faces = [], label.faces
    most = label.pictures.most_common(FEW_PICTURES)
    number = sum(count for _, count in most)
    if number > max(MUCH * faces, 2 * FEW_PICTURES):
        where = ", ".join(place(*picture) for picture, _ in most)
        words.append(
            f"{number} of {faces} faces of {quoted(name)} come from "
            f"{several(len(most), 'picture')} ({where})."
        )
    if label.people and faces >= USEFUL and faces > ALIKE * len(label.people):
        words.append(
            f"The {faces} faces of {quoted(name)} are only {several(len(label.people), 'group')} "
            "of look-alikes; other scenes, people or films make it more various."
        )
    elif label.people and max(label.people.values()) > max(MUCH * faces, 2 * FEW_PICTURES):
        person, number = label.people.most_common(1)[0]
        words.append(
            f"{number} of {faces} faces of {quoted(name)} look alike (group {person}): "
            "a network would draw them most often. Keep the best of them."
        )
    copies = label.twins.total() - len(label.twins)
    if copies:
        words.append(
            f"{several(copies, 'face')} of {quoted(name)} nearly repeat another one of it."
        )
    if "frontal" in label.scores and faces >= USEFUL:
        turned = np.mean(np.array(label.scores["frontal"]) < 1 - TURNED / 90)
        if turned < FEW_TURNED:
            words.append(
                f"Only {100 * turned:.0f} % of {quoted(name)} are turned by more than {TURNED} "
                "degrees: turned faces will be drawn badly."
            )
    return words


def place(source: str, frame: int | None) -> str:
    """A picture or a film's frame for a person."""
    return source if frame is None else f"{source} frame {frame}"


def between(labels: dict[str, Label]) -> list[str]:
    """Labels of unlike number, light or sharpness, and faces that are under two of them."""
    if len(labels) < 2:
        return []
    words = []
    few, *_, many = sorted(labels, key=lambda name: labels[name].faces)
    a, b = labels[few].faces, labels[many].faces
    if b >= UNEVEN * a:
        times = f"{b / a:.{1 if b < 10 * a else 0}f}"
        words.append(
            f"{quoted(many)} has {times} times as many faces as {quoted(few)} ({b} and {a}). "
            f"Training shows both equally often, so leave them: more of {quoted(few)} would help, "
            f"fewer of {quoted(many)} would not."
        )
    if extremes := far_apart(labels, "exposure"):
        dark, light, low, high = extremes
        if high - low > LIGHT:
            words.append(
                f"{quoted(dark)} is darker than {quoted(light)} ({100 * low:.0f} and "
                f"{100 * high:.0f} of 100): a network takes that for a part of the style."
            )
    if extremes := far_apart(labels, "sharpness"):
        soft, sharp, low, high = extremes
        if high > SOFT * low:
            words.append(
                f"{quoted(soft)} is softer than {quoted(sharp)} (sharpness {low:.2f} and "
                f"{high:.2f}): a network draws it as soft as it is."
            )
    seen = Counter(twin for label in labels.values() for twin in label.twins)
    if both := sum(number > 1 for number in seen.values()):
        words.append(f"{several(both, 'face')} {was(both)} found under more than one label.")
    return words


def far_apart(labels: dict[str, Label], score: str) -> tuple[str, str, float, float] | None:
    """The labels with the lowest and the highest median of a score, and both medians."""
    known = {name: label.middle(score) for name, label in labels.items() if score in label.scores}
    if len(known) < 2:
        return None
    low, high = min(known, key=known.get), max(known, key=known.get)
    return low, high, known[low], known[high]


def left_out(
    labels: dict[str, Label], refused: Counter, pictures: Counter, listing: Listing
) -> list[str]:
    """When most faces were refused, or many pictures gave none."""
    words = []
    kept = sum(label.faces for label in labels.values())
    if refused.total() > kept:
        reason, number = refused.most_common(1)[0]
        words.append(
            f"{refused.total()} of {kept + refused.total()} faces were refused, most of them as "
            f"{quoted(reason)} ({number}); look at them in the report."
        )
        if reason == EDGE:
            words.append(
                "Pictures that are cut to the face already need no preparation: if they are square "
                "and of one size, train on a folder with a sub-folder of them for each kind."
            )
    empty = pictures["no face found"]
    looked = empty + sum(len(label.pictures) for label in labels.values())
    if empty > NO_FACE * looked and listing.settings.get("detector", "haar") == "haar":
        words.append(
            f"{several(empty, 'picture')} gave no face; --detector yunet finds more drawn ones."
        )
    return words
