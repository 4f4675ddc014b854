"""What is kept of a run's way: pictures, figures, the best weights."""

import json

import pytest
import torch

from evaluation import catalogue
from evaluation import kinds as kinds_of_faces
from evaluation.dataset import ImageDataset
from stylegan import Discriminator, DiscriminatorConfig, Generator
from stylegan.domains import load_domains, save_domains
from stylegan.history import Moment, add_moment, read_history
from training import follow
from training.checkpoint import save_flags
from training.config import TrainConfig
from training.follow import Follower

D = Discriminator(DiscriminatorConfig(64, channel_base=128, channel_max=8))


def parts(G):
    """As a checkpoint has them, before the first step."""
    optimizers = {
        f"{name}_opt": torch.optim.Adam(x.parameters()) for name, x in (("G", G), ("D", D))
    }
    return {"G": G, "D": D, "G_ema": G, **optimizers}


@pytest.fixture
def following(face_folder, tmp_path, monkeypatch):
    """A run on dark and light faces, and one who follows it from its beginning."""
    monkeypatch.setattr(follow, "SAMPLES", 60)
    monkeypatch.setattr(catalogue, "SEEDS", 72)
    monkeypatch.setattr(kinds_of_faces, "MANY", 500)
    config = TrainConfig(str(face_folder), str(tmp_path), total_kimg=20.0)
    dataset = ImageDataset(config.data)
    save_flags(config, dataset)
    return config, dataset, Follower(config, dataset, 0)


def test_the_best_weights_are_kept(following, weights, tmp_path, tiny):
    """Good ones, then ones that learned nothing: these are measured, told and not kept."""
    config, _, follower = following
    good, bad = Generator.from_pretrained(weights), Generator(tiny(img_resolution=64)).eval()
    follower.look(parts(good), 8000, measure=True, snapshot=False)
    follower.look(parts(bad), 16000, measure=True, snapshot=True)
    first, second = read_history(tmp_path)
    assert (first.kimg, first.grid) == (8.0, "samples/kimg-000008.png")
    assert (tmp_path / first.grid).is_file() and (tmp_path / second.grid).is_file()
    assert first.figures["score"] > 50 > 20 > second.figures["score"]
    assert json.loads((tmp_path / "best/metrics.json").read_text()) == first.figures
    assert Generator.from_pretrained(tmp_path / "best").config == good.config
    assert Generator.from_pretrained(tmp_path / "weights/kimg-000016").config == bad.config
    follower.look(parts(good), 20_000, measure=True, snapshot=True)
    for seeds in (follow.SAMPLES, catalogue.SEEDS):  # in the midst of a run, and at its end
        for folder in ("best", "weights/kimg-000020"):
            kinds = load_domains(tmp_path / folder)
            assert [kind.name for kind in kinds] == ["dark", "light"]
            assert sorted(seed for kind in kinds for seed in kind.seeds) == list(range(seeds))
            is_last = seeds == catalogue.SEEDS  # mixes take longer, so they wait for the end
            assert all((kind.look is not None) == is_last for kind in kinds)
        follower.finish(20_000, torch.device("cpu"))


@pytest.fixture
def unmeasured(faces, tmp_path):
    """A run on too few pictures to measure faces by them."""
    config = TrainConfig(str(faces), str(tmp_path), total_kimg=20.0)
    return config, ImageDataset(config.data)


def test_a_snapshot_between_measurements_has_a_picture_only(unmeasured, tiny, tmp_path):
    follower = Follower(*unmeasured, 0)
    pictures = follower.look(
        parts(Generator(tiny(img_resolution=64))), 4000, measure=False, snapshot=True
    )
    assert read_history(tmp_path) == [Moment(4.0, "samples/kimg-000004.png")]
    assert pictures["samples"].shape == (4 * 64, 8 * 64, 3)
    assert not (tmp_path / "best").exists()


def test_what_will_be_measured_again_is_forgotten(unmeasured, tmp_path):
    for kimg in (4.0, 8.0, 12.0):
        add_moment(tmp_path, Moment(kimg, "a.png"))
    Follower(*unmeasured, 8000)
    assert [moment.kimg for moment in read_history(tmp_path)] == [4.0, 8.0]


def test_too_few_pictures_are_not_measured_and_do_not_end_the_run(
    unmeasured, tiny, tmp_path, capsys
):
    follower = Follower(*unmeasured, 0)
    assert "faces will not be measured: early has 4 pictures" in capsys.readouterr().err
    follower.look(parts(Generator(tiny())), 1000, measure=True, snapshot=True)
    follower.finish(1000, torch.device("cpu"))
    assert read_history(tmp_path) == [Moment(1.0, "samples/kimg-000001.png")]
    assert not (tmp_path / "best").exists()


def test_kinds_that_cannot_be_told_are_no_reason_to_fail(following, tiny, tmp_path, capsys):
    _, _, follower = following
    G = Generator(tiny(img_resolution=64, c_dim=3)).eval()
    follower.look(parts(G), 20_000, measure=True, snapshot=True)
    follower.finish(20_000, torch.device("cpu"))
    assert "gets no domains.json: the generator has 3 labels" in capsys.readouterr().err
    assert not (tmp_path / "best/domains.json").exists()


def test_a_run_killed_at_its_end_ends_when_it_is_started_again(following, weights, tmp_path):
    """Once while best/ was replaced, once before domains.json."""
    config, dataset, follower = following
    follower.look(parts(Generator.from_pretrained(weights)), 20_000, measure=True, snapshot=True)
    (tmp_path / "best").rename(tmp_path / ".best.old")
    Follower(config, dataset, 20_000).finish(20_000, torch.device("cpu"))
    assert len(load_domains(tmp_path / "best")) == 2
    told = tmp_path / "best/domains.json"
    kinds = load_domains(told.parent)
    save_domains(kinds[::-1], told.parent)
    Follower(config, dataset, 20_000).finish(20_000, torch.device("cpu"))
    assert [kind.name for kind in load_domains(told.parent)] == ["light", "dark"]  # as it was
