"""Teaching an encoder: it learns, resumes bit by bit, and says what does not fit."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stylegan import Generator
from stylegan.encoder import Encoder
from training import train_encoder
from training.checkpoint import read_record
from training.lesson import Lesson, LessonConfig, view
from training.train_encoder import RATE, RATE_ON, num_drawn, settle, start

pytestmark = pytest.mark.usefixtures("no_precision_left_behind")


@pytest.fixture
def generator(tiny, calibrate, tmp_path) -> str:
    """A folder of small weights of 32 pixels."""
    G = calibrate(Generator(tiny(num_layers=4)), torch.randn(8, 8))
    G.mapping(torch.randn(64, 8), ema_images=64)
    G.save_pretrained(tmp_path / "weights")
    return str(tmp_path / "weights")


@pytest.fixture
def lesson(generator, faces, tmp_path, monkeypatch):
    """Runs one of so many steps of four images, real ones from the third step on; its folder."""
    monkeypatch.setattr(train_encoder, "DRAWN_ALONE", 8)
    monkeypatch.setattr(train_encoder, "OFFSETS_IN", 8)

    def run(name: str, steps: int, **more) -> Path:
        flags = dict(generator=generator, out=str(tmp_path / name), data=str(faces), batch=4)
        flags |= dict(mixed_precision="no", total_kimg=round(0.004 * steps, 3)) | more
        start(LessonConfig(**flags))
        return tmp_path / name

    return run


def newest(run: Path) -> dict:
    content = max((run / "state").glob("kimg-*.pt")).read_bytes()
    (run / "plain.pt").write_bytes(content[:-32])
    return torch.load(run / "plain.pt", weights_only=True)


def test_a_run_that_went_on_ends_as_the_unbroken_one(lesson, assert_same):
    """In the middle of a drawn batch that is shown twice, and among real ones."""
    unbroken = lesson("unbroken", 9)
    for steps in (1, 5, 9):
        broken = lesson("broken", steps)
    assert_same(newest(broken), newest(unbroken))
    weights = "encoder/model.safetensors"
    assert (broken / weights).read_bytes() == (unbroken / weights).read_bytes()
    lines = [json.loads(line) for line in (broken / "log.jsonl").read_text().splitlines()]
    assert [line["kimg"] for line in lines] == [0.004, 0.02, 0.036]
    assert "latents" in lines[0] and "pictures" in lines[1]


def test_drawn_faces_are_answered_better_than_by_the_mean(lesson, generator):
    """The styles of faces that were not shown; an untaught encoder's error is about 1."""
    run = lesson("taught", 30, data="", batch=8, total_kimg=0.24, lr=0.003)
    encoder, G = Encoder.from_pretrained(run), Generator.from_pretrained(generator)
    errors = Lesson(LessonConfig(generator, "unused"), G, _Accelerator())
    ws = G.mapping(torch.randn(32, 8))
    answer = encoder(G.synthesis(ws).clamp(-1, 1))
    mean = G.mapping.w_avg.expand_as(ws)
    assert errors.latent_loss(answer, ws) < 0.8 * errors.latent_loss(mean, ws)


def test_it_begins_with_the_encoder_of_the_weights_if_that_fits(lesson, generator, tiny, capsys):
    G = Generator.from_pretrained(generator)
    taught = Encoder.of(G)
    torch.nn.init.normal_(taught.w.bias)
    taught.save_pretrained(generator)
    run = lesson("run", 1)
    bias = Encoder.from_pretrained(run).w.bias
    torch.testing.assert_close(bias, taught.w.bias, rtol=0, atol=0.01)
    Encoder.of(Generator(tiny(num_layers=6))).save_pretrained(generator)
    lesson("run", 2)
    bias = Encoder.from_pretrained(run).w.bias
    torch.testing.assert_close(bias, taught.w.bias, rtol=0, atol=0.01)
    assert read_record(run)["lr"] == RATE_ON
    other = lesson("other", 1)
    assert "is of another network; a new one begins" in capsys.readouterr().err
    assert read_record(other)["lr"] == RATE
    assert Encoder.from_pretrained(other).w.bias.abs().max() < 0.01
    (Path(generator) / "encoder/config.json").write_text("{}")
    with pytest.raises(ValueError, match="encoder/config.json lacks the field num_ws"):
        lesson("damaged", 1)


class _Accelerator:
    device, process_index = torch.device("cpu"), 0


def test_drawn_and_real_steps_take_turns(generator):
    """With 16 images a step: 375 steps of drawn faces, then 2 of 8."""
    config = LessonConfig(generator, "out", data="faces")
    assert [num_drawn(375 + i, config) for i in (0, 1, 2, 3, 8, 9)] == [
        375,
        376,
        377,
        377,
        377,
        378,
    ]
    assert num_drawn(400, LessonConfig(generator, "out")) == 400


def test_a_view_is_the_face_in_another_light_place_and_scale():
    img = torch.rand(4, 3, 32, 32) - 0.5
    first, again = (view(img, np.random.default_rng(1)) for _ in range(2))
    assert torch.equal(first, again) and first.abs().max() <= 1
    assert 0.01 < (first - img).abs().mean() < 0.5


@pytest.mark.parametrize(
    "flag, value", [("total_kimg", 0), ("batch", 0), ("lr", float("nan")), ("seed", -1)]
)
def test_a_flag_out_of_range_is_named(flag, value):
    with pytest.raises(ValueError, match=f"--{flag.replace('_', '-')} must be"):
        LessonConfig("weights", "out", **{flag: value})


def test_other_flags_than_it_was_begun_with_are_refused(generator, tmp_path):
    config = LessonConfig(generator, str(tmp_path), mixed_precision="no")
    settled = settle(config, None, None)
    assert settled.lr == RATE
    with pytest.raises(ValueError, match="begun with another --lr"):
        settle(LessonConfig(generator, str(tmp_path), lr=0.5), None, None)
    assert settle(LessonConfig(generator, str(tmp_path)), None, None) == settled


def test_pictures_of_another_size_are_refused_and_no_folder_is_left(lesson, tiny, tmp_path):
    Generator(tiny(img_resolution=64)).save_pretrained(tmp_path / "larger")
    with pytest.raises(ValueError, match="--data holds pictures of 32 px"):
        lesson("run", 1, generator=str(tmp_path / "larger"))
    assert not (tmp_path / "run").exists()
