"""Your face: looked for among those that the network draws."""

import dataclasses

import gradio as gr
import numpy as np
import pytest
import skimage.data
from PIL import Image

from playground import find
from playground.find import Finder
from playground.model import Model, Models, load_model
from stylegan import Generator
from stylegan.encoder import Encoder
from stylegan.projection import unlikeness
from tests.conftest import close


@pytest.fixture(scope="module")
def model(bundled):
    return bundled


@pytest.fixture(scope="module")
def finder(kinds):
    return Finder(Models(kinds))


def test_a_face_is_found_among_those_that_the_network_draws(finder, monkeypatch):
    """A drawn one, from the nearest of others: a picture shows its styles, the last is nearest."""
    monkeypatch.setattr(find, "STEPS", 12)
    monkeypatch.setattr(find, "MOST_SECONDS", 1000)
    face = finder.models.own.draw(finder.models.own.styles([77], 0.65))[0]
    found = list(finder.find(face))
    told = [words.partition(",")[0] for *_, words in found]
    looking = [f"Looking: step {step} of at most 12" for step in (5, 10)]
    assert told[:2] == looking and told[2].startswith("Found")
    for picture, ws, _ in found:
        assert close(picture, finder.models.own.draw(ws)[0])
    target = find.images(face[None])
    distances = [unlikeness(find.images(picture[None]), target).item() for picture, *_ in found]
    assert (
        distances[2]
        < distances[0]
        < unlikeness(finder.starts(finder.models.own).drawn, target).min()
    )


@pytest.mark.parametrize("seconds, faces", [(0, 48), (0.04, 48), (0.5, 10), (9.0, 2)])
def test_a_search_with_a_slow_model_begins_with_one_of_fewer_faces(kinds, seconds, faces):
    assert len(find.starts(dataclasses.replace(kinds, seconds=seconds)).ws) == faces


def test_likeness_is_told_in_a_word_and_a_figure():
    face = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert find.likeness(face, face) == "a good likeness (100 of 100)"
    assert find.likeness(255 - face, face) == "hardly a likeness (0 of 100)"


def test_an_encoder_answers_at_once_and_the_search_goes_on_from_there(model, monkeypatch):
    """With the weights in the repository: nearer than the good seeds, then nearer still."""
    assert model.encoder
    monkeypatch.setattr(find, "STEPS", 10)
    monkeypatch.setattr(find, "MOST_SECONDS", 1000)
    finder = Finder(Models(model))
    face = np.asarray(Image.fromarray(skimage.data.astronaut()).crop((156, 42, 294, 180)))
    face = np.array(Image.fromarray(face).resize((64, 64), Image.Resampling.BOX))
    picture, ws, words = finder.first(face)
    assert ws.shape == (1, model.G.num_ws, model.G.w_dim)
    assert words.startswith("A first answer, ") and close(picture, model.draw(ws)[0])
    *_, (better, _, words) = finder.find(face)
    assert words.startswith("Found: ") and words.endswith(". Now mix it.")
    target = find.images(face[None])
    distances = [unlikeness(find.images(x[None]), target).item() for x in (better, picture)]
    assert distances[0] < distances[1] < unlikeness(finder.starts(model).drawn, target).min()


def test_without_a_face_or_an_encoder_there_is_no_first_answer(finder, model):
    assert Finder(Models(model)).first(None) == (None, None, "")
    assert finder.first(np.zeros((64, 64, 3), np.uint8)) == (None, None, "")


def test_an_encoder_of_another_generator_is_left_out_and_told(tiny, tmp_path):
    Generator(tiny()).save_pretrained(tmp_path)
    other = Generator(tiny(num_layers=4))
    Encoder.of(other, width=8, features=16, directions=5).save_pretrained(tmp_path)
    loaded = load_model(str(tmp_path))
    assert loaded.encoder is None
    assert any("a generator of another shape" in sentence for sentence in loaded.left_out)


def test_a_search_ends_when_its_time_is_up(finder, monkeypatch):
    monkeypatch.setattr(find, "MOST_SECONDS", 0)
    face = finder.models.own.draw(finder.models.own.styles([77], 0.65))[0]
    assert len(list(finder.find(face))) == 1


def test_a_face_is_found_in_grey(tiny):
    grey = Generator(tiny(img_channels=1)).eval().requires_grad_(False)
    face = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    picture, ws, _ = next(Finder(Models(Model(grey, "grey"))).find(face))
    assert picture.shape == (32, 32, 3) and ws.shape == (1, grey.num_ws, grey.w_dim)


def test_without_a_face_of_its_size_there_is_nothing_to_find(finder):
    with pytest.raises(gr.Error, match="There is no face yet"):
        next(finder.find(None))
    with pytest.raises(gr.Error, match="must be 64x64 pixels"):
        next(finder.find(np.zeros((32, 64, 3), np.uint8)))
