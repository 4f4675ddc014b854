"""Seeds as visitors give them, and the good ones that a model tells."""

import random

from stylegan.domains import Domain

MAX_SEED = 2**32 - 1


def problem_with_seed(value: float | None, name: str) -> str:
    """What is wrong with a seed as it stands in its field; empty if it is fine."""
    if value is not None and value == int(value) and 0 <= value <= MAX_SEED:
        return ""
    return f"Seed {name} must be a whole number from 0 to {MAX_SEED}."


def roll() -> int:
    """A seed short enough to tell a friend."""
    return random.randrange(10_000)


def good_seeds(domains: list[Domain], index: int, count: int) -> list[int]:
    """The best of one kind, the first of the kinds for 0 and the last for -1; else 0, 1, ..."""
    return domains[index].seeds[:count] if domains else list(range(count))
