"""Real faces drawn again beside the adversary: their z, where they begin, what is kept, refused."""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator

import training.redraw
import training.search
import training.train
from evaluation.dataset import ImageDataset
from evaluation.grids import save_picture
from stylegan import Generator
from stylegan.images import from_uint8, to_uint8
from stylegan.latents import sample_z
from training.config import TrainConfig
from training.normal import gaussianized, normal, telling, white
from training.percept import Percept, rounded
from training.redraw import A_PART, EIGENFACES, OFTEN, TURN, Redraw, eigenfaces, real_faces
from training.search import search

pytestmark = pytest.mark.usefixtures("fresh_accelerate")


@pytest.fixture
def config(faces, tmp_path, monkeypatch):
    """Eight steps of eight images, a snapshot of the last; the search is short."""
    monkeypatch.setattr(training.search, "RANDOM", 64)
    monkeypatch.setattr(training.search, "ROUNDS", 2)
    size = dict(num_layers=4, channel_base=128, channel_max=8, z_dim=8, batch=8)
    size |= dict(redraw=5.0, mirror=False, ada_max=0.0)
    kimg = dict(total_kimg=0.064, snapshot_kimg=0.064, eval_kimg=0.0, mixed_precision="no")
    begin = TrainConfig(str(faces), "", init_from="-", **size)
    torch.manual_seed(5)
    Generator(begin.generator(32, 0)).save_pretrained(tmp_path / "begin")
    kimg |= dict(init_from=str(tmp_path / "begin"))
    return TrainConfig(str(faces), str(tmp_path / "run"), **size, **kimg)


def z_of(run):
    """Of the real faces, in the newest state of a run."""
    return torch.load(max((Path(run) / "state").iterdir()), weights_only=True)["redraw"]["z"]


# Runs


def test_a_run_that_went_on_ends_as_if_it_had_not_stopped(
    config, tmp_path, assert_same, monkeypatch, capsys
):
    """With a critic on features beside D. The search is made once; z move to normal ones after 32
    and 64 images, too."""
    config = dataclasses.replace(config, critic="both")
    monkeypatch.setattr(training.redraw, "OFTEN", 32)
    training.train.start(config)
    broken = dataclasses.replace(config, out=str(tmp_path / "broken"))
    for kimg in (0.024, 0.064):
        training.train.start(dataclasses.replace(broken, total_kimg=kimg))
    states = [max((tmp_path / run / "state").iterdir()) for run in ("run", "broken")]
    assert_same(*(torch.load(path, weights_only=True) for path in states))
    assert capsys.readouterr().out.count("looking for a z of each of 8 faces") == 2
    lines = (tmp_path / "run/log.jsonl").read_text().splitlines()
    assert all(json.loads(line)["loss/redraw"] > 0 for line in lines)
    assert all(json.loads(line)["heads/real"] != 0 for line in lines)
    assert z_of(tmp_path / "run").norm(dim=1).min() > 0.5


def test_features_may_judge_beside_it_in_bfloat16(config):
    flags = dict(critic="features", mixed_precision="bf16", batch=2, total_kimg=0.004)
    training.train.start(dataclasses.replace(config, **flags))
    (line,) = (Path(config.out) / "log.jsonl").read_text().splitlines()
    assert 0 < json.loads(line)["loss/redraw"] < 20


def test_stopped_while_it_looks_for_z_it_begins_anew(config, monkeypatch, capsys):
    asked = itertools.count()
    monkeypatch.setattr(training.train.Stopper, "agreed", lambda self: next(asked) == 1)
    training.train.start(config)
    told = capsys.readouterr().out
    assert "round 1" not in told
    assert told.endswith("stopped before the first step; the same command begins anew\n")
    assert not list(Path(config.out).rglob("kimg-*"))
    training.train.start(dataclasses.replace(config, total_kimg=0.008))
    assert "round 2 of 2: unlike" in capsys.readouterr().out
    assert z_of(config.out).shape == (8, 8)


# The z of real faces


def blind(folders):
    """Looks of which nothing is known."""
    return [torch.zeros(len(own), 0) for own in folders]


def alone(size):
    """Folders, looks and shares of one folder."""
    folders = [torch.arange(size)]
    return folders, blind(folders), [1.0]


@pytest.mark.parametrize("shares", [[0.5, 0.3, 0.2], [1.0]])
def test_z_become_normal_in_every_sub_folder_and_each_has_its_part_of_space(shares):
    """Half of the faces, of the first two folders, lay among each other; spreads were uneven."""
    torch.manual_seed(0)
    folders = [torch.arange(3000)[i :: len(shares)] for i in range(len(shares))]
    z = torch.randn(3000, 6).exp()
    z[folders[-1]] += torch.tensor([2.0, 0, 5, 0, 0, 0])
    z[folders[0]] *= torch.tensor([1.0, 3, 1, 1, 0.3, 1])
    redraw, random = (
        Redraw(1.0, None, z, folders, blind(folders), shares, 0),
        np.random.default_rng(0),
    )
    for _ in range(200):
        redraw.make_normal(0.5, random)
    means = torch.stack([redraw.z[own].mean(dim=0) for own in folders])
    axis = torch.linalg.svd(means - means.mean(dim=0))[2][0]
    parts = []
    for own in folders:
        z = redraw.z[own]
        along, rest = z @ axis, z - (z @ axis)[:, None] * axis
        parts.append((along.min().item(), along.max().item(), len(own)))
        if len(folders) > 1:
            ranks = normal(along[:, None])[:, 0]
            assert (rest.T @ ranks / len(own)).abs().max() < 0.1  # place does not foretell the rest
            assert (rest.T.cov() - torch.eye(6) + axis[:, None] * axis).abs().max() < 0.1
        random_direction = torch.nn.functional.normalize(torch.randn(6, 50), dim=0)
        kurtosis = (rest @ random_direction / (rest @ random_direction).std(dim=0)).pow(4)
        assert (kurtosis.mean(dim=0) - 3).abs().max() < 1.2  # as of normal samples; 100 at first
    edges = sorted(parts)
    assert all(edges[i][1] < edges[i + 1][0] + 0.1 for i in range(len(parts) - 1))
    sizes = [
        torch.special.ndtr(torch.tensor(high)) - torch.special.ndtr(torch.tensor(low))
        for low, high, _ in parts
    ]
    torch.testing.assert_close(torch.stack(sizes), torch.tensor(shares), rtol=0, atol=0.03)


def test_numbers_of_ranks_in_a_normal_distribution():
    x = torch.tensor([[5.0, 0.0], [7.0, -2.0], [6.0, 9.0]])
    quantiles = torch.special.ndtri(torch.tensor([1 / 6, 3 / 6, 5 / 6]))
    expected = torch.stack([quantiles[[0, 2, 1]], quantiles[[1, 0, 2]]], dim=1)
    torch.testing.assert_close(normal(x), expected)


def test_a_move_goes_a_part_of_the_way():
    torch.manual_seed(0)
    z = torch.randn(40, 6) * 2
    moved = [Redraw(1.0, None, z.clone(), *alone(40), 0) for _ in range(2)]
    for redraw, part in zip(moved, (1.0, 0.25), strict=True):
        redraw.make_normal(part, np.random.default_rng(0))
    torch.testing.assert_close(moved[1].z, z.lerp(moved[0].z, 0.25), rtol=1e-4, atol=1e-5)


def test_among_many_numbers_one_that_varies_too_much_is_soon_like_the_others():
    """Along random directions alone, which all have a little of it, its variance would stay 3.4."""
    torch.manual_seed(0)
    z = torch.randn(2000, 64)
    z[:, 5] *= 2
    redraw, random = Redraw(1.0, None, z, *alone(2000), 0), np.random.default_rng(0)
    for _ in range(20):
        redraw.make_normal(0.1, random)
    variances = redraw.z.var(dim=0)
    assert variances.min() > 0.9 and variances[5] == variances.max() < 1.5


def test_z_that_crowd_where_looks_differ_become_normal_there():
    """Two crowds along one of 64 directions, of which random ones see little; looks tell it."""
    torch.manual_seed(0)
    z = torch.randn(2000, 64)
    z[:, 5] = torch.where(torch.rand(2000) < 0.5, -1.0, 1.0) + 0.2 * z[:, 5]
    crowds = (z[:, 5:6] - z[:, 5].mean()) / z[:, 5].std()

    def moved(looks):
        redraw = Redraw(1.0, None, z.clone(), [torch.arange(2000)], [looks], [1.0], 0)
        random = np.random.default_rng(0)
        for _ in range(20):
            redraw.make_normal(0.1, random)
        x = redraw.z[:, 5] / redraw.z[:, 5].std()
        return (x.abs() < 0.3).float().mean()

    assert moved(torch.zeros(2000, 0)) < 0.05  # hardly anybody between them
    assert moved(crowds) > 0.15  # of normal numbers 0.236


def test_numbers_along_few_directions_become_normal_together_and_the_others_stay():
    torch.manual_seed(0)
    z = torch.randn(3000, 8)
    z[:, 1] = z[:, 0].square() + 0.1 * z[:, 1]
    directions = torch.linalg.qr(torch.randn(8, 2) * 0.01 + torch.eye(8)[:, :2])[0]
    made = gaussianized(z, directions, np.random.default_rng(0))
    x = made @ directions
    for turn in torch.linspace(0, torch.pi, 12):
        along = x @ torch.stack([turn.cos(), turn.sin()])
        both = along.sort()[0], normal(x)[:, 0].sort()[0]
        torch.testing.assert_close(*(x[30:-30] for x in both), rtol=0, atol=0.15)
    rest = torch.eye(8) - directions @ directions.T
    torch.testing.assert_close(made @ rest, z @ rest, rtol=0, atol=1e-4)


def test_directions_that_tell_looks():
    torch.manual_seed(0)
    z, axis = torch.randn(500, 8), torch.eye(8)[:, 2]
    seen = z[:, [5]] - z[:, [5]].mean() + 0.1 * torch.randn(500, 1)
    directions = telling(z, axis, seen)
    torch.testing.assert_close(directions.T @ directions, torch.eye(2), atol=1e-5, rtol=0)
    assert directions[2, 0].abs() > 0.999 and directions[5, 1].abs() > 0.95


def test_the_first_eigenface_is_what_differs_most(tmp_path):
    """Six pictures, each in two shades: light. All numbers are white."""
    for shade in (0, 60):
        for number in range(6):
            face = np.random.default_rng(number).integers(0, 40, (16, 16, 3))
            path = tmp_path / "a" / f"{shade}-{number}.png"
            path.parent.mkdir(exist_ok=True)
            save_picture((face + shade).astype(np.uint8), path)
    dataset = ImageDataset(tmp_path)
    seen = eigenfaces(dataset, torch.arange(12))
    assert seen.shape == (12, EIGENFACES)
    torch.testing.assert_close(seen.T @ seen / 12, torch.eye(EIGENFACES), atol=1e-4, rtol=0)
    dark = torch.tensor(["/0-" in name for name in dataset.names])
    assert dark.sum() == 6
    light = seen[:, 0] * seen[dark, 0][0].sign()
    assert light[dark].min() > 0.8 and light[~dark].max() < -0.8


def test_numbers_that_hardly_vary_stay_calm():
    """Fewer faces than numbers, one face, all faces alike."""
    for z in (torch.randn(5, 8), torch.randn(1, 8), torch.ones(5, 8)):
        assert (white(z).norm(dim=1) < 10.01 * z.norm(dim=1)).all()
    z = torch.randn(500, 8)
    z[:, 0] *= 1e-3  # becomes ten times as much, not 1
    torch.testing.assert_close(white(z)[:, 0].std(), torch.tensor(1e-2), rtol=0.1, atol=0)


def test_the_smallest_move_brings_every_face_into_its_part_of_space():
    torch.manual_seed(0)
    z, folders = torch.randn(40, 6), [torch.arange(40)[::2], torch.arange(40)[1::2]]
    z[folders[0], 2] += 1
    redraw = Redraw(1.0, None, z.clone(), folders, blind(folders), [0.25, 0.75], 0)
    axis = redraw.axis() * redraw.axis()[2].sign()
    redraw.make_normal(1e-6, np.random.default_rng(0))
    assert (redraw.z[folders[0]] @ axis > torch.special.ndtri(torch.tensor(0.75))).all()
    assert (redraw.z[folders[1]] @ axis < torch.special.ndtri(torch.tensor(0.75))).all()
    way = redraw.z - z
    torch.testing.assert_close(way, (way @ axis)[:, None] * axis, atol=1e-4, rtol=0)


def test_noise_takes_its_share_of_the_variance_but_not_of_what_tells_its_kind():
    torch.manual_seed(0)
    folders = [torch.arange(0, 400), torch.arange(400, 1000)]
    z = torch.randn(1000, 8)
    z[folders[0], 3] += 4
    redraw = Redraw(1.0, None, z.clone(), folders, blind(folders), [0.5, 0.5], 0)
    axis = redraw.axis()
    torch.testing.assert_close(axis.norm(), torch.tensor(1.0))
    assert axis[3].abs() > 0.98
    faces, noise = torch.randperm(1000), torch.randn(1000, 8)
    mixed = redraw.near(faces, noise, torch.linspace(0, 1, 1000))
    torch.testing.assert_close(mixed @ axis, z[faces] @ axis)
    rest = torch.eye(8) - axis[:, None] * axis
    own, random, mixed = z[faces] @ rest, noise @ rest, mixed @ rest
    torch.testing.assert_close(mixed[0], own[0])
    torch.testing.assert_close(mixed[-1], random[-1])
    part = torch.linspace(0, 1, 1000)[:, None]
    torch.testing.assert_close(mixed, (1 - part).sqrt() * own + part.sqrt() * random)
    assert torch.equal(redraw.z, z)


def test_of_one_folder_all_of_a_z_mixes_with_noise():
    z, noise = torch.randn(5, 8), torch.randn(2, 8)
    redraw = Redraw(1.0, None, z, *alone(5), 0)
    mixed = redraw.near(torch.tensor([3, 1]), noise, torch.tensor([1.0, 0.36]))
    torch.testing.assert_close(mixed, torch.stack([noise[0], 0.8 * z[1] + 0.6 * noise[1]]))


def test_a_step_turns_the_z_that_it_drew_and_no_others():
    torch.manual_seed(0)
    z = torch.randn(5, 8)
    redraw = Redraw(1.0, None, z.clone(), *alone(5), 0)
    gradient = torch.randn(3, 8)
    redraw.learn(torch.tensor([4, 1, 2]), gradient, 0, 8)
    assert torch.equal(redraw.z[[0, 3]], z[[0, 3]])
    for face, g in zip((4, 1, 2), gradient, strict=True):
        moved = redraw.z[face] - z[face]
        torch.testing.assert_close(moved @ z[face], torch.tensor(0.0), atol=1e-5, rtol=0)
        torch.testing.assert_close(moved.norm(), TURN * z[face].norm())
        assert moved @ g < 0
    before = redraw.z.clone()
    redraw.learn(torch.tensor([0]), torch.full((1, 8), torch.nan), OFTEN - 8, OFTEN)
    expected = Redraw(1.0, None, before.clone(), *alone(5), 0)
    expected.make_normal(A_PART, np.random.default_rng((0, training.redraw.NORMAL, OFTEN)))
    assert torch.equal(redraw.z, expected.z) and not torch.equal(redraw.z, before)


# How unlike faces are


def test_faces_are_seen_as_files_keep_them():
    img = (torch.rand(2, 3, 8, 8) * 2.4 - 1.2).requires_grad_()
    kept = from_uint8(torch.from_numpy(to_uint8(img.detach()))).permute(0, 3, 1, 2)
    torch.testing.assert_close(rounded(img), kept, rtol=0, atol=1e-6)
    (gradient,) = torch.autograd.grad((rounded(img) * img.detach()).sum(), img)
    torch.testing.assert_close(gradient, img.detach())


def test_a_percept_sees_a_shape_that_moved_and_no_fine_noise(faces):
    img = real_faces(ImageDataset(faces), range(8), torch.device("cpu"))
    percept = Percept(img)
    assert percept(img, img).abs().max() < 1e-4
    assert (percept(img, img.roll(4, dims=3)) > 2 * percept(img, img.roll(1, dims=3))).all()
    noisy = (img + 0.05 * torch.randn_like(img)).clamp(-1, 1)
    assert (percept(noisy, img) < percept(img.flip(3), img)).all()
    assert percept(img[:, :1], img[:, :1]).shape == (8,)


@pytest.fixture
def drawn(weights, tmp_path):
    """Eight faces that the weights in the repository draw."""
    G = Generator.from_pretrained(weights).requires_grad_(False)
    for seed, face in enumerate(to_uint8(G(sample_z(range(8), G.z_dim)))):
        path = tmp_path / "drawn" / ("a" if seed % 2 else "b") / f"{seed:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_picture(face, path)
    return G, ImageDataset(tmp_path / "drawn")


def test_a_search_finds_z_of_faces_that_the_weights_draw(drawn, monkeypatch, capsys):
    """And says how far it is."""
    monkeypatch.setattr(training.search, "RANDOM", 256)
    monkeypatch.setattr(training.search, "TOLD", 128)
    (G, dataset), cpu = drawn, torch.device("cpu")
    flags = dict(redraw=1.0, mirror=False, ada_max=0.0, init_from="-")
    config = TrainConfig(".", ".", z_dim=G.z_dim, **flags)
    redraw = Redraw.begin(config, dataset, cpu)
    img = real_faces(dataset, range(8), cpu)
    strangers = redraw.percept(G(sample_z(range(100, 108), G.z_dim)), img).mean()
    assert search(redraw, G, dataset, Accelerator(cpu=True), lambda: False)
    told = capsys.readouterr().out
    counts = [n for n in (64, 128, 192, 256) if f"{n} of 256 random faces drawn\n" in told]
    assert counts == [128, 256]
    found = redraw.percept(G(redraw.z), img).mean()
    assert found < 0.6 * strangers
    assert redraw.z.square().mean() < 2
