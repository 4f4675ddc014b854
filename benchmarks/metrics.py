"""What each figure of quality sees and misses: `python -m benchmarks.metrics --data FACES`.

Compares with the reals what the weights draw, and the same spoiled in ways that a person would
notice: blurred, noisy, of one sub-folder only. And it lets the reals themselves pass for drawn
ones: half of them, which is as good as can be, and the very pictures that they are compared with,
which nobody should want. The table is printed and written as JSON beside a picture of all sets.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from benchmarks.machine import machine, save_json
from stylegan import Generator
from stylegan.images import image_grid, to_uint8
from stylegan.memory import keep_freed_memory
from training.data import ImageDataset
from training.evaluate import draw
from training.quality import Reference

BLUR, NOISE = 1.0, 0.15  # standard deviations: pixels; of the range [-1, 1]
SHOWN = 12


def blurred(img: Tensor) -> Tensor:
    """Gaussian, `BLUR` pixels wide."""
    taps = torch.exp(-(torch.arange(-4, 5) ** 2) / (2 * BLUR**2))
    taps = (taps.outer(taps) / taps.sum() ** 2).expand(img.shape[1], 1, 9, 9)
    return F.conv2d(F.pad(img, [4] * 4, mode="reflect"), taps, groups=img.shape[1])


def sets(reference: Reference, weights: Sequence[str], samples: int) -> dict[str, Tensor]:
    """Images (N, 3, H, H) by what they are."""
    drawn = {name: draw(Generator.from_pretrained(name), samples) for name in weights}
    img = next(iter(drawn.values()))
    label = reference.classifier.labels(reference.look_at(img).taught)
    noise = NOISE * torch.randn(img.shape, generator=torch.Generator().manual_seed(0))
    shuffled = torch.randperm(len(reference.reals.img), generator=torch.Generator().manual_seed(9))
    return {
        "real": reference.reals.img[shuffled[:samples]],
        **drawn,
        "blurred": blurred(img),
        "noisy": (img + noise).clamp(-1, 1),
        f"only {reference.names[0]}": img[label == 0],
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write the files, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--data", required=True, help="folder of sub-folders of faces")
    parser.add_argument("--weights", nargs="+", default=["weights/faces-64"])
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/metrics.json"))
    args = parser.parse_args(argv)
    keep_freed_memory()
    reference = Reference(ImageDataset(args.data))
    results, rows = {}, []
    for name, img in sets(reference, args.weights, args.samples).items():
        pictures = reference.look_at(img)
        results[name] = reference.judge(pictures)
        rows.append(img[:SHOWN])
        print(name, {k: round(v, 4) for k, v in results[name].items()}, flush=True)
    save_json({"machine": machine(), "samples": args.samples, "sets": results}, args.out)
    grid = image_grid(to_uint8(torch.cat(rows)), SHOWN)
    Image.fromarray(grid).save(args.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
