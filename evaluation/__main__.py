"""How good a generator is: `python -m evaluation FOLDER_OR_REPO --data FACES`.

Prints a table and writes `metrics.json` and `page.png` into a folder of evaluations/, or `--out`:
faces of the first seeds, drawn faces that come closest to a real one (above) with that one (below),
and the mixing grid.
With `--card` the figures also go into the folder of weights, for those who get it.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # see training/train.py

import numpy as np
import torch
import torch.nn.functional as F
from huggingface_hub.errors import HfHubHTTPError
from torch import Tensor

from evaluation.card import save_metrics, table, update_card
from evaluation.features import FeatureNetwork
from evaluation.grids import mixing_grid, save_picture
from evaluation.inception import check_inception, inception_distances
from evaluation.metrics import decibels, eq_r, eq_t, eq_t_frac
from evaluation.mixing import compare_blends
from evaluation.quality import Pictures, Reference, reference_for
from evaluation.sampling import BATCH, draw, styles
from preprocessing.listing import USEFUL
from stylegan import Generator
from stylegan.files import check_out, is_free
from stylegan.find import find_pretrained
from stylegan.images import image_grid, to_uint8
from stylegan.layout import METRICS
from stylegan.memory import keep_freed_memory
from stylegan.transforms import rotation, translation

NUM_MOVED, MOST_SHIFT = 1000, 0.125  # pictures whose equivariance is measured; sides of a picture
NUM_PATHS, STEP, TRIM = 200, 1e-4, 0.01  # of the path length
PAGE = "page.png"
SHOWN, GAP = 12, 8  # pictures in a row of the page; white pixels between its parts


@torch.inference_mode()
def equivariance(G: Generator) -> dict[str, float]:
    """EQ-T, EQ-T_frac and EQ-R of the first seeds, in decibels; moves are random, each time alike.

    Reference: Karras et al. 2021 (arXiv:2106.12423), App. E.
    """
    n, side, random = NUM_MOVED, G.img_resolution, np.random.default_rng(0)
    most, found = MOST_SHIFT * side, {"EQ-T": [], "EQ-T_frac": [], "EQ-R": []}
    shifts = torch.from_numpy(random.uniform(-most, most, (n, 2)))
    angles = torch.from_numpy(random.uniform(-np.pi, np.pi, n))

    def shifted(ws: Tensor, pixels: Tensor) -> Tensor:
        moves = [translation(right / side, down / side) for right, down in pixels.tolist()]
        return G.synthesis(ws, transform=torch.stack(moves))

    parts = (x.split(BATCH) for x in (styles(G, n), shifts, angles))
    for ws, shift, angle in zip(*parts, strict=True):
        img, whole = G.synthesis(ws), shift.round().long()
        turned = G.synthesis(ws, transform=torch.stack([rotation(a) for a in angle.tolist()]))
        found["EQ-T"].append(eq_t(img, shifted(ws, whole), whole))
        found["EQ-T_frac"].append(eq_t_frac(img, shifted(ws, shift), shift))
        found["EQ-R"].append(eq_r(img, turned, angle))
    return {name: decibels(errors) for name, errors in found.items()}


@torch.inference_mode()
def path_length(G: Generator, network: FeatureNetwork) -> float:
    """How far the picture moves per squared step in W, between the features of all its places.

    In each layer the features of a place are brought to length 1, then squared differences are
    summed and averaged over places. The smallest and largest hundredth do not count.

    Reference: Karras et al. 2019 (arXiv:1812.04948), Sec. 4.1, with other features.
    """
    n, lengths = NUM_PATHS, []
    ws = styles(G, 2 * n)
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
    """Scores of all ways to blend or, as `problem`, why there are none."""
    if G.c_dim:
        return {"problem": "a generator with labels has no one space W in which to mix"}
    if len(reference.names) < 2:
        return {"problem": "there is one kind of faces only"}
    try:
        return compare_blends(G, reference, samples)
    except ValueError as e:
        return {"problem": str(e)}


def evaluate(
    G: Generator, reference: Reference, samples: int, inception: str | None = None
) -> dict[str, object]:
    """All figures, as `metrics.json` has them."""
    fake = reference.look_at(draw(G, samples))
    figures = reference.judge(fake) | {"path length": path_length(G, reference.taught)}
    if G.config.generation == 3:  # StyleGAN2 has no transform
        figures |= equivariance(G)
    if inception:
        figures |= inception_distances(reference.reals.img, fake.img, inception)
    return figures | {"mixing": mixing(G, reference, samples)}


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


def own_folder(out: str | None, weights: str, data: str) -> Path:
    """Where the files go: a folder that is new, empty or of an earlier measurement of the same.

    Raises: ValueError naming what else it holds.
    """
    if out is None:
        out = f"evaluations/{re.sub(r'[^a-zA-Z0-9.]+', '-', weights).strip('-.') or 'here'}"
    folder = check_out(out, data)
    if is_free(folder):
        return folder
    others = sorted({path.name for path in folder.iterdir()} - {METRICS, PAGE})
    if others:
        raise ValueError(f"--out {out} holds {others[0]}; name a new folder")
    try:
        found = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        measured = found["weights"], found["data"]
    except (ValueError, TypeError, KeyError, FileNotFoundError):
        return folder  # cut short or damaged: nothing to lose
    if measured != (weights, data):
        raise ValueError(f"--out {out} holds the figures of {measured[0]}; name a new folder")
    return folder


def for_others(figures: dict[str, object]) -> dict[str, object]:
    """As a card tells them: of what lies here the name, without the path of this machine."""
    paths = {name: Path(figures[name]).resolve() for name in ("weights", "data")}
    return figures | {name: path.name for name, path in paths.items() if path.exists()}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure as the command line says, or end with one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("weights", metavar="FOLDER_OR_REPO", help="weights of a generator")
    parser.add_argument(
        "--data", required=True, help="real faces: a folder, a zip or a data set of the Hub"
    )
    parser.add_argument("--samples", type=int, default=1000, help="faces to draw (default: 1000)")
    parser.add_argument("--out", help="folder for the files (default: one in evaluations/)")
    parser.add_argument(
        "--card", action="store_true", help="also write the figures into FOLDER and its README.md"
    )
    parser.add_argument(
        "--inception", metavar="FILE", help="FID and KID too, with torch-fidelity and these weights"
    )
    args = parser.parse_args(argv)
    if args.card and not Path(args.weights).is_dir():
        parser.error(f"--card is for a folder of weights, and {args.weights} is none")
    if args.samples < USEFUL:
        parser.error(f"--samples must be at least {USEFUL}")
    keep_freed_memory()
    try:
        out = own_folder(args.out, args.weights, args.data)
        if args.inception:
            check_inception(args.inception)
        folder = find_pretrained(args.weights)
        G = Generator.from_pretrained(folder)
        print("looking at the real faces", file=sys.stderr)
        reference = reference_for(G, args.data)
        for sentence in reference.warnings():
            print(sentence, file=sys.stderr)
        print(
            f"drawing {args.samples} faces and measuring them, which takes minutes", file=sys.stderr
        )
        figures = {"weights": args.weights, "data": args.data}
        figures |= evaluate(G, reference, args.samples, args.inception)
        print(table(figures))
        fake = reference.look_at(draw(G, 4 * SHOWN))
        out.mkdir(parents=True, exist_ok=True)
        save_metrics(figures, out)
        save_picture(page(G, reference, fake), out / PAGE)
        if args.card:
            save_metrics(for_others(figures), folder)
            update_card(figures, folder)
    except (ValueError, OSError, HfHubHTTPError) as e:
        sys.exit(f"error: {e}")
    except KeyboardInterrupt:
        sys.exit("stopped before all was measured and written")


if __name__ == "__main__":
    main()
