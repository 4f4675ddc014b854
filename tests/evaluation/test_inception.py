"""FID and KID by torch-fidelity, where it is installed."""

import pytest
import torch

from evaluation import inception
from evaluation.inception import check_inception, inception_distances


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(inception.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install torch-fidelity"):
        check_inception(str(tmp_path / "weights.pth"))
    monkeypatch.setattr(inception.importlib.util, "find_spec", lambda name: name)
    with pytest.raises(ValueError, match="weights.pth is not a file"):
        check_inception(str(tmp_path / "weights.pth"))
    (tmp_path / "weights.pth").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="does not hold the weights"):
        check_inception(str(tmp_path / "weights.pth"))
    torch.save({"fc.weight": torch.ones(2)}, tmp_path / "weights.pth")
    check_inception(str(tmp_path / "weights.pth"))


def test_a_set_is_at_no_distance_from_itself_and_far_from_another(tmp_path):
    """With random weights, which order sets as any features do."""
    pytest.importorskip("torch_fidelity", reason="torch-fidelity is optional")
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        patch.setattr(torch, "load", lambda path, weights_only: None)
        network = FeatureExtractorInceptionV3("inception", ["2048"], "none")
    for parameter in network.parameters():
        if parameter.ndim == 4:
            torch.nn.init.kaiming_normal_(parameter, nonlinearity="relu")
    path = str(tmp_path / "weights.pth")
    torch.save(network.state_dict(), path)
    check_inception(path)
    img = torch.rand(12, 3, 64, 64) * 2 - 1
    same = inception_distances(img, img, path)
    other = inception_distances(img, img / 4, path)
    assert abs(same["FID"]) < 1e-3 < other["FID"]
    assert same["KID"] < other["KID"]
