"""The encoder: what it answers, and that it comes back from its folder as it was."""

import json

import pytest
import torch

from stylegan import Generator
from stylegan.config import EncoderConfig
from stylegan.encoder import Encoder


@pytest.fixture
def G(tiny):
    G = Generator(tiny())
    G.mapping.w_avg.normal_()
    return G


@pytest.fixture
def encoder(G):
    """One whose answers differ from picture to picture."""
    encoder = Encoder.of(G, width=8, features=16, directions=5)
    for head in (encoder.w, encoder.offsets):
        torch.nn.init.normal_(head.weight)
    return encoder.eval().requires_grad_(False)


def test_an_untaught_encoder_answers_the_mean(G):
    ws = Encoder.of(G, width=8, features=16, directions=5)(torch.rand(2, 3, 32, 32))
    torch.testing.assert_close(ws, G.mapping.w_avg.expand(2, G.num_ws, -1))


def test_an_answer_is_the_mean_a_w_and_an_offset_along_the_basis(G, encoder):
    img = torch.rand(2, 3, 32, 32) * 2 - 1
    w, offsets = encoder.coordinates(img)
    one = G.mapping.w_avg + w @ encoder.basis
    layer = 3
    expected = one + 0.5 * offsets[:, layer] @ encoder.basis[:5]
    torch.testing.assert_close(encoder(img, 0.5)[:, layer], expected)
    torch.testing.assert_close(encoder(img, 0.0)[:, layer], one)


def test_a_batch_is_answered_as_its_pictures_one_by_one(encoder):
    img = torch.rand(3, 3, 64, 64) * 2 - 1
    torch.testing.assert_close(encoder(img), torch.cat([encoder(x[None]) for x in img]))


@pytest.mark.parametrize("side", [32, 64, 128])
def test_pictures_of_any_size_are_answered(G, encoder, side):
    assert encoder(torch.zeros(1, 3, side, side)).shape == (1, G.num_ws, G.w_dim)


def test_it_comes_back_from_its_folder_as_it_was(encoder, tmp_path):
    encoder.half().float().save_pretrained(tmp_path)
    assert sorted(x.name for x in (tmp_path / "encoder").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    loaded, img = Encoder.from_pretrained(tmp_path), torch.rand(2, 3, 64, 64)
    assert loaded.config == encoder.config and not loaded.training
    assert torch.equal(loaded(img), encoder(img))


def test_a_model_without_one_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no encoder/config.json"):
        Encoder.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "change, told",
    [
        ({"features": 24}, "features.* has shape"),
        ({"z_dim": 8}, "'z_dim', which no encoder here has"),
    ],
)
def test_a_config_of_another_network_is_named(encoder, tmp_path, change, told):
    encoder.save_pretrained(tmp_path)
    path = tmp_path / "encoder" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=told):
        Encoder.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "field, value", [("width", 12), ("directions", 13), ("img_channels", 2), ("features", 0)]
)
def test_a_config_that_makes_no_encoder_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        EncoderConfig(**dict(num_ws=8, w_dim=12, directions=5) | {field: value})


def test_a_picture_of_other_channels_is_refused(encoder):
    with pytest.raises(ValueError, match="img must have shape"):
        encoder(torch.zeros(1, 1, 64, 64))
