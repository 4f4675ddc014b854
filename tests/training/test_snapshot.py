"""What a run leaves behind: cards, grids of samples, and pushes that may fail."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import training.snapshot
from stylegan import Discriminator, DiscriminatorConfig, Generator
from stylegan.images import to_uint8
from stylegan.latents import sample_z
from training.config import TrainConfig
from training.data import ImageDataset
from training.snapshot import (
    DISCRIMINATOR,
    describe,
    mixing_grid,
    open_repository,
    push,
    sample_grid,
    save_run_card,
    save_snapshot,
)


def tile(grid, row, column, size=32):
    return grid[row * size : (row + 1) * size, column * size : (column + 1) * size]


def assert_close(a, b):
    """Equal up to rounding: drawn in another batch, the last bit may differ."""
    assert np.abs(a.astype(int) - b).max() <= 1


@torch.no_grad()
def test_the_grid_shows_the_first_seeds_row_by_row(tiny):
    G = Generator(tiny(img_channels=1)).eval()
    grid = sample_grid(G)
    assert grid.shape == (4 * 32, 8 * 32, 3) and grid.dtype == np.uint8
    assert_close(tile(grid, 2, 3), to_uint8(G(sample_z([8 * 2 + 3], 8)))[0])


@torch.no_grad()
def test_labels_take_turns_in_the_grid(tiny):
    """Seed 13 of three labels has label 1, at the weight that labels have at that time."""
    G = Generator(tiny(c_dim=3)).eval()
    ws = G.mapping(sample_z([13], 8), torch.eye(3)[1:2], label_weight=0.5)
    expected = to_uint8(G.synthesis(ws))[0]
    assert_close(tile(sample_grid(G, label_weight=0.5), 1, 5), expected)


@torch.no_grad()
@pytest.mark.parametrize("c_dim", [0, 2])
def test_a_crossing_of_the_mixing_grid_is_half_of_each(tiny, c_dim):
    """A with the first label and B with the last; seed 4 above, seed 1002 at the left."""
    G = Generator(tiny(c_dim=c_dim)).eval()
    G.mapping.w_avg.normal_()
    c = torch.eye(2) if c_dim else None
    ws = G.mapping(sample_z([4, 1002], 8), c, truncation_psi=0.7)
    grid, faces = mixing_grid(G), to_uint8(G.synthesis(torch.cat([ws, ws.mean(0, keepdim=True)])))
    assert grid.shape == (8 * 32, 8 * 32, 3) and (tile(grid, 0, 0) == 255).all()
    assert_close(tile(grid, 0, 5), faces[0])
    assert_close(tile(grid, 3, 0), faces[1])
    assert_close(tile(grid, 3, 5), faces[2])


def test_a_snapshot_is_a_generator_with_its_story(tiny, faces, tmp_path):
    config = TrainConfig(str(faces), str(tmp_path), config="r", batch=8, gamma=0.25)
    dataset, G = ImageDataset(config.data), Generator(tiny()).eval()
    D = Discriminator(DiscriminatorConfig(32, channel_base=128, channel_max=8))
    (tmp_path / "weights/.new").mkdir(parents=True)  # left by a kill, half full
    (tmp_path / "weights/.new/README.md").write_text("old")
    folder, pictures = save_snapshot(config, dataset, G, D, nimg=12_345_678)
    assert folder == tmp_path / "weights/kimg-012346"
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]
    assert pictures.keys() == {"samples", "mix"}
    mix = Image.open(tmp_path / "samples/kimg-012346-mix.png")
    np.testing.assert_array_equal(np.array(mix), pictures["mix"])
    np.testing.assert_array_equal(np.array(Image.open(folder / "samples.png")), pictures["samples"])
    assert Generator.from_pretrained(folder).config == G.config
    saved = load_file(folder / DISCRIMINATOR)
    assert all(torch.equal(saved[name], tensor) for name, tensor in D.state_dict().items())
    text = (folder / "README.md").read_text()
    assert describe(config, dataset, 12_345_678) in text
    assert "Config R, 32x32 pixels" in text and "R1 gamma 0.25" in text and "early, late" in text


@torch.no_grad()
def test_labels_that_came_in_halfway_are_saved_at_full_weight(tiny, faces, tmp_path):
    """What is loaded draws what the run drew."""
    config = TrainConfig(str(faces), str(tmp_path), conditional=True, total_kimg=10.0)
    G, D = Generator(tiny(c_dim=2)).eval(), Discriminator(DiscriminatorConfig(32, channel_base=128))
    folder, _ = save_snapshot(config, ImageDataset(config.data), G, D, nimg=3000)
    z, c = sample_z([0, 1], 8), torch.eye(2)
    loaded = Generator.from_pretrained(folder)
    assert not torch.equal(loaded.mapping(z, c), G.mapping(z, c))
    torch.testing.assert_close(loaded.mapping(z, c), G.mapping(z, c, label_weight=0.5))


def test_a_run_folder_says_what_it_is(faces, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py", "--data", "two words", "--batch", "8"])
    save_run_card(TrainConfig(str(faces), str(tmp_path)), ImageDataset(str(faces)))
    text = (tmp_path / "README.md").read_text()
    assert "accelerate launch training/train.py --data 'two words' --batch 8" in text
    assert "on 8 pictures of 32 px: early, late" in text
    for name in ("config.json", "log.jsonl", "samples/", "weights/", "state/"):
        assert name in text


def test_a_failed_push_is_told_and_stops_only_the_last_snapshot(tmp_path, monkeypatch, capsys):
    def fail(*args, **kwargs):
        raise OSError("no connection")

    monkeypatch.setattr(training.snapshot.HfApi, "upload_folder", fail)
    push("alice/faces", tmp_path, last=False)
    assert "alice/faces failed" in capsys.readouterr().err
    with pytest.raises(OSError, match="no connection"):
        push("alice/faces", tmp_path, last=True)


def test_a_repository_that_cannot_be_written_is_named(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no token")

    monkeypatch.setattr(training.snapshot.HfApi, "create_repo", refuse)
    with pytest.raises(ValueError, match="--push-to-hub alice/faces cannot be written: no token"):
        open_repository("alice/faces")
