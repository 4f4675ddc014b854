"""What windows decide on the faces of one dataset, and take back."""

import json
import threading

import pytest

from preprocessing.decisions import Decisions
from preprocessing.listing import DECISIONS, append_decisions, read_decisions

FILES = [f"photos/{number:06d}-1.png" for number in range(6)]


@pytest.fixture
def decisions(tmp_path):
    return Decisions(tmp_path, FILES)


def now(decisions):
    decisions.refresh()
    return [decision.keep for decision in decisions.now]


def on_disk(decisions):
    found = read_decisions(decisions.folder)
    return [found.get(file) for file in FILES]


def test_a_decision_is_on_disk_at_once_and_read_by_the_next_program(decisions):
    decisions.decide("a", 1, {0: True, 2: False})
    assert on_disk(decisions) == now(decisions) == [True, None, False, None, None, None]
    assert now(Decisions(decisions.folder, FILES)) == now(decisions)


def test_undo_and_redo_go_to_both_ends_and_survive_the_program(decisions):
    for act in range(1, 6):
        decisions.decide("a", act, {act: act % 2 == 0})
    all_of_it = now(decisions)
    another = Decisions(decisions.folder, FILES)  # as after a kill
    assert [another.undo("a", 10 + n) for n in range(6)] == [[5], [4], [3], [2], [1], []]
    assert now(another) == on_disk(another) == [None] * 6
    again = Decisions(decisions.folder, FILES)
    assert [again.redo("a", 20 + n) for n in range(6)] == [[1], [2], [3], [4], [5], []]
    assert now(again) == on_disk(again) == all_of_it


def test_undo_returns_to_the_decision_before(decisions):
    decisions.decide("a", 1, {0: True})
    decisions.decide("a", 2, {0: False})
    decisions.decide("a", 3, {0: None})
    seen = [now(decisions)[0]]
    for act in range(4, 7):
        decisions.undo("a", act)
        seen.append(now(decisions)[0])
    assert seen == [None, False, True, None]


def test_a_group_is_decided_and_taken_back_as_one(decisions):
    decisions.decide("a", 1, {face: False for face in range(6)})
    assert sorted(decisions.undo("a", 2)) == list(range(6))
    assert now(decisions) == [None] * 6


def test_a_new_decision_ends_what_could_be_done_again(decisions):
    decisions.decide("a", 1, {0: True})
    decisions.undo("a", 2)
    decisions.decide("a", 3, {1: True})
    assert decisions.redo("a", 4) == []
    assert now(decisions) == [None, True, None, None, None, None]


def test_what_is_decided_so_already_is_no_step(decisions):
    decisions.decide("a", 1, {0: True})
    decisions.decide("a", 2, {0: True})
    assert decisions.undo("a", 3) == [0]


def test_windows_take_back_their_own_decisions_only(decisions):
    decisions.decide("a", 1, {0: True, 1: True})
    decisions.decide("b", 1, {1: False, 2: False})
    assert decisions.undo("a", 2) == [0]  # the last word on face 1 is the other window's
    assert now(decisions) == [None, False, False, None, None, None]
    assert decisions.undo("a", 3) == []
    assert decisions.redo("a", 4) == [0]
    assert sorted(decisions.undo("b", 2)) == [1, 2]
    assert now(decisions) == [True, True, None, None, None, None]


def test_an_act_overtaken_by_another_window_does_not_block_those_before_it(decisions):
    decisions.decide("a", 1, {0: True})
    decisions.decide("a", 2, {1: True})
    decisions.decide("b", 1, {1: False})
    assert decisions.undo("a", 3) == [0]
    assert now(decisions)[:2] == [None, False]
    assert decisions.redo("a", 4) == [0]


def test_after_an_undo_the_decision_is_again_its_first_windows(decisions):
    decisions.decide("a", 1, {0: True})
    decisions.decide("b", 1, {0: False})
    decisions.undo("b", 2)
    assert decisions.undo("a", 2) == [0]
    assert now(decisions)[0] is None


def test_an_act_sent_twice_counts_once(decisions):
    """The page sends again what was not answered, and cannot know whether it was written."""
    for _ in range(2):
        decisions.decide("a", 1, {0: True})
        decisions.decide("a", 2, {1: True})
    decisions.undo("a", 3)
    decisions.undo("a", 3)
    assert now(decisions)[:2] == [True, None]


def test_two_programs_that_write_see_each_other(decisions):
    other = Decisions(decisions.folder, FILES)
    decisions.decide("a", 1, {0: True})
    other.decide("b", 1, {0: False, 1: True})
    assert now(decisions) == now(other) == on_disk(other)
    assert decisions.lines == other.lines


def test_windows_at_once_lose_nothing(decisions):
    def work(name, face):
        for act in range(1, 21):
            decisions.decide(name, act, {face: act % 2 == 0})

    threads = [threading.Thread(target=work, args=(f"w{face}", face)) for face in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decisions.lines) == 120
    assert now(decisions) == on_disk(decisions) == [True] * 6


def test_a_half_line_waits_for_its_end_and_a_foreign_one_counts_for_nothing(decisions):
    path = decisions.folder / DECISIONS
    whole = json.dumps({"file": FILES[3], "keep": False}) + "\n"
    path.write_text('nonsense\n{"file": "gone.png", "keep": true}\n' + whole[:12])
    assert now(decisions) == [None] * 6
    with path.open("a") as file:
        file.write(whole[12:])
    assert now(decisions)[3] is False
    append_decisions(decisions.folder, {FILES[3]: True})  # by a program that is no window
    assert now(decisions)[3] is True
    assert decisions.undo("a", 1) == []


def test_a_file_of_decisions_that_was_deleted_is_begun_anew(decisions):
    decisions.decide("a", 1, {0: True})
    (decisions.folder / DECISIONS).unlink()
    assert now(decisions) == [None] * 6
    decisions.decide("a", 2, {1: True})
    assert decisions.undo("a", 3) == [1]
    assert decisions.undo("a", 4) == []


@pytest.mark.parametrize("more", [{"undo": 7}, {"redo": 7}, {"undo": 7, "act": "x"}])
def test_lines_that_take_back_nothing_known_still_decide(more, decisions):
    append_decisions(decisions.folder, {FILES[0]: False}, **{"window": "a", "act": 9} | more)
    assert now(decisions)[0] is False
    decisions.decide("a", 10, {0: True})
    assert decisions.undo("a", 11) == [0]
    assert now(decisions)[0] is False
