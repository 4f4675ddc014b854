"""What a run leaves behind for others: weights with their card, pictures, a Hub repository."""

import copy
import os
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import httpx
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from stylegan import Discriminator, Generator
from stylegan.images import image_grid, to_uint8
from stylegan.latents import blend, sample_z
from training.config import TrainConfig
from training.data import ImageDataset

DISCRIMINATOR = "discriminator.safetensors"  # for training to begin with
NUM_COLUMNS, NUM_ROWS = 8, 4  # of the sample grid
NUM_PARENTS, PARENTS_B, PSI = 7, 1000, 0.7  # of the mixing grid; first seed of its column

RUN_CARD = """\
# A training run of StyleGAN PlayGround

    accelerate launch training/train.py {command}

on {num_pictures} pictures of {resolution} px: {labels}. The same command goes on where it stopped.

| here | what it is |
| --- | --- |
| `config.json` | every setting, also those left out of the command |
| `log.jsonl` | a line per report: losses, logits, signs per sub-folder, R1, augmentation, speed |
| `samples/kimg-N.png` | the same seeds at every snapshot, not truncated |
| `samples/kimg-N-mix.png` | a row of faces, a column of faces, every crossing half of each |
| `weights/kimg-N/` | the averaged generator, to load and, without labels, to show with \
`app.py --model`; the discriminator beside it is for `--init-from` |
| `state/` | what the run goes on from; can go when it is over |
"""


def describe(config: TrainConfig, dataset: ImageDataset, nimg: int) -> str:
    """What the weights are and how they came about, for their card."""
    resolution = dataset.resolution
    start = f", beginning with {config.init_from}" if config.init_from else ""
    return (
        f"Config {config.config.upper()}, {resolution}x{resolution} pixels, "
        f"{config.num_layers} layers, channel base {config.channel_base}, channel max "
        f"{config.channel_max}. Trained for {nimg / 1000:g} thousand images (batch {config.batch}, "
        f"R1 gamma {config.r1_gamma(resolution):g}) on {len(dataset)} pictures of: "
        f"{', '.join(dataset.labels)}{start}. These are the averaged weights (G_ema)."
    )


def save_run_card(config: TrainConfig, dataset: ImageDataset) -> None:
    """Write the run folder's README.md."""
    text = RUN_CARD.format(
        command=shlex.join(sys.argv[1:]),
        num_pictures=len(dataset),
        resolution=dataset.resolution,
        labels=", ".join(dataset.labels),
    )
    (Path(config.out) / "README.md").write_text(text, encoding="utf-8")


def _styles(G: Generator, seeds: range, labels: list[int], weight: float, psi: float) -> Tensor:
    """ws (len(seeds), num_ws, w_dim); labels take turns."""
    device = G.mapping.w_avg.device
    z, c = sample_z(seeds, G.z_dim).to(device), None
    if G.c_dim:
        turns = torch.tensor([labels[i % len(labels)] for i in range(len(seeds))], device=device)
        c = torch.nn.functional.one_hot(turns, G.c_dim).float()
    return G.mapping(z, c, truncation_psi=psi, label_weight=weight)


@torch.no_grad()
def sample_grid(G: Generator, label_weight: float = 1.0) -> np.ndarray:
    """The first seeds, not truncated, uint8 (H, W, 3); labels take turns."""
    labels = list(range(G.c_dim))
    ws = _styles(G, range(NUM_COLUMNS * NUM_ROWS), labels, label_weight, 1.0)
    img = torch.cat([G.synthesis(row) for row in ws.split(NUM_COLUMNS)])
    return image_grid(to_uint8(img), NUM_COLUMNS)


@torch.no_grad()
def mixing_grid(G: Generator, label_weight: float = 1.0) -> np.ndarray:
    """Faces A in the first row, B in the first column, halfway faces between; uint8 (H, W, 3).

    With labels, A have the first and B the last.
    """
    ws_a = _styles(G, range(NUM_PARENTS), [0], label_weight, PSI)
    seeds_b = range(PARENTS_B, PARENTS_B + NUM_PARENTS)
    ws_b = _styles(G, seeds_b, [G.c_dim - 1], label_weight, PSI)
    rows = [torch.cat([torch.full_like(G.synthesis(ws_a[:1]), 1.0), G.synthesis(ws_a)])]
    for w in ws_b.split(1):
        rows.append(G.synthesis(torch.cat([w, blend(ws_a, w.expand_as(ws_a), 0.5)])))
    return image_grid(to_uint8(torch.cat(rows)), NUM_PARENTS + 1)


def _with_full_labels(G: Generator, label_weight: float) -> Generator:
    """One that draws with labels of weight 1 what G draws with labels of `label_weight`."""
    if not G.c_dim or label_weight == 1:
        return G
    G = copy.deepcopy(G)
    with torch.no_grad():
        G.mapping.fc0.weight[:, G.z_dim :] *= label_weight
    return G


def save_snapshot(
    config: TrainConfig, dataset: ImageDataset, G_ema: Generator, D: Discriminator, nimg: int
) -> tuple[Path, dict[str, np.ndarray]]:
    """Write weights/kimg-N, whole or not at all, and samples/.

    Returns the weights' folder, and the grids, uint8 (H, W, 3), "samples" and "mix".
    """
    out, name = Path(config.out), f"kimg-{nimg / 1000:06.0f}"
    if config.snapshot_kimg % 1 or config.total_kimg % 1:
        name = f"kimg-{nimg / 1000:010.3f}"
    weight = config.label_weight(nimg)
    pictures = {"samples": sample_grid(G_ema, weight), "mix": mixing_grid(G_ema, weight)}
    (out / "samples").mkdir(exist_ok=True)
    Image.fromarray(pictures["samples"]).save(out / "samples" / f"{name}.png")
    Image.fromarray(pictures["mix"]).save(out / "samples" / f"{name}-mix.png")
    folder, new = out / "weights" / name, out / "weights" / ".new"
    for leftover in (new, folder):  # of a run that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    summary = {"summary": describe(config, dataset, nimg)}
    _with_full_labels(G_ema, weight).save_pretrained(new, model_card_kwargs=summary)
    weights = {name: x.contiguous() for name, x in D.state_dict().items()}
    save_file(weights, new / DISCRIMINATOR)
    shutil.copy(out / "samples" / f"{name}.png", new / "samples.png")
    os.replace(new, folder)
    return folder, pictures


def open_repository(repo_id: str) -> None:
    """Create the repository unless it exists, so that a missing token shows before the training.

    Raises: ValueError with the Hub's reason.
    """
    try:
        HfApi().create_repo(repo_id, exist_ok=True)
    except (OSError, HfHubHTTPError, httpx.HTTPError) as e:
        raise ValueError(f"--push-to-hub {repo_id} cannot be written: {e}") from e


def push(repo_id: str, folder: Path, *, last: bool) -> None:
    """Upload a snapshot as one commit. Until the last one, a failure is told and does not stop.

    Raises: OSError saying what to type if the last one failed.
    """
    try:
        message = f"Weights at {folder.name}"
        HfApi().upload_folder(repo_id=repo_id, folder_path=folder, commit_message=message)
    except (OSError, HfHubHTTPError, httpx.HTTPError) as e:
        if last:
            raise OSError(
                f"pushing to {repo_id} failed: {e}; try again with: hf upload {repo_id} {folder} ."
            ) from e
        print(f"pushing to {repo_id} failed, the next snapshot tries again: {e}", file=sys.stderr)
