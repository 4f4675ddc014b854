"""Figures that a file of a model tells, of which only plausible ones are shown."""

MOST = {"score": 100, "EQ-T": 999, "EQ-R": 999, "samples": 10**9}


def figure(figures: dict[str, object], name: str) -> float | None:
    """A number of the size that such a figure can have, or None."""
    value = figures.get(name)
    fits = type(value) in (int, float) and abs(value) <= MOST[name]
    return value if fits else None


def of_faces(figures: dict[str, object]) -> str:
    """On how many faces a score rests, if that is known: another number gives another score."""
    samples = figure(figures, "samples")
    return "" if samples is None else f", of {samples:.0f} faces"
