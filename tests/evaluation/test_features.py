"""Feature networks: what they return, what they learn, and that a file of one is recognised."""

import math

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from evaluation import features
from evaluation.dataset import ImageDataset
from evaluation.features import (
    Details,
    FeatureNetwork,
    balanced,
    contrast,
    features_of,
    load_features,
    random_network,
    teach,
    view,
)
from stylegan.images import from_uint8


def test_features_of_the_calibrating_pictures_have_mean_0_and_variance_1_per_layer():
    img = torch.rand(60, 3, 64, 64) * torch.rand(60, 3, 1, 1)
    found = random_network(img)(img)
    assert found.shape == (60, 480)
    torch.testing.assert_close(found.mean(dim=0), torch.zeros(480), rtol=0, atol=1e-3)
    for layer in found.split(features.WIDTHS, dim=1):
        assert layer.var(dim=0).mean().item() == pytest.approx(1, rel=1e-3)


def test_details_have_mean_0_and_variance_1_over_the_calibrating_pictures(drawn):
    """Of even pictures, where they do not vary, they stay finite. Grey is seen as three colours."""
    img, details = from_uint8(drawn[:40]), Details()
    found = details.calibrate(features_of(details, img))
    assert found.shape == (40, 5120) and len(details.name) == 12
    torch.testing.assert_close(features_of(details, img), found, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(found.mean(dim=0), torch.zeros(5120), rtol=0, atol=1e-3)
    assert found.var(dim=0).median().item() == pytest.approx(1, rel=1e-3)
    assert found.var(dim=0).max() < 1.001
    grey = img[:, :1]
    assert torch.equal(features_of(details, grey), features_of(details, grey.repeat(1, 3, 1, 1)))
    even = torch.zeros(4, 3, 64, 64)
    assert details.calibrate(features_of(Details(), even)).isfinite().all()


def test_features_by_place_are_directions(drawn):
    """Doubled activations of the last layer change nothing; the mean variance is 1."""
    img = from_uint8(drawn[:60])
    network = random_network(img, by_place=True)
    found = network(img)
    assert found.shape == (60, 4096)
    assert found.var(dim=0).mean().item() == pytest.approx(1, rel=1e-3)
    for x in network.layers[-1].weight, network.layers[-1].bias:
        x.mul_(2)
    torch.testing.assert_close(network(img), found, rtol=1e-3, atol=1e-3)


def test_the_random_network_is_always_the_same():
    img = torch.rand(10, 3, 64, 64)
    first = random_network(img)
    torch.manual_seed(7)
    assert torch.equal(first(img), random_network(img)(img))


def test_pictures_of_any_size_and_number():
    network = random_network(torch.rand(10, 3, 64, 64))
    assert features_of(network, torch.rand(251, 3, 32, 32)).shape == (251, 480)


def test_contrast_by_hand():
    """Two pictures whose views agree and have nothing in common with the other's: beside the other
    view at likeness 1 there are two at likeness 0."""
    a = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    expected = math.log(1 + 2 * math.exp(-1 / features.TEMPERATURE))
    assert contrast(a, a).item() == pytest.approx(expected, rel=0.01)
    assert contrast(a, a.flip(0)).item() > 1 / features.TEMPERATURE  # the wrong one is as like


def test_views_are_like_the_picture_and_not_like_each_other(drawn):
    img = from_uint8(drawn)
    one, other = view(img), view(img)
    assert one.shape == img.shape and not torch.equal(one, other)
    assert (one - other).abs().mean() < 0.8 * (one - one.roll(1, 0)).abs().mean()


def test_a_lesson_teaches_to_find_the_other_view(drawn, monkeypatch, capsys):
    """Which a network that has learned nothing does less well, for pictures it was not shown."""
    monkeypatch.setattr(features, "BATCH", 32)
    img = from_uint8(drawn)
    shown, others = img[:60], img[60:]
    network = teach(shown, kimg=3.2)
    torch.manual_seed(1)
    views = view(others), view(others)

    def found(network: FeatureNetwork) -> float:
        """Share of the pictures whose other view is the one most like them."""
        seen = [network.maps(v)[-1].mean(dim=(2, 3)) for v in views]
        a, b = (F.normalize(x - x.mean(dim=0)) for x in seen)
        return ((a @ b.T).argmax(dim=1) == torch.arange(len(a))).float().mean().item()

    assert found(network) > 1.3 * found(random_network(shown))
    assert "step 99/100" in capsys.readouterr().out


def test_the_network_in_the_repository(drawn):
    network, name = load_features()
    assert len(name) == 12 and not network.training
    assert (features.BUNDLED / features.WEIGHTS).stat().st_size < 1e6
    assert features_of(network, from_uint8(drawn)).std() > 0.1


def test_what_is_no_feature_network_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no model.safetensors"):
        load_features(tmp_path)
    save_file({"weight": torch.zeros(3)}, tmp_path / features.WEIGHTS)
    with pytest.raises(ValueError, match="is not a feature network"):
        load_features(tmp_path)


def test_folders_take_turns(face_folder):
    dataset = ImageDataset(str(face_folder))
    img, labels = balanced(dataset)
    assert img.dtype == torch.uint8 and len(img) == len(dataset)
    assert labels[:4].tolist() == [0, 1, 0, 1]


def test_the_command_teaches_and_saves(face_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(features, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(features, "BATCH", 8)
    features.main(["--data", str(face_folder), "--out", str(tmp_path / "new"), "--kimg", "0.008"])
    assert load_features(tmp_path / "new")[1] != load_features()[1]
    with pytest.raises(SystemExit):
        features.main(["--data", str(tmp_path / "nothing"), "--out", str(tmp_path / "other")])
    assert (
        "nothing is no folder, no zip" in capsys.readouterr().err
        and not (tmp_path / "other").exists()
    )
    taught = (tmp_path / "new/model.safetensors").read_bytes()
    with pytest.raises(SystemExit):
        features.main(["--data", str(face_folder), "--out", str(tmp_path / "new")])
    assert "is not empty; name a new folder" in capsys.readouterr().err
    assert (tmp_path / "new/model.safetensors").read_bytes() == taught
