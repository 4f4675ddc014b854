"""Mixes of faces in the training: of what they are made, and what they are to look like."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation.dataset import ImageDataset
from stylegan import Generator
from training.mixes import CROWD, LEAST_PSI, Mix, Mixes, styles
from training.percept import Percept
from training.redraw import Redraw, real_faces


def redraw_of(folders, shares, percept=None):
    """Of faces whose z lie around the first number 3 times that of their folder."""
    torch.manual_seed(0)
    z = torch.randn(sum(map(len, folders)), 6) * 0.1
    for i, own in enumerate(folders):
        z[own, 0] += 3.0 * i
    return Redraw(
        1.0, percept, z, folders, [torch.zeros(len(own), 0) for own in folders], shares, 0
    )


@pytest.fixture
def mixes(tmp_path) -> Mixes:
    """Of ten dark and ten light pictures."""
    random = np.random.default_rng(0)
    for name, light in ("dark", 40), ("light", 200):
        (tmp_path / name).mkdir()
        for i in range(10):
            pixels = random.integers(light - 40, light + 40, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    dataset = ImageDataset(tmp_path)
    folders = [torch.tensor(own) for own in dataset.groups(balance=True)]
    percept = Percept(real_faces(dataset, range(20), torch.device("cpu")))
    return Mixes.begin(redraw_of(folders, [0.5, 0.5], percept), dataset)


def test_random_z_of_kinds_lie_in_the_parts_of_their_sub_folders():
    folders = [torch.arange(40)[i::3] for i in (2, 0, 1)]
    redraw = redraw_of(folders, [0.2, 0.5, 0.3])
    random, kinds = torch.randn(3000, 6), torch.arange(3000) % 3
    z, axis = redraw.of_kinds(random, kinds), redraw.axis()
    across = random - (random @ axis)[:, None] * axis
    torch.testing.assert_close(z - (z @ axis)[:, None] * axis, across, rtol=0, atol=1e-5)
    parts = redraw.parts()
    order = parts[:, 0].argsort().tolist()
    assert order in ([0, 1, 2], [2, 1, 0])
    torch.testing.assert_close((parts[:, 1] - parts[:, 0]).float(), torch.tensor([0.2, 0.5, 0.3]))
    ranks = torch.special.ndtr((z @ axis).double())
    for kind, (low, high) in enumerate(parts):
        inside = (ranks[kinds == kind] - low) / (high - low)
        assert inside.min() > -1e-4 and inside.max() < 1 + 1e-4
        assert (inside.sort().values - torch.linspace(0, 1, 1000)).abs().max() < 0.06  # all of it


def test_each_parent_is_pulled_to_the_centre_of_its_kind_and_they_are_mixed(tiny):
    mapping = Generator(tiny()).mapping
    weight, psi = torch.tensor([0.0, 1.0, 0.25]), torch.tensor([1.0, 0.5, 0.0])
    kinds = torch.tensor([[0, 1], [1, 0], [1, 0]])
    parents, crowd = torch.randn(3, 2, 8), torch.randn(2, 5, 8)
    ws = styles(Mix(kinds, parents, weight, psi, crowd), mapping)
    w = mapping(parents.flatten(0, 1)).unflatten(0, (3, 2))
    dark, light = mapping(crowd.flatten(0, 1)).unflatten(0, (2, 5)).mean(dim=1)
    torch.testing.assert_close(ws[0], w[0, 0])
    torch.testing.assert_close(ws[1], (w[1, 1] + dark) / 2)
    torch.testing.assert_close(ws[2], 0.75 * light + 0.25 * dark)
    (gradient,) = torch.autograd.grad(ws[2].sum(), mapping.fc0.weight, allow_unused=True)
    assert not gradient.any()  # it comes through the parents, and these are pulled all the way


def test_what_a_mix_looks_like_is_to_be_its_weight(mixes):
    """A dark picture is off by the weight of its light parent, whichever comes first."""
    dark = (torch.rand(1, 3, 32, 32) * 0.6 - 1).requires_grad_()

    def off(kinds, weight):
        mix = Mix(torch.tensor([kinds]), None, torch.tensor([weight]), None, None)
        return mixes.off(mixes.redraw.percept.maps(dark), mix)

    first = [off([0, 1], weight).item() for weight in (0.0, 0.5, 1.0)]
    assert first[0] < 0.1 < first[1] < first[2]
    assert [off([1, 0], weight).item() for weight in (1.0, 0.5, 0.0)] == pytest.approx(first)
    (gradient,) = torch.autograd.grad(off([0, 1], 0.5), dark)
    with torch.no_grad():
        dark -= 0.1 * gradient.sign()
    assert off([0, 1], 0.5) < first[1]


def test_mixes_of_a_batch_follow_from_the_seed_and_the_images_shown(mixes):
    mix = mixes.deal(48, 8)
    shapes = {f.name: tuple(getattr(mix, f.name).shape) for f in dataclasses.fields(Mix)}
    one = dict(weight=(8,), psi=(8,), crowd=(2, CROWD, 6))
    assert shapes == dict(kinds=(8, 2), parents=(8, 2, 6)) | one
    assert (mix.kinds.sum(dim=1) == 1).all() and mix.kinds[:, 0].float().std() > 0
    assert mix.psi.min() >= LEAST_PSI and mix.psi.max() <= 1
    axis, parts = mixes.redraw.axis(), mixes.redraw.parts()
    for z, kinds in ((mix.parents, mix.kinds), (mix.crowd, torch.arange(2)[:, None])):
        ranks, (low, high) = torch.special.ndtr((z @ axis).double()), parts[kinds].unbind(dim=-1)
        assert ((ranks > low - 1e-4) & (ranks < high + 1e-4)).all()
    again, later = mixes.deal(48, 8), mixes.deal(64, 8)
    for f in dataclasses.fields(Mix):
        assert torch.equal(getattr(mix, f.name), getattr(again, f.name))
    assert not torch.equal(mix.parents, later.parents)
