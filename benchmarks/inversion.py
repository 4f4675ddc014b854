"""How like held-out faces what is found is: `python -m benchmarks.inversion --data FACES`.

The faces, of a folder that no training used, are looked for from w_avg, from the nearest good seed
and from the encoder's answer, in searches of 30, 60 and 200 steps; from the answer also without
each term of the search. Features of the evaluation and, with `--identity`, a network that knows
people judge what is drawn: its answer is right if no other of the faces is nearer. With `--reals`,
the faces that the generator learnt from, it is also measured how real mixes half-way from what the
encoder led to and a seed are, beside those of two seeds. The table is written as JSON beside a
strip of the faces. All are searched for at once, in float32 or bfloat16, whichever is faster here;
the time of one alone, in float32, is measured apart.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from benchmarks.machine import machine, report_file, save_json
from evaluation.dataset import ImageDataset
from evaluation.distances import kernel_distance
from evaluation.features import balanced, features_of, load_features
from evaluation.source import open_dataset
from preprocessing.detect import find_faces
from stylegan import Generator, sample_z
from stylegan.directions import sample_w, style_directions
from stylegan.domains import load_domains
from stylegan.encoder import Encoder
from stylegan.images import from_uint8, image_grid, to_uint8
from stylegan.memory import keep_freed_memory
from stylegan.precision import draw, fastest_dtype
from stylegan.projection import USUAL, LossWeights, nearest, project, similarity

# Steps of each, and after which it is measured.
SEARCHES = {30: (10, 20, 30), 60: (60,), 200: (40, 200)}
SHOWN = 0, 10, 30, 200  # in the strip
IDENTITY = Path("../shared/models/mobilefacenet_112.onnx")
PLACES = [(38.3, 51.7), (73.5, 51.5), (56.0, 71.7), (41.5, 92.4), (70.7, 92.2)]  # of 112 pixels
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ENLARGED = 4  # times, for the detector
GOOD = 24  # seeds of each kind, of which the nearest is a start, as on the page
PSI = 0.65  # of seeds
SEEDS, REALS = 20, 1000  # that faces are mixed with; that the mixes are compared with
ROUNDING = 1 / 12  # mean squared error of whole numbers: no picture is told to be nearer


class People:
    """Embeddings of pictures by the places of eyes, nose and mouth in the faces looked for: what is
    found should have them there."""

    def __init__(self, path: Path, faces: np.ndarray):
        self.net = cv2.dnn.readNetFromONNX(str(path))
        found = [find_faces(self._enlarged(face), 60, "yunet") for face in faces]
        known = np.array([x[0].points for x in found if x], np.float32)
        usual = known.mean(axis=0)
        points = [np.float32(x[0].points) if x else usual for x in found]
        self.turns = [cv2.estimateAffinePartial2D(x, np.float32(PLACES))[0] for x in points]
        self.known = self(faces)

    @staticmethod
    def _enlarged(picture: np.ndarray) -> np.ndarray:
        return cv2.resize(picture, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Uint8 (N, H, H, 3), one for each face -> (N, 128), of length 1."""
        rows = []
        for picture, turn in zip(pictures, self.turns, strict=True):
            x = cv2.warpAffine(self._enlarged(picture), turn, (112, 112), flags=cv2.INTER_AREA)
            x = (x / 255 - MEAN) / SPREAD
            self.net.setInput(x.transpose(2, 0, 1)[None].astype(np.float32))
            rows.append(self.net.forward()[0].copy())
        return np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)


class Judge:
    """Says how like the faces, uint8 (N, H, H, 3), what was found for each is."""

    def __init__(self, faces: np.ndarray, identity: Path):
        self.faces, self.target = faces, from_uint8(torch.from_numpy(faces).permute(0, 3, 1, 2))
        self.see = load_features()[0]
        self.people = People(identity, faces) if identity.is_file() else None

    def __call__(self, pictures: np.ndarray) -> dict[str, float]:
        img = from_uint8(torch.from_numpy(pictures).permute(0, 3, 1, 2))
        error = ((pictures.astype(float) - self.faces) ** 2).mean(axis=(1, 2, 3))
        found = {
            "psnr": float(np.mean(10 * np.log10(255**2 / error.clip(min=ROUNDING)))),
            "ssim": similarity(img, self.target).mean().item(),
            "features": F.cosine_similarity(self.see(img), self.see(self.target)).mean().item(),
        }
        if self.people:
            cosines = self.people(pictures) @ self.people.known.T
            right = cosines.argmax(axis=1) == np.arange(len(cosines))
            found |= {"identity": float(np.diag(cosines).mean()), "right": float(right.mean())}
        return found


def seconds(work: Callable[[], object]) -> float:
    """Process CPU time, the median of three."""
    times = []
    for _ in range(3):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return sorted(times)[1]


@torch.no_grad()
def drawn_of(G: Generator, ws: Tensor) -> Tensor:
    """Of any number of ws, (N, C, H, H)."""
    return torch.cat([G.synthesis(part) for part in ws.split(8)])


@torch.no_grad()
def nearest_of_good(G: Generator, weights: str, target: Tensor) -> Tensor:
    """Styles of the good seed whose face is most like each: (N, num_ws, w_dim)."""
    seeds = [seed for kind in load_domains(weights) for seed in kind.picked_first[:GOOD]]
    ws = G.mapping(sample_z(seeds or range(2 * GOOD), G.z_dim), truncation_psi=PSI)
    drawn = drawn_of(G, ws)
    return torch.stack([ws[nearest(drawn, x[None])] for x in target])


def realism(G: Generator, found: dict[str, Tensor], reals: Tensor) -> dict[str, float]:
    """How far mixes half-way from each of the faces found to each seed are from the reals, and what
    is to be compared with it: mixes of two seeds, and real faces.

    Shapes: found (N, num_ws, w_dim), reals (M, C, H, H) -> the kernel distance of features.
    """
    see, ws = load_features()[0], G.mapping(sample_z(range(SEEDS), G.z_dim), truncation_psi=PSI)
    mixes = {"two seeds": torch.stack([(a + b) / 2 for a, b in combinations(ws, 2)])}
    for name, face in found.items():
        mixes[name] = ((face[:, None] + ws) / 2).flatten(0, 1)
    real = features_of(see, reals)
    mingled = real[torch.from_numpy(np.random.default_rng(0).permutation(len(real)))]
    distances = {"reals": kernel_distance(*mingled.chunk(2))}
    for name, mixed in mixes.items():
        seen = features_of(see, drawn_of(G, mixed).clamp(-1, 1))
        distances[name] = kernel_distance(real, seen)
    return distances


class Way(NamedTuple):
    """To look for faces: `start`, `see` and `weights` of `stylegan.projection.project`."""

    start: Tensor
    see: Callable | None
    weights: LossWeights = USUAL


def search(
    G: Generator, target: Tensor, way: Way, basis: Tensor, longest: int, dtype: torch.dtype
) -> Iterator[tuple[int, Tensor]]:
    """After how many steps, and ws (N, num_ws, w_dim)."""
    yield 0, way.start
    half = dtype == torch.bfloat16
    for steps, measured in SEARCHES.items():
        if steps > longest:
            return
        found = project(G, target, way.start, basis, steps, way.see, way.weights)
        with torch.autocast("cpu", torch.bfloat16, enabled=half, cache_enabled=False):
            for step, ws in enumerate(found, 1):
                if step in measured:
                    yield step, ws.float()


def main(argv: Sequence[str] | None = None) -> None:
    """Look for the faces, write the files, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--data", required=True, help="folder of faces that no training used")
    parser.add_argument("--weights", default="weights/faces-64")
    parser.add_argument("--faces", type=int, default=10)
    parser.add_argument("--longest", type=int, default=200, help="leave out longer searches")
    parser.add_argument("--reals", default="", help="faces that the generator learnt from")
    parser.add_argument("--identity", type=Path, default=IDENTITY, help="MobileFaceNet, if here")
    parser.add_argument(
        "--out", type=report_file, default=Path("benchmarks/results/inversion.json")
    )
    args = parser.parse_args(argv)
    keep_freed_memory()
    try:
        dataset, G = ImageDataset(args.data), Generator.from_pretrained(args.weights)
        encoder = Encoder.from_pretrained(args.weights)
        reals = balanced(open_dataset(args.reals))[0][:REALS] if args.reals else None
    except (ValueError, OSError) as e:
        parser.error(str(e))
    chosen = np.linspace(0, len(dataset) - 1, min(args.faces, len(dataset))).round().astype(int)
    pictures = [dataset[int(i), False][0].permute(1, 2, 0).numpy() for i in chosen]
    judge = Judge(np.stack(pictures), args.identity)
    target, answer = judge.target, encoder(judge.target)
    basis, dtype = style_directions(G, sample_w(G)), fastest_dtype(G)
    ways = {
        "encoder": Way(answer, encoder.maps),
        "nearest": Way(nearest_of_good(G, args.weights, target), None),
        "w_avg": Way(G.mapping.w_avg.expand(len(target), G.num_ws, -1), None),
        "without features": Way(answer, None),
        "features of the evaluation": Way(answer, load_features()[0].maps),
    }
    for term in ("pyramid", "similarity", "prior"):
        ways[f"without {term}"] = Way(answer, encoder.maps, LossWeights(**{term: 0}))
    ways["all places alike"] = Way(answer, encoder.maps, LossWeights(far=1))
    one = target[:1], answer[:1], basis, 30, encoder.maps
    timed = {
        "encoder": seconds(lambda: encoder(target[:1])),
        "drawn answer": seconds(lambda: G.synthesis(encoder(target[:1]))),
        "30 steps": seconds(lambda: list(project(G, *one))),
    }
    table, strip, found = {}, [judge.faces], {}
    print(f"{'':32}" + "".join(f"{x:>10}" for x in judge(judge.faces)))
    for name, way in ways.items():
        longest = args.longest if name in ("nearest", "encoder") else min(SEARCHES)
        for step, ws in search(G, target, way, basis, longest, dtype):
            with torch.no_grad():
                drawn = to_uint8(draw(G, ws, torch.float32))
            table[f"{name}, {step}"] = judged = judge(drawn)
            row = "".join(f"{x:10.3f}" for x in judged.values())
            print(f"{f'{name}, {step}':32}{row}", flush=True)
            if name == "encoder" and step in SHOWN:
                strip.append(drawn)
                found[f"{name}, {step}"] = ws
    results = {
        "machine": machine(),
        "faces": len(target),
        "dtype": str(dtype).removeprefix("torch."),
        "seconds": timed,
        "found": table,
    }
    if reals is not None:
        results["kernel distance of mixes"] = realism(G, found, from_uint8(reals))
        print(results["kernel distance of mixes"])
    print(timed)
    save_json(results, args.out)
    grid = image_grid(np.concatenate(strip), len(target))
    Image.fromarray(grid).save(args.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
