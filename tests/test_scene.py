"""What is mixed, as text and inside pictures."""

import zlib

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from playground.mix import Mixer
from playground.model import load_model
from playground.scene import Scene, parse_scene, scene_of, stamp
from playground.share import from_picture, scene_values

SCENE = Scene(34, 4294967295, 0.25, 0.65, True, -1, 0.5, 0.0)


def test_a_scene_comes_back_from_its_text():
    assert parse_scene(SCENE.text()) == SCENE
    assert scene_values(SCENE) == [34, 4294967295, 0.25, 0.65, True, -1, 0.5, 0]
    assert SCENE.text().startswith("a=34&b=4294967295&weight=0.25&psi=0.65&own=1&shape=-1")


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
    ],
)
def test_what_is_wrong_in_a_text_is_named(change, reason):
    with pytest.raises(ValueError, match=reason):
        parse_scene(SCENE.text().replace(*change))


def test_a_saved_mix_holds_its_scene_and_says_that_it_is_generated(tmp_path):
    """As Gradio saves it: the text of `info` goes into the PNG."""
    model = load_model()
    mixed, _ = Mixer(model).mix(*scene_values(SCENE))
    path = gr.processing_utils.save_pil_to_cache(mixed, str(tmp_path), format="png")
    assert scene_of(path) == SCENE
    assert (
        from_picture(path) == scene_values(SCENE) == [34, 4294967295, 0.25, 0.65, True, -1, 0.5, 0]
    )
    with Image.open(path) as image:
        assert "no such person exists" in image.info["Comment"]
        assert image.info["Model"] == model.name


def test_a_picture_without_a_scene_is_told(tmp_path):
    plain = tmp_path / "plain.png"
    Image.new("RGB", (8, 8)).save(plain)
    with pytest.raises(gr.Error, match="plain.png was not saved here"):
        from_picture(str(plain))
    letter = tmp_path / "letter.png"
    letter.write_text("Dear all")
    with pytest.raises(gr.Error, match="letter.png is not a PNG picture"):
        from_picture(str(letter))
    bomb = tmp_path / "bomb.png"
    header = b"IHDR" + (60_000).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    crc = zlib.crc32(header).to_bytes(4)
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + header + crc)
    with pytest.raises(gr.Error, match="bomb.png is not a PNG picture"):
        from_picture(str(bomb))
    image = stamp(np.zeros((8, 8, 3), np.uint8), SCENE, "a model")
    image.info["Scene"] = "weight=2"
    path = gr.processing_utils.save_pil_to_cache(image, str(tmp_path), format="png")
    with pytest.raises(gr.Error, match="is no mix: a is missing"):
        from_picture(path)
    assert from_picture(None) == [gr.skip()] * 8
