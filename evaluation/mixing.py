"""How well a generator mixes a face of one sub-folder with one of another.

Between pairs of parents lie `WEIGHTS.numel()` mixes each. `mixing_scores` says of them

    order       rank correlation of the mixing weight with how much of B the classifier sees; 1
    halfway     distance of the middle one's probability of B from 1/2; 0
    evenness    mean distance of that probability from the weight; 0
    staircase   largest step between neighbours' features over the mean step; 1
    realism     kernel distance of the middle faces to the nearer sub-folder's reals; its floor
    parentage   how much more the middle face is like its parents than like others of their kind
    balance     0: as much like A as like B; 1: like one of them only

and what each is at best.

Reference: Spearman 1904 (doi:10.2307/1412159) for the order.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from evaluation.catalogue import ranks
from evaluation.distances import kernel_distance
from evaluation.features import features_of
from evaluation.kinds import Kinds, kinds
from evaluation.looks import looks_of_mixes
from evaluation.quality import Reference
from evaluation.sampling import synthesize
from stylegan import Generator
from stylegan.latents import blend, even_weights, truncate

WEIGHTS = torch.linspace(0, 1, 11)
PAIRS, SURE = 60, 0.8  # paths; least probability of a parent's kind
PSI = 0.7


def order(share: Tensor) -> Tensor:
    """Rank correlation with the place along the path: (N, places) -> (N,)."""
    places = torch.arange(share.shape[1]).double().expand_as(share)
    pairs = torch.stack([ranks(share), places], dim=1)
    return torch.stack([pair.corrcoef()[0, 1] for pair in pairs])


def staircase(features: Tensor) -> Tensor:
    """Largest step over mean step: (N, places, dim) -> (N,)."""
    steps = features.diff(dim=1).norm(dim=2)
    return steps.amax(dim=1) / steps.mean(dim=1)


def likeness(middle: Tensor, parent: Tensor, others: Tensor) -> Tensor:
    """Cosine to the parent less the mean cosine to others: (N, dim), (N, dim), (M, dim) -> (N,)."""
    others = F.normalize(others, dim=1)
    return F.cosine_similarity(middle, parent) - (F.normalize(middle, dim=1) @ others.T).mean(dim=1)


def path(
    a: Tensor, b: Tensor, centres: tuple[Tensor, Tensor], num_ws: int, looks: Tensor
) -> Tensor:
    """All mixes of a and b, (w_dim,), pulled to their centres: (places, num_ws, w_dim).

    `looks` are those of `even_weights`.
    """
    ends = [truncate(w, c, PSI).expand(1, num_ws, -1) for w, c in zip((a, b), centres, strict=True)]
    return blend(*ends, even_weights(*ends, WEIGHTS.tolist(), looks))


def mixing_scores(
    G: Generator,
    reference: Reference,
    found: Kinds,
    centres: tuple[Tensor, Tensor],
    looks: Tensor,
) -> dict[str, float]:
    """Of mixes of the first sub-folder's faces (A) with the last one's (B).

    Raises: ValueError if fewer than two drawn faces are surely of one of the kinds.
    """
    last, parents = len(reference.names) - 1, []
    for kind in (0, last):
        sure = (found.probabilities[:, kind] > SURE).nonzero().squeeze(1)
        if len(sure) < 2:
            raise ValueError(f"too few drawn faces look like {reference.names[kind]} to mix them")
        parents.append(found.w[sure])
    random = np.random.default_rng(0)
    chosen = [w[torch.from_numpy(random.integers(len(w), size=PAIRS))] for w in parents]
    ws = torch.cat([path(a, b, centres, G.num_ws, looks) for a, b in zip(*chosen, strict=True)])
    seen = features_of(reference.taught, synthesize(G, ws))
    share = reference.classifier.probabilities(seen)[:, last].view(PAIRS, -1)
    features, middle = seen.view(PAIRS, len(WEIGHTS), -1), len(WEIGHTS) // 2
    half = features[:, middle]
    reals = [reference.reals.taught[reference.labels == kind] for kind in (0, last)]
    like_a, like_b = (
        likeness(half, features[:, end], others).mean().item()
        for end, others in zip((0, -1), reals, strict=True)
    )
    return {
        "order": order(share).mean().item(),
        "halfway": (share[:, middle] - 0.5).abs().mean().item(),
        "evenness": (share - WEIGHTS).abs().mean().item(),
        "staircase": staircase(features).mean().item(),
        "realism": min(kernel_distance(real, half) for real in reals),
        "parentage": (like_a + like_b) / 2,
        "balance": abs(like_a - like_b) / (abs(like_a) + abs(like_b)),
    }


def compare_blends(G: Generator, reference: Reference, samples: int) -> dict[str, dict[str, float]]:
    """The scores of plain averages, with one centre for all faces and with each kind's own, and of
    even weights with each kind's own."""
    found = kinds(G, reference, samples)
    everyone, own = (G.mapping.w_avg,) * 2, (found.centres[0], found.centres[-1])
    looks = looks_of_mixes(G, reference, found)
    plain = torch.zeros_like(looks)
    ways = {
        "one centre": (everyone, plain),
        "own centres": (own, plain),
        "own centres, even": (own, looks),
    }
    return {name: mixing_scores(G, reference, found, *way) for name, way in ways.items()}
