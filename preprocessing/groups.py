"""Which faces of a set belong together: near copies, and pictures of one person in one scene.

    near_duplicates(hashes)     of `judge.picture_hash` -> group numbers (N,)
    people(descriptions)        of `judge.describe`     -> group numbers (N,)

Both go through the faces in order: a face that is near the leader of a group joins it, any other
face leads a new group. So nothing chains: all of a group are near its first face, and a head that
turns slowly makes several groups instead of one that spans a film. Groups are numbered by their
first faces. A block of faces is compared with the leaders at a time, so memory is bounded.

Near copies: official portraits are alike. Of the UK Parliament's 0.8 % count as near copies of
another person, of the US Congress' 0.2 %, of generated portraits none.

People: a description knows the sitting, not the person. Of 102 people, each once neutral and once
smiling, it joins 89 % of the pairs and no two people. It misses a person in other clothes or light,
and of one film shot it makes a group for each pose; so there are fewer people than groups.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np

MAX_DISTANCE = 4  # bits of 64
RADIUS = 0.2  # between the descriptions of one person
MIRROR = np.uint64(0xAAAA_AAAA_AAAA_AAAA)  # the waves across that change sign in a mirror
BLOCK = 1024  # faces
PAIRS = 1 << 22  # that are compared at once


def near_duplicates(hashes: Iterable[str], max_distance: int = MAX_DISTANCE) -> np.ndarray:
    """Group hashes (N) that differ in few bits, mirrored copies too: int64 (N,).

    Of 64 bits in `max_distance` + 1 bands, near hashes share at least one band whole. So only
    leaders with an equal band are looked at, and the work does not grow with the square of N.
    """
    words = np.array([int(text, 16) for text in hashes], np.uint64)
    edges = np.linspace(0, 64, max_distance + 2).astype(int)

    def first_leader(block: slice, leaders: np.ndarray) -> np.ndarray:
        first = np.full(block.stop - block.start, len(leaders))
        for low, high in pairwise(edges):
            band = np.uint64((1 << int(high)) - (1 << int(low)))  # a mask
            order = np.argsort(words[leaders] & band, kind="stable")
            known = (words[leaders] & band)[order]
            for asked in (words[block], words[block] ^ MIRROR):
                for query, place in equal_pairs(asked & band, known):
                    near = distances(words[block][query], words[leaders[order[place]]])
                    hit = near <= max_distance
                    np.minimum.at(first, query[hit], order[place[hit]])
        return np.where(first < len(leaders), first, -1)

    def near_in(block: slice) -> np.ndarray:
        return distances(words[block, None], words[None, block]) <= max_distance

    return follow_leaders(len(words), first_leader, near_in)


def people(descriptions: np.ndarray, radius: float = RADIUS) -> np.ndarray:
    """Group descriptions float32 (N, K) that are closer than `radius`: int64 (N,)."""
    descriptions = np.asarray(descriptions, np.float32)
    squares = np.einsum("nk,nk->n", descriptions, descriptions)

    def near(rows: slice, columns: slice | np.ndarray) -> np.ndarray:
        product = descriptions[rows] @ descriptions[columns].T
        return squares[rows, None] + squares[columns] - 2 * product < radius**2

    def first_leader(block: slice, leaders: np.ndarray) -> np.ndarray:
        first = np.full(block.stop - block.start, -1)
        for start in range(0, len(leaders), 8 * BLOCK):
            hits = near(block, leaders[start : start + 8 * BLOCK])
            new = (first < 0) & hits.any(1)
            first[new] = start + hits[new].argmax(1)
        return first

    return follow_leaders(len(descriptions), first_leader, lambda block: near(block, block))


def follow_leaders(
    num: int,
    first_leader: Callable[[slice, np.ndarray], np.ndarray],
    near_in: Callable[[slice], np.ndarray],
) -> np.ndarray:
    """Group numbers (num,) of faces, each of which joins the first leader that it is near to.

    Args:
        first_leader: of each face of a block, the place among leaders (L,), or -1 if none is near.
        near_in: bool (B, B), which faces of a block are near one another.
    """
    group, leaders = np.full(num, -1), []
    for start in range(0, num, BLOCK):
        block = slice(start, min(start + BLOCK, num))
        part = group[block]  # a view
        part[:] = first_leader(block, np.array(leaders, int))
        near = near_in(block)
        for i in np.flatnonzero(part < 0):
            if part[i] < 0:
                part[(part < 0) & near[i]] = len(leaders)
                part[i] = len(leaders)
                leaders.append(start + i)
    return group


def equal_pairs(asked: np.ndarray, known: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Places (P,), (P,) where asked (A,) equals known (L,), sorted; about PAIRS at once."""
    low, high = np.searchsorted(known, asked, "left"), np.searchsorted(known, asked, "right")
    counts = high - low
    ends = counts.cumsum()
    start = 0
    while start < len(asked):
        done = ends[start] - counts[start]
        stop = max(start + 1, np.searchsorted(ends, done + PAIRS, "right"))
        part = counts[start:stop]
        query = np.repeat(np.arange(start, stop), part)
        offset = np.arange(part.sum()) - np.repeat(part.cumsum() - part, part)
        yield query, np.repeat(low[start:stop], part) + offset
        start = stop


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Bits in which words differ, or in which one differs from the other's mirror if those are
    fewer."""
    return np.minimum(np.bitwise_count(a ^ b), np.bitwise_count(a ^ b ^ MIRROR))
