"""What each figure of quality sees and misses: `python -m benchmarks.metrics --data FACES`.

Compares with the reals what the weights draw, and the same spoiled in ways that a person would
notice: blurred, bent, noisy, of one sub-folder only. The floor is half of the reals against the
other half, as good as can be; and the reals are returned as if they had been drawn, which nobody
should want. The table is printed and written as JSON beside a picture of what was drawn.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from benchmarks.machine import machine, report_file, save_json
from evaluation.dataset import ImageDataset
from evaluation.features import features_of
from evaluation.quality import COPY, SPLITS, Figure, Reference, score
from evaluation.sampling import draw
from stylegan import Generator
from stylegan.images import image_grid, to_uint8
from stylegan.memory import keep_freed_memory

BLUR, BENT, NOISE = 1.0, 1.5, 0.15  # standard deviations: pixels twice; of the range [-1, 1]
APART = 8  # pixels between places that are bent independently
SHOWN = 12
FLOOR, COPIES, RETURNED = "floor", "as close as a copy", "reals returned"


def blurred(img: Tensor) -> Tensor:
    """Gaussian, `BLUR` pixels wide."""
    taps = torch.exp(-(torch.arange(-4, 5) ** 2) / (2 * BLUR**2))
    taps = (taps.outer(taps) / taps.sum() ** 2).expand(img.shape[1], 1, 9, 9)
    return F.conv2d(F.pad(img, [4] * 4, mode="reflect"), taps, groups=img.shape[1])


def bent(img: Tensor, pixels: float = BENT) -> Tensor:
    """Each place moved at random by so many pixels, places near each other nearly alike."""
    n, _, height, width = img.shape
    random, size = torch.Generator().manual_seed(0), (height // APART, width // APART)
    moves = torch.randn(n, 2, *size, generator=random)
    moves = F.interpolate(moves, size=(height, width), mode="bicubic", align_corners=False)
    moves *= 2 * pixels / (width * moves.std())
    still = F.affine_grid(torch.eye(2, 3).expand(n, 2, 3), list(img.shape), align_corners=False)
    grid = still + moves.permute(0, 2, 3, 1)
    how = dict(mode="bicubic", padding_mode="reflection", align_corners=False)
    return F.grid_sample(img, grid, **how).clamp(-1, 1)


def sets(reference: Reference, weights: Sequence[str], samples: int) -> dict[str, Tensor]:
    """Images (N, 3, H, H) by what they are."""
    drawn = {name: draw(Generator.from_pretrained(name), samples) for name in weights}
    img = next(iter(drawn.values()))
    label = reference.classifier.labels(features_of(reference.taught, img))
    noise = NOISE * torch.randn(img.shape, generator=torch.Generator().manual_seed(0))
    labels = list(range(len(reference.names)))
    returned, _ = reference.halves(labels, samples, split=SPLITS)  # another one than is measured
    return {
        **drawn,
        "blurred": blurred(img),
        "bent": bent(img),
        "noisy": (img + noise).clamp(-1, 1),
        f"only {reference.names[0]}": img[label == 0],
        RETURNED: reference.reals.img[returned],
    }


def table(sets: dict[str, dict[str, float]]) -> str:
    """A row per figure, a column per set."""
    lines = [f"{'':26}" + "".join(f"{name[-16:]:>18}" for name in sets)]
    for figure in sets[FLOOR]:
        values = "".join(f"{found[figure]:18.4f}" for found in sets.values())
        lines.append(f"{figure:26}{values}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write the files, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--data", required=True, help="folder of sub-folders of faces")
    parser.add_argument("--weights", nargs="+", default=["weights/faces-64"])
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--out", type=report_file, default=Path("benchmarks/results/metrics.json"))
    args = parser.parse_args(argv)
    keep_freed_memory()
    reference = Reference(ImageDataset(args.data))
    everything, rows, results = list(range(len(reference.names))), [], {}
    for name, img in sets(reference, args.weights, args.samples).items():
        pictures = reference.look_at(img)
        figures = reference.compare_with(pictures, everything)
        _, closeness = reference.nearest(pictures)
        copies = (closeness < COPY).double().mean().item()
        floors = {k: Figure(figure.floor, figure.floor) for k, figure in figures.items()}
        for column, found, share in ((FLOOR, floors, 0.0), (name, figures, copies)):
            values = {k: figure.value for k, figure in found.items()}
            results[column] = {"score": score(found, share), COPIES: share, **values}
        rows += [img[:SHOWN]] if name != RETURNED else []
    save_json({"machine": machine(), "samples": args.samples, "sets": results}, args.out)
    print(table(results))
    grid = image_grid(to_uint8(torch.cat(rows)), SHOWN)
    Image.fromarray(grid).save(args.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
