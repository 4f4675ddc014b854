"""What a run leaves behind for others: weights with their card, sample grids, a Hub repository."""

import sys
from pathlib import Path

import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import httpx
from PIL import Image

from stylegan import Generator
from stylegan.images import image_grid, to_uint8
from stylegan.latents import sample_z
from training.config import TrainConfig
from training.data import ImageDataset

NUM_COLUMNS, NUM_ROWS = 8, 4


def describe(config: TrainConfig, dataset: ImageDataset, nimg: int) -> str:
    """What the weights are and how they came about, for their card."""
    resolution = dataset.resolution
    return (
        f"Config {config.config.upper()}, {resolution}x{resolution} pixels, "
        f"{config.num_layers} layers, channel base {config.channel_base}, channel max "
        f"{config.channel_max}. Trained for {nimg / 1000:g} thousand images (batch {config.batch}, "
        f"R1 gamma {config.gamma(resolution):g}) on {len(dataset)} pictures of: "
        f"{', '.join(dataset.labels)}. These are the averaged weights (G_ema)."
    )


@torch.no_grad()
def sample_grid(G_ema: Generator) -> Image.Image:
    """The first seeds, drawn without truncation."""
    device = G_ema.mapping.w_avg.device
    z = sample_z(range(NUM_COLUMNS * NUM_ROWS), G_ema.z_dim).to(device)
    img = torch.cat([G_ema(row) for row in z.split(NUM_COLUMNS)])
    return Image.fromarray(image_grid(to_uint8(img), NUM_COLUMNS))


def save_snapshot(config: TrainConfig, dataset: ImageDataset, G_ema: Generator, nimg: int) -> Path:
    """Write weights/kimg-N and samples/kimg-N.png; returns the weights' folder."""
    out, name = Path(config.out), f"kimg-{nimg / 1000:06.0f}"
    if config.snapshot_kimg < 1:
        name = f"kimg-{nimg / 1000:010.3f}"
    folder = out / "weights" / name
    (folder / "README.md").unlink(missing_ok=True)  # save_pretrained keeps a card that is there
    G_ema.save_pretrained(folder, model_card_kwargs={"summary": describe(config, dataset, nimg)})
    grid = sample_grid(G_ema)
    grid.save(folder / "samples.png")
    (out / "samples").mkdir(exist_ok=True)
    grid.save(out / "samples" / f"{name}.png")
    return folder


def open_repository(repo_id: str) -> None:
    """Create the repository unless it exists, so that a missing token shows before the training.

    Raises: ValueError with the Hub's reason.
    """
    try:
        HfApi().create_repo(repo_id, exist_ok=True)
    except (OSError, HfHubHTTPError, httpx.HTTPError) as e:
        raise ValueError(f"--push-to-hub {repo_id} cannot be written: {e}") from e


def push(repo_id: str, folder: Path, *, last: bool) -> None:
    """Upload a snapshot as one commit. Until the last one, a failure is told and does not stop."""
    try:
        message = f"Weights at {folder.name}"
        HfApi().upload_folder(repo_id=repo_id, folder_path=folder, commit_message=message)
    except (OSError, HfHubHTTPError, httpx.HTTPError) as e:
        if last:
            raise
        print(f"pushing to {repo_id} failed, the next snapshot tries again: {e}", file=sys.stderr)
