"""What a disk has damaged in a run's folder is found, and mended or told."""

import json
import shutil

import pytest
import torch

from evaluation.card import save_metrics
from evaluation.dataset import ImageDataset
from stylegan import Discriminator, DiscriminatorConfig, Generator
from stylegan.domains import DOMAINS, Domain, save_domains
from stylegan.history import Moment, add_moment, read_history
from stylegan.layout import CONFIG, METRICS, WEIGHTS
from training.best import BEST, new_version, publish
from training.config import TrainConfig
from training.follow import Follower
from training.mend import beats, best_of, damaged, mend_best
from training.report import forget_after, kimg_of
from training.snapshot import DISCRIMINATOR, SAMPLES, SUMS, save_pictures, save_weights

DAMAGES = {
    "cut short": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
    "zeros": lambda content: bytes(len(content)),
    "garbage": lambda content: b"\xff\x00garbage" + content[:100],
    "a bit": lambda content: content[:-9] + bytes([content[-9] ^ 64]) + content[-8:],
}


def damage(path, kind):
    path.write_bytes(DAMAGES[kind](path.read_bytes()))


@pytest.fixture
def run(faces, tiny, tmp_path, figures):
    """Three measured snapshots, the second the best; kinds of faces with the last."""
    config = TrainConfig(str(faces), str(tmp_path / "run"), eval_kimg=0.0)
    dataset = ImageDataset(config.data)
    G = Generator(tiny()).eval()
    D = Discriminator(DiscriminatorConfig(32, channel_base=128, channel_max=8))
    out = tmp_path / "run"
    out.mkdir()
    for nimg, score in ((20_000, 10.0), (40_000, 30.0), (60_000, 20.0)):
        name, found = f"kimg-{nimg // 1000:06}", {"kimg": nimg / 1000} | figures(score)
        save_pictures(config, G, nimg)
        save_weights(config, dataset, G, D, nimg, out / "weights" / name, found)
        add_moment(out, Moment(nimg / 1000, f"samples/{name}.png", found))
    version = new_version(out)
    shutil.copytree(out / "weights/kimg-000040", version)
    publish(version, out)
    kinds = [Domain(name, torch.ones(12), 0.5, [1], [0.9]) for name in ("early", "late")]
    save_domains(kinds, out / "weights/kimg-000060")
    return out, Follower(config, dataset, 60_000), ({"G_ema": G, "D": D}, 60_000)


def test_whole_things_are_left_alone(run, capsys):
    out, follower, now = run
    was = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    follower.mend(*now)
    assert capsys.readouterr().err == ""
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == was


def test_weights_beat_what_scores_less_or_was_not_measured_alike(run, figures, tmp_path):
    out, _, _ = run
    assert beats(figures(31.0), out / BEST) and not beats(figures(30.0), out / BEST)
    assert beats(figures(1.0) | {"features": "others"}, out / BEST)
    assert beats(figures(1.0), tmp_path / "nothing")


def test_every_damage_of_a_snapshot_is_found(run, capsys):
    """And told, with what to do; what somebody deleted is not."""
    out, follower, now = run
    folder = out / "weights/kimg-000020"
    for name in (CONFIG, WEIGHTS, DISCRIMINATOR, SAMPLES):
        path = folder / name
        whole = path.read_bytes()
        for kind in DAMAGES:
            damage(path, kind)
            assert damaged(folder).keys() == {name}, kind
            path.write_bytes(whole)
        path.unlink()
        assert damaged(folder) == {name: "it is missing"}
        path.write_bytes(whole)
    damage(folder / WEIGHTS, "a bit")
    follower.mend(*now)
    told = capsys.readouterr().err
    assert f"{folder / WEIGHTS} is damaged" in told and f"delete {folder}" in told
    shutil.rmtree(folder)
    follower.mend(*now)
    assert capsys.readouterr().err == "" and not folder.exists()


def test_the_last_snapshot_is_made_anew(run, capsys):
    out, follower, now = run
    folder = out / "weights/kimg-000060"
    was = {name: (folder / name).read_bytes() for name in (WEIGHTS, DISCRIMINATOR, METRICS)}
    damage(folder / WEIGHTS, "a bit")
    (folder / CONFIG).unlink()
    follower.mend(*now)
    assert f"{folder} is damaged; it is made anew" in capsys.readouterr().err
    assert not damaged(folder)
    assert {name: (folder / name).read_bytes() for name in was} == was


@pytest.mark.parametrize("kind", ["cut short", "emptied", "zeros", "garbage"])
def test_damaged_figures_and_kinds_are_found(run, capsys, kind):
    out, follower, now = run
    for place in ("weights/kimg-000020", "weights/kimg-000060"):
        path = out / place / METRICS
        damage(path, kind)
        follower.mend(*now)
        assert "it is made anew" in capsys.readouterr().err
        assert json.loads(path.read_text())["score"] in (10.0, 20.0)
    path = out / "weights/kimg-000020" / DOMAINS
    shutil.copy(out / "weights/kimg-000040" / METRICS, path)
    damage(path, kind)
    follower.mend(*now)
    assert f"{path} is damaged" in (told := capsys.readouterr().err)
    assert f"python -m evaluation.catalogue {path.parent} --data" in told


@pytest.mark.parametrize("content", ["[]", '[{"name": "early"}]', '{"a": 1}', "null"])
def test_kinds_that_say_nothing_are_damaged(run, content):
    out, _, _ = run
    (out / "weights/kimg-000060" / DOMAINS).write_text(content)
    assert DOMAINS in damaged(out / "weights/kimg-000060")
    kinds = [Domain("early", torch.ones(13), 0.5, [1], [0.9])]  # of another network
    save_domains(kinds, out / "weights/kimg-000060")
    assert DOMAINS in damaged(out / "weights/kimg-000060")


def test_the_best_is_among_those_measured_as_the_last_ones_were(run, figures):
    early, middle, late = folders = sorted((run[0] / "weights").glob("kimg-*"))
    assert best_of(folders[::-1]) == middle
    older = {"kimg": 20.0} | figures(90.0) | {"features": "others"}
    save_metrics(older, early)
    assert best_of(folders) == middle
    save_metrics(older | {"kimg": 40.0}, middle)
    assert best_of(folders) == late
    (late / METRICS).unlink()
    assert best_of(folders) == early
    assert best_of([late]) is None


def test_the_best_that_is_whole_takes_the_place_of_a_damaged_best(run, capsys):
    out, follower, now = run
    for name, kind in ((WEIGHTS, "a bit"), (METRICS, "emptied"), (SUMS, "garbage")):
        damage(out / BEST / name, kind)
        mend_best(out)
        assert not damaged(out / BEST)
        assert json.loads((out / BEST / METRICS).read_text())["score"] == 30.0
    damage(out / "weights/kimg-000040" / WEIGHTS, "cut short")
    shutil.rmtree(out / ".best")  # the link leads nowhere
    mend_best(out)
    assert json.loads((out / BEST / METRICS).read_text())["score"] == 20.0
    assert f"{out / BEST / CONFIG} is damaged" in capsys.readouterr().err
    shutil.rmtree(out / "weights")
    shutil.rmtree(out / ".best")
    mend_best(out)
    assert "the next measurement makes it anew" in capsys.readouterr().err
    assert not (out / BEST).is_symlink()


def test_lost_moments_come_back_from_the_pictures_and_the_weights(run, capsys):
    out, follower, now = run
    history = out / "history.jsonl"
    moments, lines = read_history(out), history.read_text().splitlines(keepends=True)
    for content in ("", lines[0] + '{"kimg": 4\n' + lines[2], "\0" * 100 + "\n" + lines[1]):
        history.write_text(content)
        Follower(follower.config, follower.dataset, 60_000).mend(*now)
        assert read_history(out) == moments
        assert f"{history} lacked" in capsys.readouterr().err
    history.unlink()
    follower.mend(*now)
    assert read_history(out) == moments


def test_a_damaged_line_of_the_log_is_told_and_dropped(tmp_path, capsys):
    path = tmp_path / "log.jsonl"
    was = b'{"kimg": 1}\n{"kimg"\n\xff\xfe\n[]\n{"kimg": "x"}\n{"kimg": 2}\n{"kimg": 3}\n{"ki'
    path.write_bytes(was)
    forget_after(path, 2000, kimg_of)
    assert path.read_text() == '{"kimg": 1}\n{"kimg": 2}\n'
    assert (tmp_path / "log.jsonl.damaged").read_bytes() == was
    told = capsys.readouterr().err
    assert f"{path} is damaged, line 2 is none" in told and "4 such lines" in told
