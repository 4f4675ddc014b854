"""How much the face of any latent looks like each kind, so that a mix can be as far as asked.

`looks_of_mixes` draws mixes of two kinds, asks which kind each looks like, and learns to tell that
by w alone. Single faces are surely of one kind, so they do not tell where a mix changes its kind.

Legend: N faces, L kinds.
"""

import numpy as np
import torch
from torch import Tensor

from evaluation.domains import DomainClassifier
from evaluation.features import features_of
from evaluation.kinds import Kinds
from evaluation.quality import Reference
from evaluation.sampling import synthesize
from stylegan import Generator
from stylegan.latents import truncate

MIXES = 2  # that are drawn for each face
LEAST_PSI = 0.5  # of the two faces of a mix
LEAST_SHARE = 0.25  # of each face in it; a mix with less of one seldom changes its kind


def mixes(w: Tensor, labels: Tensor, centres: Tensor) -> Tensor:
    """Each of two faces of different kinds, pulled to their centres by psi from `LEAST_PSI` to 1,
    with at least `LEAST_SHARE` of either.

    Shapes: w (N, w_dim), labels (N,), centres (L, w_dim), L at least 2 -> (MIXES * N, w_dim).
    """
    random, count = np.random.default_rng(0), MIXES * len(w)
    faces = [(labels == kind).nonzero().squeeze(1).numpy() for kind in range(len(centres))]
    pairs = np.stack([random.permutation(len(centres))[:2] for _ in range(count)])
    chosen = np.array([[random.choice(faces[kind]) for kind in pair] for pair in pairs])
    psi = torch.from_numpy(random.uniform(LEAST_PSI, 1, pairs.size))
    ends = truncate(w[chosen.ravel()], centres[pairs.ravel()], psi)
    share = torch.from_numpy(random.uniform(LEAST_SHARE, 1 - LEAST_SHARE, (count, 1))).to(w)
    return ends[::2].lerp(ends[1::2], share)


def looks_in(w: Tensor, probabilities: Tensor) -> Tensor:
    """w (N, w_dim) and how much each looks like every kind (N, L) -> (L, w_dim + 1)."""
    size = w.std()
    looks = DomainClassifier(w / size, probabilities).weight.T
    return torch.cat([looks[:, :-1] / size, looks[:, -1:]], dim=1)


def looks_of_mixes(G: Generator, reference: Reference, found: Kinds) -> Tensor | None:
    """As `stylegan.latents.even_weights` asks for them, (L, w_dim + 1); None for one kind alone."""
    if len(reference.names) < 2:
        return None
    mixed = mixes(found.w, found.labels, found.centres)
    ws = mixed.to(G.mapping.w_avg)[:, None].expand(-1, G.num_ws, -1)
    seen = features_of(reference.taught, synthesize(G, ws))
    return looks_in(mixed, reference.classifier.probabilities(seen))
