"""The doctor's words on made-up runs."""

import json

import pytest

from stylegan.history import Moment, add_moment
from training.doctor import REPORTS, diagnose, examine, main, recent, shown_shares

FLAGS = dict(out="runs/a", balance=True, ada_max=0.8, ada_kimg=100.0, init_from=None)
FLAGS |= dict(gamma=None, batch=8, pictures={"resolution": 64})  # usual: 0.5
FLAGS["counts"] = {"early": 1000, "late": 312}


def log(kimg=40.0, reports=20, **values):
    """As many reports, the last one at `kimg`, of a run in good health but for the values."""
    healthy = {"loss/D": 0.8, "loss/G": 1.6, "r1": 0.5, "ada/p": 0.1}
    healthy |= {"signs/real/early": 0.6, "signs/real/late": 0.6}
    report = healthy | {name.replace("_", "/"): value for name, value in values.items()}
    return [report | {"kimg": kimg * (i + 1) / reports} for i in range(reports)]


@pytest.fixture
def run(figures):
    """Measured at kimg 10, 20, ...: `run([50, 60], coverage=[0.8, 0.9])`."""

    def make(scores, **values):
        moments = []
        for i, score in enumerate(scores):
            now = {name: series[i] for name, series in values.items()}
            moments.append(Moment(10.0 * (i + 1), "a.png", figures(score, **now)))
        return moments

    return make


def words(*args, **flags):
    return [str(finding) for finding in diagnose(*args, FLAGS | flags)]


def test_a_good_run_needs_nothing(run):
    assert words(log(), run([40, 50, 60, 65, 68, 70])) == []
    assert words(log(), run([50, 60, 40])) == []  # once may be chance
    assert words(log(), []) == []  # never measured


def test_it_is_silent_at_first(run):
    assert words(log(reports=REPORTS - 1, **{"loss/D": 0.0}), run([1])) == []


@pytest.mark.parametrize(
    "flags, p, advice",
    [
        ({}, 0.1, "let the augmentation come sooner (--ada-kimg 25) or add images"),
        ({}, 0.8, "the augmentation is at its limit of 0.8: add images"),
        ({"ada_max": 0}, 0.0, "turn the augmentation on (--ada-max 0.8) or add images"),
    ],
)
def test_a_folder_known_by_heart_is_named(flags, p, advice):
    """Sign 0.9: D is right on 95 of 100."""
    sure = log(**{"signs/real/late": 0.9, "ada/p": p})
    expected = f"D overfits the late folder: 312 images, and it is sure of 95% of them; {advice}"
    assert words(sure, [], **flags) == [expected]
    in_pairs = log(**{"signs/real/late": 0.9, "ada/p": p, "loss/D": 0.4, "r2": 0.1})
    assert words(in_pairs, [], **flags) == []  # where D is sure of most


def test_what_was_shown_a_few_times_is_not_known_by_heart():
    """312 pictures ten times are 3.1 thousand, half of what was shown; with --no-balance a
    quarter: 312 of 1312."""
    assert words(log(kimg=6.0, **{"signs/real/late": 0.9}), []) == []
    assert len(words(log(kimg=7.0, **{"signs/real/late": 0.9}), [])) == 1
    assert words(log(kimg=7.0, **{"signs/real/late": 0.9}), [], balance=False) == []
    assert shown_shares(FLAGS | {"balance": False})["late"] == pytest.approx(312 / 1312)


def test_a_small_folder_is_named_before_it_is_known_by_heart():
    counts = {"early": 1000, "late": 100}
    (found,) = words(log(), [], counts=counts)
    assert "the late folder has 100 images, which D will learn by heart; add images" in found
    assert words(log(), [], counts=counts, init_from="weights/faces-64") == []
    (found,) = words(log(**{"signs/real/late": 0.9}), [], counts=counts)
    assert "D overfits the late folder: 100 images" in found


@pytest.mark.parametrize(
    "values, what, advice",
    [
        ({"loss/D": 0.05}, "without effort (its loss is 0.05)", "raise --gamma four times"),
        ({"loss/D": 1.38}, "D can hardly tell", "lower --gamma to a quarter"),
        ({"loss/D": 0.68, "r2": 0.1}, "its loss is 0.68, guessing 0.69", "halve --g-lr"),
        ({"r1": 210.0}, "steep at the real faces (R1 is 210", "raise it ten times"),
        ({"r1": 0.001, "loss/D": 1.2}, "flat at the real faces", "lower it to a tenth"),
    ],
)
def test_signs_of_a_wrong_balance(values, what, advice):
    (found,) = words(log(**values), [])
    assert what in found and advice in found


@pytest.mark.parametrize(
    "scores, values, what, advice",
    [
        ([50, 55], {"coverage": [0.9, 0.5]}, "cover 50% of the real ones, once 90%", "the --gamma"),
        ([50, 60, 40, 39], {}, "score is 40.0, it was 60.0 at kimg 20", "--init-from runs/a/best"),
        ([50, 60, 59, 60, 60, 61], {}, "best score was 61.0 at kimg 60", "stop, or begin"),
        ([50], {"shares": [{"early": 0.9, "late": 0.1}]}, "10% of the drawn", "--conditional"),
        ([50], {"copies": [0.2]}, "20% of the drawn faces are copies", "(--ada-kimg 25)"),
    ],
)
def test_signs_of_the_faces(run, scores, values, what, advice):
    (found,) = words(log(), run(scores, **values))
    assert what in found and advice in found


def test_scores_by_other_features_do_not_count(run):
    """As of a run that began before the features changed."""
    before, since = run([90, 90, 90]), run([50, 60])
    for moment in before:
        moment.figures["features"] = "others"
    assert words(log(), before + since) == [] != words(log(), run([90, 90, 90, 50, 60]))


def test_nothing_is_said_of_what_are_no_faces_yet_before_it_is_late(run):
    early = run([1, 2], coverage=[0.3, 0.1], shares=[{"early": 1.0, "late": 0.0}] * 2)
    assert words(log(), early) == []
    (found,) = words(log(), run([1, 2, 3, 3, 3, 4]))
    assert "there are no faces yet: the score is 4.0" in found


def test_turned_faces_are_a_leak_where_the_augmentation_is_strong(run):
    assert words(log(), run([50], turned=[0.3])) == []
    (found,) = words(log(**{"ada/p": 0.6}), run([50], turned=[0.3]))
    assert "30% of the drawn faces are turned: the augmentation leaks" in found
    assert "lower --ada-max below its present p of 0.60" in found


@pytest.mark.parametrize("gamma", [0.005, 50.0])
def test_an_odd_gamma_is_named_before_it_shows(gamma):
    (found,) = words(log(), [], gamma=gamma)
    assert f"--gamma is {gamma:g}, usual here is 0.5 (R1 is 0.5 so far); leave it out" in found
    assert words(log(), [], gamma=0.1) == words(log(), [], gamma=5.0) == []


def test_only_the_last_reports_count():
    """Of 200 the last 20; R1, which few have, is averaged over those."""
    past, now = log(reports=180, r1=500.0), log(reports=20, r1=1.0)
    for report in now[1:]:
        del report["r1"]
    assert recent(past + now)["r1"] == 1.0
    assert words(past + now, []) == []


def test_a_run_folder_is_examined(run, tmp_path, capsys):
    with pytest.raises(SystemExit, match="error: .* is not the folder of one"):
        main([str(tmp_path)])
    (tmp_path / "config.json").write_text(json.dumps({"img_resolution": 64}))  # a generator's
    with pytest.raises(SystemExit, match="error: .* is not the folder of one"):
        main([str(tmp_path)])
    (tmp_path / "config.json").write_text(json.dumps(FLAGS))
    assert examine(tmp_path) == "doctor: too early to say anything"
    lines = [json.dumps(report) for report in log()]
    (tmp_path / "log.jsonl").write_text("\n".join([*lines, '{"kim']))
    assert examine(tmp_path) == "doctor: nothing looks wrong"
    for moment in run([50, 60]):
        add_moment(tmp_path, moment)
    main([str(tmp_path)])
    assert (
        capsys.readouterr().out == "doctor: nothing looks wrong; the last scores are 50.0, 60.0\n"
    )
    for moment in run([30, 30]):
        add_moment(tmp_path, moment)
    main([str(tmp_path)])
    assert "doctor: the faces get worse" in capsys.readouterr().out


@pytest.mark.parametrize(
    "loss, kimg, finding",
    [
        (0.4, 40.0, None),
        (0.01, 5.0, None),  # as every run begins
        (0.01, 40.0, "the critic tells drawn from real without effort (its loss is 0.01); halve"),
        (1.95, 40.0, "the critic can hardly tell drawn from real (its loss is 1.95, guessing 2);"),
    ],
)
def test_a_critic_on_features_has_its_own_measure(loss, kimg, finding):
    """It is sure of nearly all reals, and has no R1."""
    values = {"loss/D": loss, "signs_real_early": 0.98, "signs_real_late": 0.98}
    found = words(log(kimg, **values), [], critic="features")
    assert found == [] if finding is None else found[0].startswith(finding) and len(found) == 1
