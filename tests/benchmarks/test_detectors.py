"""The hand-checked sample of faces, and what both detectors make of a part of it."""

from collections import Counter

import pytest

from benchmarks.detectors import KINDS, judged, labelled, matches, measure, pictures
from preprocessing.detect import Box, Face
from tests.conftest import SHARED

DATA = SHARED / "data"


def test_the_sample_is_of_150_photographs_and_150_drawn_pictures():
    rows = labelled()
    kinds = Counter(row["kind"] for row in rows)
    assert set(kinds) == set(KINDS) and min(kinds.values()) >= 150
    places = {(row["file"], row.get("frame")) for row in rows}
    assert len(places) == len(rows)


def test_no_box_of_the_sample_is_both_right_and_false():
    for row in labelled():
        faces = [Box(*box) for box in row["faces"]]
        for box in row.get("false", []):
            assert not any(matches(Box(*box), face) for face in faces), row


def test_boxes_match_by_overlap_or_by_their_centres():
    """Shifted by half a side, squares share a third of their union; by 0.4 sides 0.43 of it."""
    box = Box(0, 0, 100)
    assert matches(box, Box(40, 0, 100)) and not matches(box, Box(50, 0, 100))
    assert matches(box, Box(30, 30, 40))  # 0.16 of the union, but in its middle
    assert not matches(box, Box(0, 0, 40))


def test_a_face_counts_once_and_what_may_be_found_not_at_all():
    row = {"faces": [[0, 0, 100], [300, 0, 100]], "either": [[600, 0, 100]]}
    found = [Box(5, 5, 100), Box(10, 0, 100), Box(600, 0, 90), Box(0, 500, 50)]
    assert judged(row, [Face(box, None, 1.0) for box in found]) == (1, 1, 2)
    assert judged(row, []) == (0, 2, 0)


@pytest.mark.parametrize("detector, least, most", [("haar", 0.6, 0.8), ("yunet", 1, 1)])
def test_yunet_finds_the_drawn_faces_that_the_cascade_misses(detector, least, most):
    """Of every second face of a series; both find every sixth photograph and nothing besides."""
    if not DATA.exists():
        pytest.skip("the pictures of the sample are not here: ../shared/data")
    rows = labelled()
    stills = [row for row in rows if row["kind"] == "photographs" and "frame" not in row][::6]
    series = [row for row in rows if "arcane" in row["file"]][::2]
    seen = measure(stills, list(pictures(stills, DATA)), detector)
    assert (seen["recall"], seen["precision"]) == (1, 1)
    assert least <= measure(series, list(pictures(series, DATA)), detector)["recall"] <= most


def test_frames_of_a_film_are_read_in_order():
    """Of a snow field, an old man and a girl, the last two frames have a face each."""
    if not DATA.exists():
        pytest.skip("the pictures of the sample are not here: ../shared/data")
    rows = [row for row in labelled() if row.get("frame") in (60, 300, 660)]
    found = measure(rows, list(pictures(rows, DATA)), "yunet")
    assert (found["faces"], found["found"], found["false"]) == (2, 2, 0)
