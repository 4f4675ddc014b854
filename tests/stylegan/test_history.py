"""The file in which a run tells its way."""

import pytest

from stylegan.history import HISTORY, Moment, add_moment, read_history


def test_moments_come_back_as_they_were_written(tmp_path):
    moments = [Moment(4, "samples/a.png"), Moment(8.0, "samples/b.png", {"score": 61.5})]
    for moment in moments:
        add_moment(tmp_path, moment)
    assert read_history(tmp_path) == moments


def test_a_folder_without_history_has_none(tmp_path):
    assert read_history(tmp_path) == []


def test_a_line_that_a_kill_cut_short_is_not_read(tmp_path):
    add_moment(tmp_path, Moment(4.0, "samples/a.png"))
    with (tmp_path / HISTORY).open("a") as file:
        file.write('{"kimg": 8.0, "gri')
    assert len(read_history(tmp_path)) == 1


@pytest.mark.parametrize(
    "line, reason",
    [
        ("no JSON", "line 2: Expecting value"),
        ("[1]", "line 2"),
        ('{"kimg": 1}', "grid"),
        ('{"kimg": "1", "grid": "a.png"}', "kimg must be a number from 0 to 1000000000, got '1'"),
        ('{"kimg": 1%s, "grid": "a.png"}' % ("0" * 400), "kimg must be a number"),
        ("[" * 100_000, "line 2: "),
        ('{"kimg": NaN, "grid": "a.png"}', "kimg must be a number"),
        ('{"kimg": 1, "grid": "/etc/a.png"}', "grid must name a picture in the same folder"),
        ('{"kimg": 1, "grid": "../a.png"}', "grid must name a picture in the same folder"),
        ('{"kimg": 1, "grid": 7}', "grid must name a picture in the same folder"),
        ('{"kimg": 1, "grid": "a.png", "figures": 1}', "figures must be an object"),
        ('{"kimg": 1, "grid": "a.png", "more": 1}', "more"),
    ],
)
def test_what_is_no_moment_is_named(tmp_path, line, reason):
    add_moment(tmp_path, Moment(4.0, "samples/a.png"))
    with (tmp_path / HISTORY).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=reason) as refused:
        read_history(tmp_path)
    assert str(tmp_path / HISTORY) in str(refused.value)
    assert "0" * 40 not in str(refused.value)  # however long a number is
