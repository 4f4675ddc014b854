"""A run on the Hub, with the real client against a Hub on loopback."""

import dataclasses
import subprocess
import sys

import pytest
import torch
from huggingface_hub import HfApi, ModelCard

from evaluation.dataset import ImageDataset
from playground.model import Model, Models
from stylegan import Discriminator, DiscriminatorConfig, Generator
from stylegan.find import find_pretrained
from stylegan.history import HISTORY, Moment, add_moment, read_history
from stylegan.layout import WEIGHTS
from training.card import MARK, card_text
from training.checkpoint import save_flags
from training.config import TrainConfig
from training.push import (
    Pusher,
    check_repository,
    main,
    push,
    snapshots,
    waiting,
)
from training.snapshot import save_pictures, save_weights

KIMG = 4, 8


@pytest.fixture
def config(faces, tmp_path):
    return TrainConfig(
        str(faces),
        str(tmp_path / "run"),
        total_kimg=8.0,
        snapshot_kimg=4.0,
        batch=8,
        push_to_hub="alice/faces",
    )


@pytest.fixture
def run(config, faces, tiny, tmp_path, figures):
    """A folder as a run of two snapshots leaves it, the second one measured."""
    out, dataset = tmp_path / "run", ImageDataset(str(faces))
    out.mkdir()
    save_flags(config, dataset)
    (out / "log.jsonl").write_text('{"kimg": 1.0, "sec_per_kimg": 12.34}\n')
    D = Discriminator(DiscriminatorConfig(32, channel_base=128, channel_max=8))
    for kimg in KIMG:
        G, name = Generator(tiny()).eval(), f"kimg-{kimg:06d}"
        found = {"kimg": 8.0, **figures(61.25)} if kimg == 8 else {}
        save_pictures(config, G, 1000 * kimg)
        save_weights(config, dataset, G, D, 1000 * kimg, out / "weights" / name, found)
        add_moment(out, Moment(float(kimg), f"samples/{name}.png", found))
    return out


def repo_of(hub, name="alice/faces"):
    return hub.repos[f"models/{name}"]


def text(hub, file, revision="main"):
    repo = repo_of(hub)
    return hub.read(repo.commits[repo.find(revision)]["tree"][file]).decode()


def test_each_snapshot_is_one_commit_with_all_its_files_and_a_tag(run, hub_here, tmp_path):
    assert push(run, "alice/faces", private=True) == ["kimg-000004", "kimg-000008"]
    repo = repo_of(hub_here)
    first, second = list(repo.commits)[1:]
    assert repo.tags == {"kimg-000004": first, "kimg-000008": second} and repo.private
    names = {"README.md", WEIGHTS, "config.json", "discriminator.safetensors", "SHA256SUMS"}
    names |= {"samples.png", "mixing.png", HISTORY, "samples/kimg-000004.png", ".gitattributes"}
    assert repo.commits[first]["tree"].keys() == names
    names |= {"metrics.json", "samples/kimg-000008.png"}
    assert repo.commits[second]["tree"].keys() == names
    assert len(text(hub_here, HISTORY, "kimg-000004").splitlines()) == 1
    assert len(text(hub_here, HISTORY).splitlines()) == len(read_history(run)) == 2
    card = text(hub_here, "README.md")
    assert str(tmp_path) not in card and "/root" not in card
    assert "Score **61.2**" in card


def test_the_page_draws_with_what_was_pushed_and_tells_of_the_run(run, hub_here, tiny, monkeypatch):
    push(run, "alice/faces")
    monkeypatch.setattr("playground.model.seconds_a_face", lambda *_: 0.1)
    model = Models(Model(Generator(tiny()).eval(), "the page's own")).load("alice/faces")
    here = Generator.from_pretrained(run / "weights/kimg-000008").state_dict()
    assert all(torch.equal(x, here[name]) for name, x in model.G.state_dict().items())
    assert [moment.kimg for moment, _ in model.history] == [4.0, 8.0]
    assert model.figures["score"] == 61.25 and "Faces of real people" in model.card
    assert model.left_out == []


def test_what_is_there_is_not_sent_again_and_another_run_takes_the_tag(run, hub_here, tiny):
    push(run, "alice/faces")
    repo = repo_of(hub_here)
    before = dict(repo.tags)
    hub_here.log.clear()
    assert push(run, "alice/faces") == ["kimg-000008"]  # it may have been measured since
    assert len(repo.commits) == 3 and repo.tags == before
    assert not any(method == "PUT" for method, *_ in hub_here.log)
    Generator(tiny()).save_pretrained(run / "weights/kimg-000008")
    assert push(run, "alice/faces") == ["kimg-000008"]
    assert len(repo.commits) == 4 and repo.tags["kimg-000008"] == list(repo.commits)[-1]


def test_a_push_that_is_killed_leaves_nothing_and_the_next_one_sends_all(run, hub, hub_env):
    """In the midst of its first large file."""
    hub.stall = True
    command = [sys.executable, "-m", "training.push", str(run), "alice/faces"]
    process = subprocess.Popen(command, env=hub_env)
    try:
        assert hub.stalled.wait(120)
    finally:
        process.kill()
        process.wait()
    assert len(repo_of(hub).commits) == 1 and not repo_of(hub).tags
    hub.stall = False
    done = subprocess.run(command, env=hub_env, capture_output=True, text=True, timeout=120)
    assert done.stdout == "alice/faces has kimg-000004, kimg-000008\n", done.stderr
    assert list(repo_of(hub).tags) == ["kimg-000004", "kimg-000008"]


def test_a_slow_hub_is_not_waited_for_and_a_dead_one_is_an_error_at_the_end(
    run, config, hub, hub_env, monkeypatch, capfd
):
    for name in ("HF_ENDPOINT", "HF_TOKEN", "HF_HOME", "HF_HUB_DISABLE_XET"):
        monkeypatch.setenv(name, hub_env[name])
    pusher = Pusher(config)
    hub.stall = True
    pusher.start()
    first = pusher.running
    pusher.start()
    assert pusher.running is first and first.poll() is None
    assert hub.stalled.wait(120)
    monkeypatch.setattr("training.push.PATIENCE", 0)
    hub.tokens.clear()
    pusher.start()  # the other one has taken too long
    assert first.poll() is not None and pusher.running is not first
    assert pusher.running.wait(120) == 1
    told = capfd.readouterr().err
    assert "takes too long and begins anew" in told
    assert "pushing to alice/faces failed: the Hub knows no token of yours" in told
    monkeypatch.setattr("training.push.PATIENCE", 120)
    words = f"failed: the Hub knows no token .* again: python -m training.push {config.out} alice/f"
    with pytest.raises(OSError, match=words):
        pusher.finish()


def test_before_a_run_a_refusal_stops_and_a_hub_that_is_away_does_not(
    hub_here, monkeypatch, capsys
):
    check_repository("alice/faces", private=False)
    with pytest.raises(ValueError, match="alice/faces is public already; make it private"):
        check_repository("alice/faces", private=True)
    with pytest.raises(ValueError, match="bob/faces cannot be written: your token may not write"):
        check_repository("bob/faces", private=False)

    def gone(*_, **__):
        raise pytest.importorskip("huggingface_hub.utils").httpx.ConnectError("refused")

    monkeypatch.setattr(HfApi, "create_repo", gone)
    check_repository("alice/faces", private=False)
    told = "--push-to-hub alice/faces: the Hub cannot be reached; snapshots wait until it answers"
    assert told in capsys.readouterr().err


def test_a_card_that_somebody_made_their_own_stays(run, hub_here):
    push(run, "alice/faces", licence="mit")
    assert ModelCard(text(hub_here, "README.md")).data.license == "mit"
    assert "As the owner gives it: mit." in text(hub_here, "README.md")
    own = text(hub_here, "README.md").replace(MARK, "") + "Thanks to Bob.\n"
    api = HfApi(endpoint=hub_here.url)
    api.upload_file(path_or_fileobj=own.encode(), path_in_repo="README.md", repo_id="alice/faces")
    push(run, "alice/faces")
    assert text(hub_here, "README.md") == own


def test_the_card_is_written_from_the_run(config, run, faces, tiny, figures):
    dataset = ImageDataset(str(faces), "bob/pictures", "0123abc")
    config = dataclasses.replace(config, data="bob/pictures", init_from="carol/faces")
    G = Generator(tiny(c_dim=2))
    text = card_text(dataclasses.replace(config, license="mit"), dataset, G, 8000, figures(61.25))
    card = ModelCard(text)
    assert card.data.pipeline_tag == "unconditional-image-generation"
    assert card.data.license == "mit" and card.data.datasets == ["bob/pictures"]
    assert card.data.base_model == "carol/faces" and "stylegan3" in card.data.tags
    assert card.data.library_name is None
    results = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert results == {
        "score, of 100": 61.25,
        **{"kernel": 0.125, "kernel, floor of real faces": -0.001},
        **{"coverage": 0.8, "coverage, floor of real faces": 0.97},
    }
    for words in (
        *("8 pictures of 32x32 pixels of the data set bob/pictures at 0123abc", "| early | 4 |"),
        *("| images shown | 8 thousand |", "| seconds per thousand images | 12.3 |"),
        *("| hardware | ", "| began with | carol/faces |", "As the owner gives it: mit."),
        *("## Faces of real people", "## What they are for", "compared with one half"),
        'G = Generator.from_pretrained("alice/faces")',
    ):
        assert words in text, words
    code = text.partition("```python\n")[2].partition("```")[0]
    compile(code, "card", "exec")
    plain = ModelCard(card_text(dataclasses.replace(config), ImageDataset(str(faces)), G, 0, {}))
    assert plain.data.eval_results is None and plain.data.license is None


def test_what_waits_is_what_comes_after_the_newest_that_is_there(tmp_path):
    for kimg in (4, 8, 12, 16, 20):
        (tmp_path / "weights" / f"kimg-{kimg:06d}").mkdir(parents=True)
    every = snapshots(tmp_path, 0)
    names = [folder.name for folder in snapshots(tmp_path, 8)]
    assert names == ["kimg-000008", "kimg-000016", "kimg-000020"]
    assert waiting(every, lambda folder: folder.name == "kimg-000012") == every[3:]
    assert waiting(every, lambda folder: True) == every[-1:]
    assert waiting(every, lambda folder: False) == every


def test_what_is_saved_between_is_sent_only_as_the_newest(config, faces, tmp_path):
    """After eight steps and when the run was stopped; later the same folders are passed over."""
    out, sent = tmp_path / "run", []
    out.mkdir()
    save_flags(config, ImageDataset(str(faces)))
    for kimg in ("000000.064", "000004", "000008", "000009.128", "000012", "000016"):
        (out / "weights" / f"kimg-{kimg}").mkdir(parents=True)
        sent.append([folder.name.removeprefix("kimg-") for folder in snapshots(out, 0)])
    assert sent[0] == ["000000.064"] and sent[1] == ["000004"]
    assert sent[3] == ["000004", "000008", "000009.128"]
    assert sent[5] == ["000004", "000008", "000012", "000016"]
    save_flags(dataclasses.replace(config, snapshot_kimg=0.008), ImageDataset(str(faces)))
    for kimg in (0.016, 0.024, 0.032):
        (out / "weights" / f"kimg-{kimg:010.3f}").mkdir()
    assert len(snapshots(out, 0)) == 9  # also where kimg has digits


@pytest.mark.parametrize(
    "repo, sentence",
    [
        ("bob/faces", "pushing to bob/faces failed: your token may not write there; what waits is"),
        ("alice/faces", "error: pushing to alice/faces failed: .* is no folder of a training run"),
    ],
)
def test_what_cannot_be_pushed_is_said(run, hub_here, tmp_path, repo, sentence):
    folder = run if repo == "bob/faces" else tmp_path
    with pytest.raises(SystemExit, match=sentence):
        main([str(folder), repo])


def test_a_second_load_fetches_no_bytes_and_none_at_all_without_the_hub(run, hub_here):
    push(run, "alice/faces")
    first = Generator.from_pretrained("alice/faces")
    hub_here.log.clear()
    second = Generator.from_pretrained("alice/faces")
    paths = [path for _, path, *_ in hub_here.log]
    assert paths and not any("/resolve/" in path or "/lfs/" in path for path in paths)
    hub_here.log.clear()
    Generator.from_pretrained("alice/faces", local_files_only=True)
    assert not hub_here.log
    a, b = first.state_dict(), second.state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_damaged_download_is_refused_and_not_kept(run, hub_here):
    push(run, "alice/faces")
    hub_here.damage = True
    words = "model.safetensors of alice/faces is not what the Hub has"
    with pytest.raises(OSError, match=words):
        Generator.from_pretrained("alice/faces")
    hub_here.damage = False
    assert Generator.from_pretrained("alice/faces").img_resolution == 32
    cached = find_pretrained("alice/faces", local_files_only=True) / WEIGHTS
    content = bytearray(cached.read_bytes())
    content[-1] ^= 1
    cached.resolve().write_bytes(content)  # a disk that forgets
    with pytest.raises(OSError, match=words):
        Generator.from_pretrained("alice/faces", local_files_only=True)


def test_strangers_and_pickles_are_told(run, hub_here, tmp_path):
    push(run, "alice/faces", private=True)
    words = "alice/faces is no folder here, and no repository on the Hub that you may read"
    with pytest.raises(FileNotFoundError, match=words):
        Generator.from_pretrained("alice/faces", token="hf_bob", cache_dir=tmp_path / "bob")
    api = HfApi(endpoint=hub_here.url)
    api.create_repo("alice/old")
    where = dict(path_in_repo="network-snapshot.pkl", repo_id="alice/old")
    api.upload_file(path_or_fileobj=b"cos\nsystem", **where)
    with pytest.raises(ValueError, match="alice/old has no model.safetensors, only the pickle net"):
        Generator.from_pretrained("alice/old")
