"""What is said of sets whose faults are known."""

import pytest

from preprocessing.advice import advise
from preprocessing.listing import USEFUL, Listing


def rows(label, num, **given):
    """Faces of different pictures and people, as good as any; `given` are functions of the place
    or values."""
    usual = {
        "source": lambda i: f"{label}/{i}.jpg",
        "person": lambda i: (label, i),
        "twins": lambda i: (label, i),
        "scores": lambda i: {"size": 90, "sharpness": 1.2, "exposure": 0.5, "frontal": i % 10 / 10},
    }
    return [
        {"file": f"{label}/{i:06d}-1.png", "label": label}
        | {key: value(i) if callable(value) else value for key, value in (usual | given).items()}
        for i in range(num)
    ]


def said(faces, rejected=(), pictures=(), size=64, **settings):
    return advise(Listing(size, settings, faces, rejected, pictures))


def one(words, part):
    """The only word that has `part` in it."""
    (word,) = [word for word in words if part in word]
    return word


def test_a_good_set_gets_its_summary_alone():
    words = said(rows("photos", 200) + rows("drawn", 150))
    assert len(words) == 2
    assert words[0].startswith('"drawn": 150 faces from 150 pictures, no two of them alike;')
    assert "half of them are turned by less than 50 degrees" in words[1]  # the median is 0.45
    assert "light from 50 to 50 of 100" in words[1]


def test_a_spread_needs_some_faces_and_films_have_frames():
    film = rows("film", 9, source="film.mkv", frame=lambda i: i)
    assert said(film)[0] == ('"film": 9 faces from 9 frames, no two of them alike.')


def test_no_face():
    assert said([]) == ["No face is kept, so there is nothing to train on."]


def test_the_smallest_useful_number_and_what_to_do():
    refused = [{"file": "r", "label": "photos", "reason": "too small for 64 pixels"}] * 30
    few = one(said(rows("photos", USEFUL - 1), refused), f"below {USEFUL}")
    assert '"photos" has 99 faces' in few and "30 faces of the set were too small" in few
    assert "--size" in few and "--size" not in one(
        said(rows("photos", 7), refused, size=32), f"below {USEFUL}"
    )
    assert not any("below" in word for word in said(rows("photos", USEFUL)))


def test_many_faces_of_three_frames():
    """312 of 900: frames 1, 2 and 3 of a film give 104 each, the others one each."""
    frames = rows(
        "drawn", 900, source="film.mkv", frame=lambda i: min(i // 104, 3) + max(0, i - 312)
    )
    word = one(said(frames), "come from")
    assert word.startswith('312 of 900 faces of "drawn" come from 3 pictures (film.mkv frame 0, ')


def test_all_faces_of_one_picture():
    crowd = rows("crowd", 150, source="crowd.jpg")
    assert '150 of 150 faces of "crowd" come from 1 picture (crowd.jpg).' in said(crowd)


def test_look_alikes_and_copies():
    alike = one(said(rows("a", 200, person=lambda i: i if i < 100 else 100)), "look alike")
    assert alike.startswith('100 of 200 faces of "a" look alike (group 100)')
    few = said(rows("a", 200, person=lambda i: i % 20))
    assert "only 20 groups" in one(few, "only")
    assert "20 groups of look-alikes (one person may be in several)" in few[0]
    copies = one(said(rows("a", 200, twins=lambda i: i % 190)), "nearly repeat")
    assert copies.startswith("10 faces")


def test_one_pose_only():
    def straight(i):
        return {"size": 9, "sharpness": 1, "exposure": 0.5, "frontal": 0.5 if i < 4 else 0.95}

    assert "Only 2 %" in one(said(rows("a", 200, scores=straight)), "drawn badly")
    assert not any("drawn badly" in word for word in said(rows("a", 200)))


def test_labels_of_unlike_number_light_and_sharpness():
    def scores(**other):
        return {"size": 90, "sharpness": 1.2, "exposure": 0.5} | other

    def both(num=200, **other):
        return said(rows("a", 200, scores=scores()) + rows("b", num, scores=scores(**other)))

    assert len(both()) == 2
    uneven = one(both(400), "times as many")
    assert '"b" has 2.0 times as many faces as "a" (400 and 200)' in uneven
    assert (
        'both equally often, so leave them: more of "a" would help' in uneven
    )  # not: balance them
    assert '"a" has 20 times as many faces as "b"' in one(both(10), "times as many")
    assert '"b" is darker than "a" (30 and 50 of 100)' in one(both(exposure=0.3), "darker")
    assert '"b" is softer than "a"' in one(both(sharpness=0.8), "softer")


def test_a_face_under_two_labels():
    shared = rows("a", 150, twins=lambda i: i) + rows("b", 150, twins=lambda i: i + 145)
    assert one(said(shared), "more than one label").startswith("5 faces were")


def test_much_refused_and_much_not_found():
    refused = [{"file": "r", "label": "a", "reason": "blurred"}] * 201
    assert "201 of 401 faces were refused" in one(said(rows("a", 200), refused), "refused")
    cut = [row | {"reason": "too close to the picture's edge"} for row in refused]
    assert "need no preparation" in one(said(rows("a", 200), cut), "cut to the face already")
    empty = [{"source": "x", "reason": "no face found"}] * 100
    assert "100 pictures gave no face" in one(said(rows("a", 200), (), empty), "yunet")
    assert len(said(rows("a", 200), (), empty, detector="yunet")) == 1
    assert len(said(rows("a", 200), (), empty[:20])) == 1


def test_rows_of_the_first_format_are_counted():
    words = said([{"file": f"a/{i}.png", "label": "a"} for i in range(120)])
    assert words == ['"a": 120 faces from 120 pictures.']


@pytest.mark.parametrize("num", [1, 2])
def test_rows_may_be_longer_than_memory(num):
    """Rows that are made anew on every reading, as preparation gives them."""

    class Rows:
        def __iter__(self):
            return iter(rows("a", num))

    assert f"{num} face" in said(Rows())[0]
