"""How real the discriminator of earlier weights finds each face of a dataset.

    python -m training.rank DATASET FOLDER_OR_REPO

Faces that it finds least real are often turned, cut, hidden or no faces at all; among those that it
finds most real are copies and whatever else the earlier set held too often. So both ends are worth
a look: the score "realness" goes into `dataset.json`, where the page of preprocessing.curate sorts
by it, and report.html shows both ends.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from huggingface_hub.errors import HfHubHTTPError
from PIL import Image
from torch import Tensor

from preprocessing.listing import read_listing, write_listing
from preprocessing.read import read_image
from preprocessing.report import write_report
from stylegan import Discriminator, DiscriminatorConfig
from stylegan.find import find_pretrained
from stylegan.images import from_uint8
from stylegan.layout import DISCRIMINATOR
from stylegan.tensors import read_tensors

BATCH, ROUNDS = 32, 4  # each round compares a face with others, and every second one is mirrored


def config_of(state: dict[str, Tensor]) -> DiscriminatorConfig:
    """The shape of a discriminator of pixels, by its tensors.

    Raises: ValueError if they are no such discriminator's.
    """
    convolutions = [re.fullmatch(r"b(\d+)\.conv0\.weight", name) for name in state]
    widths = {int(found[1]): len(state[found[0]]) for found in convolutions if found}
    if not widths or "b4.conv.weight" not in state:
        raise ValueError("it is no discriminator of pixels")
    widths[4] = len(state["b4.conv.weight"])
    r, c_dim = max(widths), 0
    if "mapping.embed.weight" in state:
        c_dim = state["mapping.embed.weight"].shape[1]
    return DiscriminatorConfig(
        img_resolution=r,
        img_channels=state[f"b{r}.fromrgb.weight"].shape[1],
        c_dim=c_dim,
        channel_base=max(r * width for r, width in widths.items()),
        channel_max=max(widths.values()),
        mapping_layers=sum(re.fullmatch(r"mapping\.fc\d+\.weight", n) is not None for n in state),
    )


def load_discriminator(folder_or_repo: str) -> Discriminator:
    """The one beside a generator's weights.

    Raises: ValueError or FileNotFoundError in one sentence if there is none of pixels.
    """
    path = find_pretrained(folder_or_repo, also=[DISCRIMINATOR]) / DISCRIMINATOR
    if not path.exists():
        raise FileNotFoundError(f"{folder_or_repo} has no {DISCRIMINATOR} to rank faces by")
    try:
        state = read_tensors(path)
        D = Discriminator(config_of(state))
        D.load_state_dict(state)
    except (ValueError, RuntimeError) as e:
        raise ValueError(f"{path} cannot rank faces: {str(e).splitlines()[0]}") from e
    return D.eval()


@torch.inference_mode()
def realness(D: Discriminator, img: Tensor) -> Tensor:
    """Mean logit of each picture (N, C, H, W) in [-1, 1] among random others: (N,)."""
    total, random = torch.zeros(len(img)), torch.Generator().manual_seed(0)
    c = torch.zeros(BATCH, D.config.c_dim) if D.config.c_dim else None
    for mirrored in [False, True] * (ROUNDS // 2):
        order = torch.randperm(len(img), generator=random)
        for part in order.split(BATCH):
            full = order[:BATCH].repeat(BATCH)[:BATCH].clone()  # the last batch is made whole
            full[: len(part)] = part
            batch = img[full].flip(3) if mirrored else img[full]
            total[part] += D(batch, c, label_weight=0.0)[: len(part), 0]
    return total / ROUNDS


def rank(folder: Path, D: Discriminator) -> int:
    """Give every face that a dataset lists its score, and return how many there are.

    Raises: ValueError in one sentence if the folder is no dataset or a face cannot be read.
    """
    listing = read_listing(folder)
    rows = [*listing.faces, *listing.rejected]
    if not rows:
        raise ValueError(f"{folder} lists no faces")
    size, grey = (D.config.img_resolution,) * 2, D.config.img_channels == 1
    img = np.empty((len(rows), *size, D.config.img_channels), np.uint8)
    for number, row in enumerate(rows):
        face = Image.fromarray(read_image(folder / row["file"])).convert("L" if grey else "RGB")
        img[number] = np.asarray(face.resize(size, Image.Resampling.BOX)).reshape(*size, -1)
    img = from_uint8(torch.from_numpy(img).permute(0, 3, 1, 2))
    for row, score in zip(rows, realness(D, img).tolist(), strict=True):
        row["scores"] = row.get("scores", {}) | {"realness": round(score, 3)}
    write_listing(folder, listing)
    write_report(folder)
    return len(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Rank as the command line says, or end with one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m training.rank", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("dataset", type=Path, help="folder that preprocessing.prepare wrote")
    parser.add_argument("weights", metavar="FOLDER_OR_REPO", help="with a discriminator")
    args = parser.parse_args(argv)
    try:
        count = rank(args.dataset, load_discriminator(args.weights))
    except (ValueError, OSError, HfHubHTTPError) as e:
        sys.exit(f"error: {e}")
    print(
        f"{count} faces ranked. Both ends are in {args.dataset / 'report.html'}; to decide, run "
        f"python -m preprocessing.curate {args.dataset} and sort by realness."
    )


if __name__ == "__main__":
    main()
