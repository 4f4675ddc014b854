"""How good a generator is: `python -m training.evaluate FOLDER_OR_REPO --data FACES`.

Prints a table and writes, into `--out`, `metrics.json` and `page.png`: faces of the first seeds,
drawn faces that come closest to a real one (above) with that one (below), and the mixing grid.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # see training/train.py

import numpy as np
import torch
import torch.nn.functional as F
from huggingface_hub.errors import HfHubHTTPError
from PIL import Image
from torch import Tensor

from stylegan import Generator
from stylegan.images import image_grid, to_uint8
from stylegan.latents import sample_z
from stylegan.memory import keep_freed_memory
from stylegan.transforms import rotation, translation
from training.data import ImageDataset
from training.features import FeatureNetwork
from training.metrics import eq_r, eq_t
from training.mixing import BATCH, compare_blends, synthesize
from training.quality import ALL, COPY, Figure, Pictures, Reference
from training.snapshot import mixing_grid

NUM_MOVED, MOST_SHIFT = 100, 0.125  # pictures whose equivariance is measured; sides of a picture
NUM_PATHS, STEP, TRIM = 200, 1e-4, 0.01  # of the path length
SHOWN, GAP = 12, 8  # pictures in a row of the page; white pixels between its parts


def labels_of(G: Generator, n: int) -> Tensor | None:
    """Labels in turns, one-hot (n, c_dim), for a generator that needs them."""
    return F.one_hot(torch.arange(n) % G.c_dim, G.c_dim).float() if G.c_dim else None


@torch.inference_mode()
def draw(G: Generator, n: int) -> Tensor:
    """The first n seeds, not truncated: (n, 3, H, H) in [-1, 1]."""
    return synthesize(G, G.mapping(sample_z(range(n), G.z_dim), labels_of(G, n)))


@torch.inference_mode()
def equivariance(G: Generator) -> dict[str, float]:
    """EQ-T and EQ-R of the first seeds, in decibels; moves are drawn at random, each time alike.

    Reference: Karras et al. 2021 (arXiv:2106.12423), App. E.
    """
    n, side, random = NUM_MOVED, G.img_resolution, np.random.default_rng(0)
    ws = G.mapping(sample_z(range(n), G.z_dim), labels_of(G, n))
    shifts = np.rint(random.uniform(-MOST_SHIFT, MOST_SHIFT, (n, 2)) * side).astype(int)
    angles = random.uniform(-np.pi, np.pi, n)

    def drawn(transforms: list[Tensor]) -> Tensor:
        moves = torch.stack(transforms).split(BATCH)
        parts = zip(ws.split(BATCH), moves, strict=True)
        return torch.cat([G.synthesis(part, transform=move) for part, move in parts])

    img = torch.cat([G.synthesis(part) for part in ws.split(BATCH)])
    shifted = drawn([translation(right / side, down / side) for right, down in shifts.tolist()])
    turned = drawn([rotation(angle) for angle in angles.tolist()])
    return {
        "EQ-T": eq_t(img, shifted, torch.from_numpy(shifts)),
        "EQ-R": eq_r(img, turned, torch.from_numpy(angles)),
    }


@torch.inference_mode()
def path_length(G: Generator, network: FeatureNetwork) -> float:
    """How far the picture moves per squared step in W, between the features of all its places.

    In each layer the features of a place are brought to length 1, then squared differences are
    summed and averaged over places. The smallest and largest hundredth do not count.

    Reference: Karras et al. 2019 (arXiv:1812.04948), Sec. 4.1, with other features.
    """
    n, lengths = NUM_PATHS, []
    ws = G.mapping(sample_z(range(2 * n), G.z_dim), labels_of(G, 2 * n))
    share = torch.from_numpy(np.random.default_rng(0).random((n, 1, 1))).float()
    starts, ends = (torch.lerp(ws[:n], ws[n:], share + step) for step in (0, STEP))
    for pair in zip(starts.split(BATCH), ends.split(BATCH), strict=True):
        before, after = (network.maps(G.synthesis(part)) for part in pair)
        layers = zip(before, after, strict=True)
        moved = [(F.normalize(b) - F.normalize(a)).square().sum(dim=1) for b, a in layers]
        lengths.append(sum(m.mean(dim=(1, 2)) for m in moved) / STEP**2)
    lengths = torch.cat(lengths).float()
    low, high = lengths.quantile(torch.tensor([TRIM, 1 - TRIM]))
    return lengths[(lengths >= low) & (lengths <= high)].mean().item()


def mixing(G: Generator, reference: Reference, samples: int) -> dict[str, object]:
    """Scores of both ways to blend or, as `problem`, why there are none."""
    if G.c_dim:
        return {"problem": "a generator with labels has no one space W in which to mix"}
    if len(reference.names) < 2:
        return {"problem": "there is one kind of faces only"}
    try:
        return compare_blends(G, reference, samples)
    except ValueError as e:
        return {"problem": str(e)}


def evaluate(G: Generator, reference: Reference, samples: int) -> dict[str, object]:
    """All figures, as `metrics.json` has them."""
    fake = reference.look_at(draw(G, samples))
    labels = reference.classifier.labels(fake.taught)
    shares = labels.bincount(minlength=len(reference.names)) / samples
    _, closeness = reference.nearest(fake)
    return {
        "samples": samples,
        "features": reference.features_name,
        "distances": {
            group: {name: figure._asdict() for name, figure in figures.items()}
            for group, figures in reference.compare(fake).items()
        },
        "shares": dict(zip(reference.names, shares.tolist(), strict=True)),
        "nearest real": closeness.median().item(),
        "as close as a copy": (closeness < COPY).float().mean().item(),
        "path length": path_length(G, reference.taught),
        **equivariance(G),
        "mixing": mixing(G, reference, samples),
    }


def table(metrics: dict[str, object]) -> str:
    """A row per figure; value and floor of each group side by side."""
    distances = metrics["distances"]
    lines = [f"{'':26}" + "".join(f"{group:>14}{'floor':>10}" for group in distances)]
    for name in distances[ALL]:
        figures = [Figure(**group[name]) for group in distances.values()]
        lines.append(f"{name:26}" + "".join(f"{f.value:14.4f}{f.floor:10.4f}" for f in figures))
    for name, value in metrics.items():
        if isinstance(value, float):
            lines.append(f"{name:26}{value:14.4f}")
    lines += [f"{'share of ' + name:26}{share:14.4f}" for name, share in metrics["shares"].items()]
    for name, scores in metrics["mixing"].items():
        if name == "problem":
            lines.append(f"mixing not measured: {scores}")
        else:
            lines.append(f"mixing, {name}: " + ", ".join(f"{k} {v:.3f}" for k, v in scores.items()))
    return "\n".join(lines)


def page(G: Generator, reference: Reference, fake: Pictures) -> np.ndarray:
    """The pictures that go with the figures, uint8 (H, W, 3)."""
    index, closeness = reference.nearest(fake)
    closest = closeness.argsort()[:SHOWN]
    pairs = torch.cat([fake.img[closest], reference.reals.img[index[closest]]])
    samples = image_grid(to_uint8(fake.img[: 4 * SHOWN]), SHOWN)
    parts = [samples, image_grid(to_uint8(pairs), SHOWN), mixing_grid(G)]
    width = max(part.shape[1] for part in parts)
    rows = []
    for part in parts:
        rows.append(
            np.pad(part, [(0, GAP), (0, width - part.shape[1]), (0, 0)], constant_values=255)
        )
    return np.concatenate(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure as the command line says, or end with one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("weights", metavar="FOLDER_OR_REPO", help="a generator's")
    parser.add_argument("--data", required=True, help="folder of sub-folders of real faces")
    parser.add_argument("--samples", type=int, default=1000, help="faces to draw (default: 1000)")
    parser.add_argument("--out", type=Path, default=Path("evaluation"), help="folder for the files")
    args = parser.parse_args(argv)
    if args.samples < NUM_MOVED:
        parser.error(f"--samples must be at least {NUM_MOVED}")
    keep_freed_memory()
    try:
        G = Generator.from_pretrained(args.weights)
        dataset = ImageDataset(args.data)
        if dataset.resolution != G.img_resolution:
            raise ValueError(
                f"{args.weights} draws {G.img_resolution} pixels and the pictures of {args.data} "
                f"have {dataset.resolution}; prepare them with --size {G.img_resolution}"
            )
        reference = Reference(dataset)
    except (ValueError, OSError, HfHubHTTPError) as e:
        sys.exit(f"error: {e}")
    metrics = evaluate(G, reference, args.samples)
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"weights": args.weights, "data": args.data} | metrics, indent=1)
    (args.out / "metrics.json").write_text(text + "\n", encoding="utf-8")
    fake = reference.look_at(draw(G, 4 * SHOWN))
    Image.fromarray(page(G, reference, fake)).save(args.out / "page.png")
    print(table(metrics))


if __name__ == "__main__":
    main()
