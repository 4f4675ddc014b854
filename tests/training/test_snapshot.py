"""What a run leaves behind: a card, a grid of samples, and pushes that may fail."""

import pytest
import torch

import training.snapshot
from stylegan import Generator
from stylegan.images import to_uint8
from stylegan.latents import sample_z
from training.config import TrainConfig
from training.data import ImageDataset
from training.snapshot import describe, open_repository, push, sample_grid, save_snapshot


@torch.no_grad()
def test_the_grid_shows_the_first_seeds_row_by_row(tiny):
    G = Generator(tiny(img_channels=1)).eval()
    grid = sample_grid(G)
    assert grid.size == (8 * 32, 4 * 32) and grid.mode == "RGB"
    tile = to_uint8(G(sample_z([8 * 2 + 3], 8)))[0]
    left, top = 3 * 32, 2 * 32
    cut = torch.tensor(list(grid.crop((left, top, left + 32, top + 32)).tobytes())).reshape(
        32, 32, 3
    )
    assert (cut - torch.from_numpy(tile)).abs().max() <= 1  # drawn in another batch


def test_a_snapshot_is_a_generator_with_its_story(tiny, faces, tmp_path):
    config = TrainConfig(str(faces), str(tmp_path), config="r", batch=8, r1_gamma=0.25)
    dataset, G = ImageDataset(config.data), Generator(tiny()).eval()
    folder = save_snapshot(config, dataset, G, nimg=12_345_678)
    assert folder == tmp_path / "weights/kimg-012346"
    assert (tmp_path / "samples/kimg-012346.png").exists() and (folder / "samples.png").exists()
    assert Generator.from_pretrained(folder).config == G.config
    text = (folder / "README.md").read_text()
    assert describe(config, dataset, 12_345_678) in text
    assert "Config R, 32x32 pixels" in text and "R1 gamma 0.25" in text and "early, late" in text


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
