"""What a run leaves behind for others: weights with their card, and pictures."""

import copy
import hashlib
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import nn

from evaluation.card import save_metrics
from evaluation.dataset import ImageDataset
from evaluation.grids import mixing_grid, sample_grid, save_picture
from preprocessing.read import readable
from stylegan import Generator
from stylegan.domains import Domain, save_domains
from stylegan.files import older_of, sync, write_whole
from stylegan.layout import CARD, CONFIG, DISCRIMINATOR, WEIGHTS
from training.card import MIXING, SAMPLES, card_text
from training.config import TrainConfig

SUMS = "SHA256SUMS"  # as `sha256sum -c` reads it

RUN_CARD = """\
# A training run of StyleGAN PlayGround

    python training/train.py {command}

on {num_pictures} pictures of {resolution} px: {labels}. The same command goes on where it stopped.

| here | what it is |
| --- | --- |
| `config.json` | every setting, also those left out of the command |
| `log.jsonl` | a line per report: losses, logits, signs per sub-folder, R1, augmentation, speed |
| `history.jsonl` | a line per snapshot or measurement: images shown, grid of samples, figures |
| `samples/kimg-N.png` | the same seeds at every one of them, not truncated |
| `samples/kimg-N-mix.png` | a row of faces, a column of faces, every crossing half of each |
| `best/` | a link to the weights that measured best, with `metrics.json`; `cp -rL` copies them |
| `weights/kimg-N/` | the averaged generator, to load and, without labels, to show with \
`app.py --model`; the discriminator beside it is for `--init-from` |
| `state/` | what the run goes on from; can go when it is over |
"""


def typed(argument: str) -> str:
    """An argument as it is typed in a shell; bytes that are no UTF-8 as bash takes them."""
    text = readable(argument)
    if text == argument:
        return shlex.quote(text)
    return "$'" + text.replace("'", "\\'") + "'"


def save_run_card(config: TrainConfig, dataset: ImageDataset) -> None:
    """Write the run folder's README.md, unless somebody wrote into it."""
    start, _, rest = RUN_CARD.partition("{command}")
    labels = ", ".join(dataset.labels)
    end = rest.format(num_pictures=len(dataset), resolution=dataset.resolution, labels=labels)
    path = Path(config.out) / CARD
    found = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if not found or (found.startswith(start) and found.endswith(end)):
        write_whole(path, start + " ".join(map(typed, sys.argv[1:])) + end)


def with_full_labels(G: Generator, label_weight: float) -> Generator:
    """One that draws with labels of weight 1 what G draws with labels of `label_weight`."""
    if not G.c_dim or label_weight == 1:
        return G
    G = copy.deepcopy(G)
    with torch.no_grad():
        G.mapping.fc0.weight[:, G.z_dim :] *= label_weight
    return G


def name_at(config: TrainConfig, nimg: int) -> str:
    """Of what belongs to a moment of the run: whole kimg if the flags ask for no other ones, but
    with digits between them, as when the run is stopped."""
    often = config.snapshot_kimg, config.eval_kimg, config.total_kimg
    whole = all(kimg % 1 == 0 for kimg in often) and nimg % 1000 < config.batch
    return f"kimg-{nimg / 1000:06.0f}" if whole else f"kimg-{nimg / 1000:010.3f}"


def save_pictures(config: TrainConfig, G: Generator, nimg: int) -> dict[str, np.ndarray]:
    """Write the grids "samples" and "mix" into samples/ and return them, uint8 (H, W, 3)."""
    folder, name = Path(config.out) / "samples", name_at(config, nimg)
    pictures = {"samples": sample_grid(G), "mix": mixing_grid(G)}
    folder.mkdir(exist_ok=True)
    save_picture(pictures["samples"], folder / f"{name}.png")
    save_picture(pictures["mix"], folder / f"{name}-mix.png")
    return pictures


def save_weights(
    config: TrainConfig,
    dataset: ImageDataset,
    G: Generator,
    D: nn.Module,
    nimg: int,
    folder: Path,
    figures: dict[str, object],
    domains: Sequence[Domain] = (),
) -> None:
    """Write a folder of weights, whole or not at all, in place of an older one of that name.

    Raises: OSError naming the folder and why it cannot be saved.
    """
    new = folder.parent / f".{folder.name}.new"
    shutil.rmtree(new, ignore_errors=True)  # of a run that was killed
    weights = {name: x.contiguous() for name, x in D.state_dict().items()}
    samples, name = Path(config.out) / "samples", name_at(config, nimg)
    try:
        new.mkdir(parents=True)
        write_whole(new / CARD, card_text(config, dataset, G, nimg, figures))
        G.save_pretrained(new)
        write_whole(new / DISCRIMINATOR, save(weights))
        if figures:
            save_metrics(figures, new)
        if domains:
            save_domains(domains, new)
        shutil.copy(samples / f"{name}.png", new / SAMPLES)
        shutil.copy(samples / f"{name}-mix.png", new / MIXING)
        names = [CONFIG, WEIGHTS, DISCRIMINATOR, SAMPLES, MIXING]
        write_whole(new / SUMS, "".join(f"{sum_of(new / name)}  {name}\n" for name in names))
        sync(path for path in new.rglob("*") if path.is_file())
    except (OSError, SafetensorError) as e:
        shutil.rmtree(new, ignore_errors=True)
        raise OSError(
            f"{folder} cannot be saved: {e}; "
            "once it can, the same command goes on from the state before it"
        ) from e
    replace(new, folder)


def sum_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace(new: Path, folder: Path) -> None:
    """Put a folder in the place of an older one; `restore` mends a kill between the two steps."""
    restore(folder)
    old = older_of(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(new, folder)
    shutil.rmtree(old, ignore_errors=True)


def restore(folder: Path) -> None:
    """Put the older folder of that name back if a run was killed while it was replaced."""
    old = older_of(folder)
    if old.exists() and not folder.exists():
        os.replace(old, folder)
