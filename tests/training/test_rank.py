"""How real a discriminator finds the faces of a dataset."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from preprocessing.listing import read_listing
from stylegan import Discriminator, DiscriminatorConfig
from stylegan.layout import DISCRIMINATOR
from training.rank import config_of, load_discriminator, main, realness

SHAPES = [
    dict(channel_base=256, channel_max=16),
    dict(channel_base=4096, channel_max=8),  # as wide everywhere
    dict(channel_base=300, channel_max=512, img_channels=1),  # nowhere at its widest
    dict(channel_base=256, channel_max=16, c_dim=3, mapping_layers=2),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_tensors_tell_the_shape(shape):
    D = Discriminator(DiscriminatorConfig(img_resolution=32, **shape))
    again = Discriminator(config_of(D.state_dict()))
    assert again.config.img_resolution == 32
    again.load_state_dict(D.state_dict())


def test_a_face_s_score_does_not_depend_on_its_place():
    """Of two halves, one of which a network finds more real, each face gets its own."""
    D = Discriminator(DiscriminatorConfig(32, channel_base=64, channel_max=8)).eval()
    torch.nn.init.zeros_(D.b4.conv.weight[:, -1:])  # nothing of the others of its group
    img = torch.randn(45, 3, 32, 32)
    with torch.no_grad():
        alone = torch.cat([(D(x[None]) + D(x[None].flip(3))) / 2 for x in img])[:, 0]
    torch.testing.assert_close(realness(D, img), alone)


def test_every_face_gets_a_score_and_the_report_shows_both_ends(prepared, weights, capsys):
    before = read_listing(prepared)
    main([str(prepared), weights])
    after = read_listing(prepared)
    for was, now in ((before.faces, after.faces), (before.rejected, after.rejected)):
        scores = [row["scores"].pop("realness") for row in now]
        assert len(scores) == len(was) and all(np.isfinite(scores))
        assert [{"scores": {}} | row for row in was] == now
    assert "8 faces ranked" in capsys.readouterr().out
    report = (prepared / "report.html").read_text()
    assert report.count("Both ends") == 1 and report.count("realness") >= 6


def test_what_cannot_rank_is_said(prepared, tmp_path):
    with pytest.raises(SystemExit, match=f"{tmp_path} has no {DISCRIMINATOR} to rank faces by"):
        main([str(prepared), str(tmp_path)])
    save_file({"heads.0.weight": torch.zeros(3)}, tmp_path / DISCRIMINATOR)
    with pytest.raises(ValueError, match="cannot rank faces: it is no discriminator of pixels"):
        load_discriminator(str(tmp_path))


def test_a_broken_face_is_named_and_nothing_changes(prepared, weights):
    was = (prepared / "dataset.json").read_bytes()
    Image.new("RGB", (4, 4)).save(prepared / "photos/000001-1.png", "BMP")
    (prepared / "photos/000001-1.png").write_bytes(b"no picture")
    with pytest.raises(SystemExit, match="000001-1.png"):
        main([str(prepared), weights])
    assert (prepared / "dataset.json").read_bytes() == was
