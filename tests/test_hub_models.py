"""Generators of the Hub that visitors name, with the real client against a Hub on loopback."""

import dataclasses
import json
import math
import re
import shutil

import gradio as gr
import numpy as np
import pytest
import torch
from huggingface_hub import HfApi
from PIL import Image

from playground import hub as hub_module
from playground import limits, trial
from playground import model as models_module
from playground.about import About, facts, status
from playground.find import Finder, images
from playground.mixing import Mixer
from playground.model import OTHERS, Model, Models, load_model
from playground.scene import Scene
from playground.share import from_address
from playground.told import read_told
from stylegan import Generator, GeneratorConfig
from stylegan.encoder import Encoder
from stylegan.history import Moment, add_moment


def reach(url: str, monkeypatch) -> None:
    """The client reads where the Hub is when it is imported."""
    template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def api(hub, monkeypatch):
    """The client of alice, whose token the page's machine has as well."""
    reach(hub.url, monkeypatch)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    return HfApi(endpoint=hub.url, token="hf_alice")


@pytest.fixture
def own(tiny):
    return Model(Generator(tiny()).eval().requires_grad_(False), "the page's own")


@pytest.fixture
def models(own, monkeypatch):
    """Where every model draws quickly, which needs no process that tries."""
    monkeypatch.setattr(models_module, "seconds_a_face", lambda folder, dtype, most: 0.1)
    return Models(own)


@pytest.fixture
def saved(tiny, tmp_path):
    """A folder with a generator of another size, its card and its history of two pictures."""
    folder = tmp_path / "generator"
    G = Generator(tiny(img_resolution=64, num_layers=7, w_dim=16))
    G.mapping.w_avg.normal_()
    G.save_pretrained(folder)
    (folder / "README.md").write_text(
        '---\nlicense: mit\n---\n\n# Other faces\n\n![x](y.png) <img src="https://x.y/z">\n'
    )
    (folder / "samples").mkdir()
    for i in (1, 2):
        Image.new("RGB", (64, 32), (100 * i, 0, 0)).save(folder / "samples" / f"{i}.png")
        add_moment(folder, Moment(4.0 * i, f"samples/{i}.png", {"score": 20.0 + i}))
    return folder


def push(api: HfApi, folder, name: str = "alice/faces", **how) -> str:
    """Create a repository of a folder; returns its commit."""
    api.create_repo(name, exist_ok=True, **how)
    return api.upload_folder(repo_id=name, folder_path=folder).oid


def test_a_public_model_is_drawn_with_as_the_engineer_would(api, saved, models):
    """By its name; its key draws the same again, beside the page's own."""
    commit = push(api, saved)
    model = models.load("alice/faces")
    assert model.key == f"alice/faces@{commit}" and models[model.key] is model
    assert models.load("alice/faces", commit) is model
    G = Generator.from_pretrained(saved).eval()
    assert all(torch.equal(x, G.state_dict()[name]) for name, x in model.G.state_dict().items())
    mixer = Mixer(models)
    scene = Scene(1, 2, 0.5, 0.65, False)
    mixed = mixer.mix(dataclasses.replace(scene, model=model.key))
    assert mixed.size == (64, 64) and mixed.info["Scene"].endswith(f"&model={model.key}")
    assert mixer.mix(scene).size == (32, 32)


def test_what_a_model_is_and_how_it_was_trained_is_told(api, saved, models):
    push(api, saved)
    about = About(models)
    key, table = about.load(" https://huggingface.co/alice/faces/tree/main ", "")
    with pytest.raises(gr.Error, match="Give the name of the model"):
        about.load(" ", "main")
    model = models[key]
    assert "64x64 pixels, colour" in table and key.partition("@")[2] in table
    assert "drawn at 64x64 pixels by alice/faces" in status(model)
    assert model.card.split() == ["<h1>Other", "faces</h1>", "<p>", "</p>"]
    assert len(model.history) == 2
    picture, words = about.moment(1, key)
    with Image.open(picture) as shown:
        assert shown.size == (64, 32) and shown.getcolors() == [(64 * 32, (200, 0, 0))]
    for _, path in model.history:
        path.unlink()
    assert about.moment(1, key)[0] == picture and "2.png" not in words  # it is read once
    assert words == "After 8 thousand pictures: score 22.0 of 100"
    assert len(about.psis(key)) == 12 and about.psis(key)[0].shape == (64, 64, 3)
    assert about.load("", "")[0] == "" and "not yet" in facts(models.own)
    assert about.moment(0)[0] is None and models.own.card == ""


def test_private_models_and_their_names_stay_private(api, saved, models, hub):
    """The machine's token is never sent for a visitor."""
    push(api, saved, "alice/secret", private=True)
    hub.log.clear()
    with pytest.raises(gr.Error, match="There is no public model alice/secret on the Hub"):
        models.load("alice/secret")
    with pytest.raises(gr.Error, match="There is no public model alice/nothing on the Hub"):
        models.load("alice/nothing")
    assert hub.log and all(user is None for *_, user in hub.log)


def test_a_download_that_was_damaged_on_its_way_is_not_drawn_with(api, saved, models, hub):
    push(api, saved)
    hub.damage = True
    with pytest.raises(gr.Error, match="model.safetensors of alice/faces was damaged on its way"):
        models.load("alice/faces")
    hub.damage = False
    assert models.load("alice/faces").G.img_resolution == 64


def test_only_weights_json_the_card_and_the_history_are_fetched(api, saved, models):
    for name in ("pytorch_model.bin", "model.py", "samples/other.png"):
        (saved / name).write_text("no")
    push(api, saved)
    folder = models.load("alice/faces").copy.folder
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    found = {name for name in found if not name.startswith(".cache")}
    names = {"config.json", "model.safetensors", "README.md", "history.jsonl"}
    assert found == names | {"samples/1.png", "samples/2.png"}


def test_an_encoder_of_a_public_model_answers_a_picture_at_once(api, saved, models):
    """As the engineer would, and the face is mixed as any other."""
    encoder = Encoder.of(Generator.from_pretrained(saved), width=8, features=16, directions=5)
    torch.nn.init.normal_(encoder.w.weight, std=0.1)
    encoder.half().float().save_pretrained(saved)
    push(api, saved)
    model = models.load("alice/faces")
    face = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    picture, ws, words = Finder(models).first(face, model.key)
    expected = encoder.eval()(images(face[None])).half().float()
    torch.testing.assert_close(ws, expected, rtol=0, atol=0.01)
    assert words.startswith("A first answer, ") and np.array_equal(picture, model.draw(ws)[0])


@pytest.mark.parametrize(
    "change, reason",
    [
        (dict(width=72), "width is 72, and this page takes 64"),
        (dict(features=4096), "features is 4.1e.03, and this page takes 1024"),
        (dict(w_dim=4096), "the encoder belongs to a generator of another shape"),
    ],
)
def test_a_model_is_shown_without_an_encoder_that_cannot_be_had(change, reason, api, saved, models):
    """Which is never built."""
    Encoder.of(Generator.from_pretrained(saved), width=8).save_pretrained(saved)
    path = saved / "encoder" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    push(api, saved)
    model = models.load("alice/faces")
    (words,) = model.left_out
    assert re.fullmatch(f"encoder/model.safetensors is left out: {reason}.", words)
    assert model.encoder is None


def test_a_copy_goes_when_it_made_room(api, saved, models, monkeypatch):
    folders = []
    for i in range(OTHERS + 1):
        push(api, saved, f"alice/faces{i}")
        folders.append(models.load(f"alice/faces{i}").copy.folder)
    assert [folder.exists() for folder in folders] == [False, *[True] * OTHERS]


@pytest.mark.parametrize(
    "name, revision",
    [
        ("../etc", ""),
        ("/etc/passwd", ""),
        ("a/b/c", ""),
        ("faces", ""),
        ("a/..", ""),
        ("", "x"),
        ("a/b.git", ""),
    ]
    + [("alice/faces", "../main"), ("alice/faces", "a b"), ("alice/faces", "-x"), (".", "")]
    + [("a/b.git", ""), ("a/b.", ""), ("a/b--c", ""), ("a/é", "")],
)
def test_what_is_no_name_is_never_asked_for(name, revision, models, monkeypatch):
    monkeypatch.setattr(hub_module, "HfApi", None)  # would fail
    with pytest.raises(gr.Error, match="looks like user/repository|A revision is a branch"):
        models.load(name, revision)


def test_what_cannot_be_shown_is_told(api, saved, models, monkeypatch, tmp_path):
    push(api, saved)
    with pytest.raises(gr.Error, match="alice/faces on the Hub has no revision v9"):
        models.load("alice/faces", "v9")
    with pytest.raises(gr.Error, match="alice/empty cannot be shown: it has no config.json"):
        api.create_repo("alice/empty")
        models.load("alice/empty")
    with monkeypatch.context() as patch:
        patch.setitem(limits.MOST, "model.safetensors", 0.01)
        with pytest.raises(gr.Error, match="model.safetensors of alice/faces has .* this page"):
            models.load("alice/faces")
    config = json.loads((saved / "config.json").read_text())
    for change, reason in (
        (dict(channel_max=10**9), "channel_max is 1e.09, and this page takes 1024"),
        (dict(num_layers=8), ".*the weights lack the tensor"),
        (dict(num_layers="x"), "config.json: num_layers must be a whole number"),
        (dict(c_dim=2), "c_dim is 2, and this page takes 0"),
    ):
        other = tmp_path / "-".join(map(str, change.items()))
        shutil.copytree(saved, other)
        (other / "config.json").write_text(json.dumps(config | change))
        push(api, other)
        with pytest.raises(gr.Error, match=f"alice/faces cannot be shown: {reason}") as told:
            models.load("alice/faces")
        assert "/tmp" not in told.value.message


@pytest.mark.parametrize("name", limits.LARGEST)
def test_a_network_over_a_limit_is_refused_before_its_weights_are_fetched(
    name, api, saved, models, hub
):
    """Whatever the file is that says so; it is refused the next time without being read again."""
    path = saved / "config.json"
    config = json.loads(path.read_text())
    over = {"img_resolution": 1024, "img_channels": 4, "conv_kernel": 5, "radial_filters": 2}
    path.write_text(json.dumps(config | {name: over.get(name, 10**400)}))
    commit = push(api, saved)
    for _ in range(2):
        hub.log.clear()
        with pytest.raises(gr.Error, match=f"alice/faces cannot be shown: .*{name}"):
            models.load("alice/faces")
        assert not any("model.safetensors" in path for _, path, *_ in hub.log)
    assert not any(f"{commit}/config.json" in path for _, path, *_ in hub.log)


def test_a_network_that_costs_too_much_in_all_is_refused(api, saved, models):
    """Every field of it within its limit."""
    config = GeneratorConfig(512, num_layers=32, channel_base=2**17, channel_max=1024)
    (saved / "config.json").write_text(json.dumps(vars(config)))
    push(api, saved)
    with pytest.raises(gr.Error, match="parameters of a face: .* python app.py --model alice/fac"):
        models.load("alice/faces")


def test_a_model_that_draws_too_slowly_is_refused_and_not_tried_again(
    api, saved, own, monkeypatch, tmp_path
):
    """The process that tries it is ended, and all the while others draw."""
    models, tried = Models(own), []

    def seconds_a_face(*how):
        tried.append(trial.seconds_a_face(*how))
        return tried[-1]

    monkeypatch.setattr(models_module, "seconds_a_face", seconds_a_face)
    commit = push(api, saved)
    assert 0 < models.load("alice/faces").seconds == tried[0] < 1
    slow = Generator(GeneratorConfig.stylegan3_t(128, channel_base=8192, channel_max=256))
    slow.save_pretrained(tmp_path / "slow")
    push(api, tmp_path / "slow", "alice/slow")
    monkeypatch.setattr(models_module, "SLOWEST", 0.1)
    for _ in range(2):
        with pytest.raises(gr.Error, match="alice/slow cannot be shown: it takes more than 0.1 s"):
            models.load("alice/slow")
    assert tried[1:] == [math.inf]
    assert models[f"alice/faces@{commit}"].turns is not own.turns


def test_what_takes_longer_than_there_is_time_is_refused_before_it_is_drawn(own):
    """By what was measured of a model; what the page shows by itself is drawn, however slowly."""
    slow = dataclasses.replace(own, seconds=0.9)
    ws = slow.styles(range(67), 0.65)
    assert slow.at_once == 1 and dataclasses.replace(own, seconds=0.3).at_once == 3
    assert dataclasses.replace(own, seconds=0.01).at_once == models_module.AT_ONCE == 4
    with pytest.raises(gr.Error, match="67 faces take about 60 s .* at most 66"):
        next(slow.draw_parts(ws))
    assert len(own.draw_many(ws)) == len(slow.draw_many(ws)) == 67
    assert len(next(slow.draw_parts(ws[:66]))) == 1


def test_the_page_goes_on_telling_of_weights_that_are_gone(saved):
    """A run's best weights, an hour after better ones."""
    models = Models(load_model(str(saved)))
    before = facts(models.own)
    shutil.rmtree(saved)
    assert facts(models.own) == before and "MB" in before
    assert About(models).load("", "") == ("", before)


def test_a_hub_that_is_away_is_told(models, monkeypatch):
    reach("http://127.0.0.1:9", monkeypatch)
    with pytest.raises(gr.Error, match="The Hub cannot be reached just now"):
        models.load("alice/faces")


def test_an_address_that_asks_for_a_model_that_is_gone_is_told(models, monkeypatch):
    reach("http://127.0.0.1:9", monkeypatch)
    query = "a=1&b=2&weight=0.5&psi=0.65&own=0&shape=0&features=0&texture=0&model=alice/x@0a1b"
    request = type("Request", (), {"url": type("Url", (), {"query": query})})
    values, words = from_address(request, models)
    assert values[:10] == [gr.skip()] * 10
    sentence = "The Hub cannot be reached just now. Try again in a minute."
    assert words == f"The address asks for another model. {sentence}"


def test_the_history_of_a_run_is_found_from_its_weights(own, saved, tmp_path):
    """`python app.py --model runs/first/best` shows how the run went."""
    shutil.copytree(saved, tmp_path / "run")
    best = tmp_path / "run" / "best"
    best.mkdir()
    told = read_told(best, own.G, is_copy=False)
    assert [m.kimg for m, _ in told.history] == [4.0, 8.0]
    assert read_told(best, own.G, is_copy=True).history == []
    about = About(Models(Model(own.G, "best", history=told.history)))
    path = tmp_path / "run" / "samples" / "2.png"
    for broken in (b"no picture", path.read_bytes()[:70]):
        path.write_bytes(broken)
        picture, words = about.moment(1)
        assert picture is None and "Its picture 2.png cannot be shown" in words
        assert str(tmp_path) not in words
