"""What is mixed, as text and inside pictures."""

import dataclasses
import zlib
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image

from playground.mixing import Mixer
from playground.model import Model, Models
from playground.scene import Scene, file_name, parse_scene, scene_of, stamp
from playground.share import (
    MOST_LAYERS,
    UNCHANGED,
    first_scene,
    from_address,
    from_picture,
    scene_values,
)
from stylegan import Generator

SCENE = Scene(34, 4294967295, 0.25, 0.65, True, -1, 0.5, 0.0)


def test_a_scene_comes_back_from_its_text():
    assert parse_scene(SCENE.text()) == SCENE
    values = [34, 4294967295, 0.25, 0.65, True, -1, 0.5, 0, ""]
    assert scene_values(SCENE) == [*values, [0] * MOST_LAYERS, *[0] * MOST_LAYERS]
    assert SCENE.text().startswith("a=34&b=4294967295&weight=0.25&psi=0.65&own=1&shape=-1")
    layers = dataclasses.replace(SCENE, layers=(0.0, -0.5, 1.0))
    assert parse_scene(layers.text()) == layers and layers.text().endswith("&layers=0,-0.5,1")
    assert scene_values(layers)[9][:4] == scene_values(layers)[10:14] == [0, -0.5, 1, 0]
    other = dataclasses.replace(SCENE, model="alice/faces@0a1b")
    assert parse_scene(other.text()) == other and other.text().endswith("&model=alice/faces@0a1b")
    assert scene_values(other)[8] == "alice/faces@0a1b"
    mine = dataclasses.replace(SCENE, b=None)
    assert parse_scene(mine.text()) == mine and mine.has_own_face and not SCENE.has_own_face


def test_a_saved_picture_is_named_by_the_faces_in_it():
    assert file_name(SCENE) == "mix-34-4294967295-25.png"
    assert file_name(SCENE.alone("A")) == "face-34.png"
    assert file_name(dataclasses.replace(SCENE, b=None).alone("B")) == "face-mine.png"


@pytest.mark.parametrize(
    "change, reason",
    [
        (("a=34&", ""), "a is missing"),
        (("a=34", "a=x"), "a is no number: x"),
        (("a=34", "a=3.5"), "a is no number: 3.5"),
        (("a=34", "a=-1"), "a must lie between 0 and 4294967295, got -1"),
        (("weight=0.25", "weight=7"), "weight must lie between 0 and 1, got 7"),
        (("weight=0.25", "weight=nan"), "weight must lie between"),
        (("shape=-1", "shape=-2"), "shape must lie between -1 and 1"),
        (("own=1", "own=2"), "own must lie between 0 and 1, got 2"),
        (("weight=0.25", "weight=mine"), "weight is no number: mine"),
        (("own=1", "own=1&layers=0,9"), "layers must lie between -1 and 1, got 9"),
    ],
)
def test_what_is_wrong_in_a_text_is_named(change, reason):
    with pytest.raises(ValueError, match=reason):
        parse_scene(SCENE.text().replace(*change))


@pytest.fixture(scope="module")
def model(bundled):
    return bundled


def saved(image: Image.Image, folder: Path) -> str:
    """As Gradio saves it: the text of `info` goes into the PNG."""
    return gr.processing_utils.save_pil_to_cache(image, str(folder), format="png")


def mixed(model: Model, scene: Scene, face: torch.Tensor | None) -> Image.Image:
    return Mixer(Models(model)).mix(scene, face)


def test_a_saved_mix_holds_its_scene_and_says_that_it_is_generated(model, tmp_path):
    path = saved(mixed(model, SCENE, None), tmp_path)
    assert scene_of(path) == (SCENE, None)
    assert from_picture(path, Models(model)) == (scene_values(SCENE), gr.skip())
    with Image.open(path) as image:
        assert "no such person exists" in image.info["Comment"]
        assert image.info["Model"] == model.name


def test_a_visitor_s_own_face_travels_inside_the_saved_picture(model, tiny, tmp_path):
    """And draws the very same mix again; another model's face is told."""
    face = model.styles([77], 0.65).half().float()
    scene = dataclasses.replace(SCENE, a=None)
    picture = mixed(model, scene, face)
    path = saved(picture, tmp_path)
    values, found = from_picture(path, Models(model))
    assert values == scene_values(scene) and torch.equal(found, face)
    again = mixed(model, scene, found)
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(again))
    assert "Face" not in mixed(model, SCENE, face).info
    with pytest.raises(gr.Error, match="was found with another model"):
        from_picture(path, Models(Model(Generator(tiny()), "tiny")))


def test_two_own_faces_travel_inside_the_saved_picture(model, tmp_path):
    """Both in their mix, and one where it is alone or the other gave way to a seed."""
    faces = model.styles([77, 78], 0.65).half().float()
    scene = dataclasses.replace(SCENE, a=None, b=None)
    for shown, expected in (
        (scene, faces),
        (scene.alone("A"), faces[:1]),
        (scene.alone("B"), faces[1:]),
        (dataclasses.replace(scene, a=3), faces[1:]),
        (dataclasses.replace(scene, b=3), faces[:1]),
    ):
        picture = mixed(model, shown, faces)
        values, found = from_picture(saved(picture, tmp_path), Models(model))
        assert values == scene_values(shown) and torch.equal(found, expected)
        np.testing.assert_array_equal(np.asarray(mixed(model, shown, found)), np.asarray(picture))


def test_what_an_address_leaves_out_is_as_it_is_at_first(model):
    """Whatever else is in it; one with nothing of a mix leaves the page as it is."""
    first = first_scene(model)

    def opened(query):
        return from_address(SimpleNamespace(url=SimpleNamespace(query=query)), Models(model))

    assert opened("b=30&utm_source=x") == (scene_values(dataclasses.replace(first, b=30)), "")
    assert opened("seed=3&__theme=dark") == (UNCHANGED, "")


def test_an_address_never_holds_a_visitor_s_face(model):
    query = dataclasses.replace(SCENE, a=None).text()
    request = SimpleNamespace(url=SimpleNamespace(query=query))
    values, words = from_address(request, Models(model))
    assert values == UNCHANGED and "is in a saved picture only" in words


def test_a_picture_without_a_scene_is_told(model, tmp_path):
    plain = tmp_path / "plain.png"
    Image.new("RGB", (8, 8)).save(plain)
    with pytest.raises(gr.Error, match="No mix is written in plain.png"):
        from_picture(str(plain), Models(model))
    letter = tmp_path / "letter.png"
    letter.write_text("Dear all")
    with pytest.raises(gr.Error, match="letter.png is not a PNG picture"):
        from_picture(str(letter), Models(model))
    bomb = tmp_path / "bomb.png"
    header = b"IHDR" + (60_000).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    crc = zlib.crc32(header).to_bytes(4)
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + header + crc)
    with pytest.raises(gr.Error, match="bomb.png is not a PNG picture"):
        from_picture(str(bomb), Models(model))
    image = stamp(np.zeros((8, 8, 3), np.uint8), SCENE, "a model", None)
    image.info["Scene"] = "weight=2"
    path = gr.processing_utils.save_pil_to_cache(image, str(tmp_path), format="png")
    with pytest.raises(gr.Error, match="is no mix: a is missing"):
        from_picture(path, Models(model))
    assert from_picture(None, Models(model)) == (UNCHANGED, gr.skip())
