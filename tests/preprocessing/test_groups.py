"""Groups of faces: by hand on a few, against brute force on many."""

import numpy as np
import pytest

from preprocessing import groups
from preprocessing.groups import MIRROR, near_duplicates, people


def text(word):
    return f"{word:016x}"


def flip(word, bits):
    return word ^ sum(1 << bit for bit in bits)


def random_words(num, seed=0):
    return [int(word) for word in np.random.default_rng(seed).integers(0, 2**63, num)]


def test_nothing_and_one_face():
    assert near_duplicates([]).tolist() == [] and near_duplicates([text(5)]).tolist() == [0]
    assert people(np.zeros((0, 192))).tolist() == [] and people(np.ones((1, 192))).tolist() == [0]


def test_four_bits_are_near_and_five_are_not():
    a, b = random_words(2)
    four, five = flip(a, [0, 13, 30, 63]), flip(a, [1, 14, 31, 45, 60])
    assert near_duplicates(map(text, [a, b, four, five, a])).tolist() == [0, 1, 0, 2, 0]


def test_a_mirrored_copy_is_near():
    (a,) = random_words(1)
    mirrored = a ^ int(MIRROR)
    hashes = [text(a), text(mirrored), text(flip(mirrored, [1, 2, 3]))]
    assert near_duplicates(hashes).tolist() == [0, 0, 0]


def test_groups_do_not_chain():
    """A word that moves by two bits a step: the fourth leaves the first's group, and leads."""
    (a,) = random_words(1)
    words = [flip(a, range(2 * step)) for step in range(6)]
    assert near_duplicates(map(text, words)).tolist() == [0, 0, 0, 1, 1, 1]
    line = np.zeros((6, 192))
    line[:, 0] = 0.08 * np.arange(6)
    assert people(line).tolist() == [0, 0, 0, 1, 1, 1]


def brute_force(near):
    """The first leader near each face, one by one; near is bool (N, N)."""
    leaders, group = [], []
    for i in range(len(near)):
        place = next((k for k, leader in enumerate(leaders) if near[i, leader]), None)
        if place is None:
            place = len(leaders)
            leaders.append(i)
        group.append(place)
    return group


@pytest.mark.parametrize("block", [7, 64, 1024])
def test_any_block_gives_what_one_by_one_gives(monkeypatch, block):
    """Words around 40 centres, half of them mirrored, and points around 40 centres."""
    monkeypatch.setattr(groups, "BLOCK", block)
    monkeypatch.setattr(groups, "PAIRS", 50)
    rng = np.random.default_rng(1)
    centres = random_words(40)
    words = np.array([flip(w, rng.choice(64, 3, False).tolist()) for w in centres * 8], np.uint64)
    words[::2] ^= MIRROR
    apart = np.minimum(
        np.bitwise_count(words[:, None] ^ words), np.bitwise_count(words[:, None] ^ words ^ MIRROR)
    )
    assert near_duplicates(map(text, words.tolist())).tolist() == brute_force(apart <= 4)

    points = np.tile(rng.normal(size=(40, 16)), (8, 1)) + rng.normal(size=(320, 16)) * 0.04
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    assert people(points).tolist() == brute_force(distance < groups.RADIUS)
    assert max(people(points)) > 30


def test_a_film_of_one_picture_costs_no_square(monkeypatch):
    """All hashes alike: the pairs that are compared stay a few for each face."""
    compared = []
    distances = groups.distances

    def counted(a, b):
        compared.append(np.broadcast(a, b).size)
        return distances(a, b)

    monkeypatch.setattr(groups, "distances", counted)
    monkeypatch.setattr(groups, "BLOCK", 16)
    assert set(near_duplicates([text(random_words(1)[0])] * 2000).tolist()) == {0}
    assert sum(compared) < 2000 * 64
