"""Which kinds of faces a generator draws, and which seeds draw them best.

    python -m evaluation.catalogue WEIGHTS --data FACES

writes `domains.json` into the folder of weights, for `stylegan.domains.load_domains`: for every
sub-folder of FACES the mean of the latents whose faces look like it (its centre), their share of
all, their seeds, best face first, and how much the face of any latent looks like it; and
`domains.jpg`, the best and the worst 32 of each.

A face is good where real faces of its kind are near: its distance to the fifth nearest, in the
features that see shapes and in those that see colours; the two ranks count alike.

Where the generator draws by label, a kind's seeds are those that were drawn with its label.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # see training/train.py

import numpy as np
import torch
from torch import Tensor

from evaluation.distances import NEIGHBOURS
from evaluation.grids import save_picture
from evaluation.kinds import Kinds, kinds
from evaluation.looks import looks_of_mixes
from evaluation.quality import Pictures, Reference, reference_for
from stylegan import Generator
from stylegan.domains import Domain, save_domains
from stylegan.images import image_grid, to_uint8
from stylegan.memory import keep_freed_memory

SEEDS = 1000  # that are drawn
SHOWN, COLUMNS = 32, 16  # best and worst of each kind on the picture


def ranks(x: Tensor) -> Tensor:
    """0, 1, ... in the order of size along the last axis."""
    return x.argsort(dim=-1).argsort(dim=-1).double()


def best_first(fake: Pictures, real: Pictures) -> Tensor:
    """Indices of the fakes (N,) by their nearness to reals, in features of three networks alike."""
    places = torch.zeros(len(fake.img), dtype=torch.float64)
    for name in ("taught", "random", "details"):
        f, r = getattr(fake, name), getattr(real, name)
        places += ranks(torch.cdist(f, r).kthvalue(NEIGHBOURS, dim=1).values)
    return places.argsort()


def catalogue(found: Kinds, reference: Reference, looks: Tensor | None = None) -> list[Domain]:
    """The kinds, as `domains.json` has them; `looks` are those of evaluation.looks."""
    domains = []
    for label, name in enumerate(reference.names):
        seeds = (found.labels == label).nonzero().squeeze(1)
        reals = reference.reals.rows(reference.labels == label)
        seeds = seeds[best_first(found.pictures.rows(seeds), reals)]
        scores = found.probabilities[seeds, label].tolist()
        share = (found.probabilities.argmax(dim=1) == label).double().mean().item()
        places = dict(centre=found.centres[label], look=None if looks is None else looks[label])
        listed = dict(seeds=seeds.tolist(), scores=scores)
        domains.append(Domain(name, share=share, level=reference.level, **places, **listed))
    return domains


def picture(domains: list[Domain], img: Tensor) -> np.ndarray:
    """The best and then the worst of each kind; img (N, 3, H, H), one per seed."""
    rows = []
    for domain in domains:
        seeds = torch.tensor(domain.seeds)
        for some in (seeds[:SHOWN], seeds[-SHOWN:]):
            faces = img[some]
            rows.append(torch.cat([faces, faces.new_ones(SHOWN - len(faces), *img.shape[1:])]))
    return image_grid(to_uint8(torch.cat(rows)), COLUMNS)


def write_catalogue(G: Generator, reference: Reference, folder: Path) -> None:
    """Write domains.json and domains.jpg.

    Raises: ValueError if G has other labels, or no drawn face looks like one of the sub-folders;
    OSError naming what cannot be written.
    """
    found = kinds(G, reference, SEEDS)
    domains = catalogue(found, reference, looks_of_mixes(G, reference, found))
    save_domains(domains, folder)
    save_picture(picture(domains, found.pictures.img), folder / "domains.jpg")


def main(argv: Sequence[str] | None = None) -> None:
    """Find the kinds, or end with one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.catalogue",
        description=__doc__.splitlines()[0],
        allow_abbrev=False,
    )
    parser.add_argument("weights", type=Path, help="folder of a generator")
    parser.add_argument(
        "--data", required=True, help="real faces: a folder, a zip or a data set of the Hub"
    )
    args = parser.parse_args(argv)
    keep_freed_memory()
    folder = args.weights.resolve()  # of a run's best/ the version that is loaded
    try:
        if not folder.is_dir():
            raise ValueError(f"{args.weights} is no folder of weights")
        G = Generator.from_pretrained(folder)
        write_catalogue(G, reference_for(G, args.data), folder)
    except (ValueError, OSError) as e:
        sys.exit(f"error: {e}")


if __name__ == "__main__":
    main()
