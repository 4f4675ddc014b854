"""Seeds as visitors give them, and the good ones that a model tells."""

import itertools
import random

from playground.mistake import Mistake
from stylegan.domains import Domain

MAX_SEED = 2**32 - 1
MOST = 8  # seeds in a list


def is_seed(value: float | None) -> bool:
    """Whether it is a whole number from 0 to MAX_SEED."""
    return value is not None and 0 <= value <= MAX_SEED and value == int(value)


def problem_with_seed(value: float | None, name: str) -> str:
    """What is wrong with a seed as it stands in its field; empty if it is fine."""
    if is_seed(value):
        return ""
    return f"Seed {name} must be a whole number from 0 to {MAX_SEED}."


def parse_seeds(text: str | None, name: str, *, also: str = "") -> list[int | None]:
    """Seeds with commas or spaces between them; another word that may stand there is None.

    Raises: Mistake with a sentence for what is none, for none at all and for too many.
    """
    words = (text or "").replace(",", " ").split()
    if not 1 <= len(words) <= MOST:
        raise Mistake(f"{name}: 1 to {MOST} seeds are needed, got {len(words)}.")
    for word in words:
        if word != also and not (word.isdecimal() and is_seed(float(word))):
            shown = word[:20]
            raise Mistake(f"{name}: {shown} is no seed. Give whole numbers from 0 to {MAX_SEED}.")
    return [None if word == also else int(word) for word in words]


def roll() -> int:
    """A seed short enough to tell a friend."""
    return random.randrange(10_000)


def good_seeds(domains: list[Domain], count: int) -> tuple[list[int], list[int]]:
    """`count` of the first kind and as many of the last, picked ones and then the best first, none
    in both.

    One kind alone is dealt out to both; where a model tells too few, other seeds fill up.
    """
    kinds = [domain.picked_first for domain in domains]
    if len(kinds) == 1:
        kinds = [kinds[0][::2], kinds[0][1::2]]
    first, last = (kinds[0], kinds[-1]) if kinds else ([], [])
    told = {*first, *last}
    others = (seed for seed in itertools.count() if seed not in told)
    return tuple(
        seeds[:count] + list(itertools.islice(others, max(count - len(seeds), 0)))
        for seeds in (first, last)
    )
