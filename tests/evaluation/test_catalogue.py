"""Kinds of faces and their best seeds."""

import math

import numpy as np
import pytest
import torch

from evaluation import catalogue
from evaluation.catalogue import best_first, picture
from evaluation.dataset import ImageDataset
from evaluation.kinds import centres_of, kinds
from evaluation.quality import Pictures, Reference
from stylegan import Generator
from stylegan.domains import load_domains


def test_centres_are_means_over_many_latents_that_were_not_drawn():
    """Kinds are the halves of a normal distribution, whose means lie at +-sqrt(2 / pi) on one axis.
    Told by 500 drawn faces alone, they would be off by a tenth in each of 20 axes."""
    torch.manual_seed(0)
    w, many = torch.randn(500, 20), torch.randn(20_000, 20)
    labels = (w[:, 0] > 0).long()
    expected = torch.zeros(2, 20)
    expected[:, 0] = torch.tensor([-1, 1]) * math.sqrt(2 / math.pi)
    drawn = torch.stack([w[labels == i].mean(dim=0) for i in (0, 1)])
    assert (drawn - expected).norm(dim=1).min() > 0.2
    assert (centres_of(w, labels, many) - expected).norm(dim=1).max() < 0.1


def test_a_face_is_good_where_reals_are_near():
    """In all features the third is nearest; the first is far in one, the second in the others, and
    the fourth, which is farthest in all, is last."""
    reals = torch.zeros(6, 2)
    taught = torch.tensor([[3.0, 0], [1.0, 0], [0.5, 0], [9.0, 0]])
    random = torch.tensor([[1.0, 0], [3.0, 0], [0.5, 0], [9.0, 0]])
    fake = Pictures(torch.zeros(4, 3, 2, 2), random, taught, taught, random)
    order = best_first(fake, Pictures(None, *[reals] * 4)).tolist()
    assert order[0] == 2 and order[3] == 3


@pytest.fixture(scope="module")
def reference(face_folder):
    return Reference(ImageDataset(str(face_folder)))


def test_the_command_tells_dark_faces_from_light_ones(
    face_folder, weights, tmp_path, monkeypatch, reference
):
    """Every seed is listed once; dark ones are darker; the picture shows the best ones first."""
    for name, value in dict(SEEDS=60, keep_freed_memory=lambda: None).items():
        monkeypatch.setattr(catalogue, name, value)
    G = Generator.from_pretrained(weights)
    G.save_pretrained(tmp_path)
    catalogue.main([str(tmp_path), "--data", str(face_folder)])
    found = load_domains(tmp_path)
    assert [kind.name for kind in found] == ["dark", "light"]
    assert sorted(found[0].seeds + found[1].seeds) == list(range(60))
    assert sum(kind.share for kind in found) == pytest.approx(1, abs=1e-3)
    assert all(min(kind.scores) >= 0.5 for kind in found)
    seen = kinds(G, reference, 60)
    torch.testing.assert_close(found[0].centre, seen.centres[0], rtol=1e-3, atol=1e-3)
    look = found[1].look - found[0].look
    is_light = seen.w @ look[:-1] + look[-1] > 0
    assert (is_light == (seen.labels == 1)).double().mean() > 0.8
    light = seen.pictures.img.mean(dim=(1, 2, 3))
    assert light[found[0].seeds].mean() < light[found[1].seeds].mean() - 0.1
    grid = picture(found, seen.pictures.img)
    assert grid.shape == (4 * 2 * 64, 16 * 64, 3)
    best = seen.pictures.img[found[1].seeds[0]].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(grid[4 * 64 : 5 * 64, :64], (best + 1) * 127.5, atol=1)
    assert (tmp_path / "domains.jpg").exists()


def test_what_cannot_be_told_is_said(tiny, face_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "keep_freed_memory", lambda: None)
    data = ["--data", str(face_folder)]
    with pytest.raises(SystemExit, match="error: .*nowhere"):
        catalogue.main([str(tmp_path / "nowhere"), *data])
    Generator(tiny(c_dim=3, img_resolution=64)).save_pretrained(tmp_path)
    with pytest.raises(SystemExit, match="has 3 labels and the sub-folders are: dark, light"):
        catalogue.main([str(tmp_path), *data])


def test_labels_are_the_kinds_of_a_generator_that_has_them(tiny, reference):
    """Seeds take turns; of one that learned nothing the shares tell that the labels say nothing."""
    seen = kinds(Generator(tiny(c_dim=2, img_resolution=64)).eval(), reference, 20)
    found = catalogue.catalogue(seen, reference)
    assert [sorted(kind.seeds) for kind in found] == [[*range(0, 20, 2)], [*range(1, 20, 2)]]
    light = (seen.probabilities[:, 1] > 0.5).double().mean().item()
    assert [kind.share for kind in found] == pytest.approx([1 - light, light])
    assert abs(light - 0.5) > 0.2
    assert {kind.level for kind in found} == {reference.level} == {False}
