"""Latents: where they come from and how two of them mix.

Reference: Karras et al. 2019 (arXiv:1812.04948), Sec. 3.1 for mixing styles.
"""

from collections.abc import Iterable, Sequence
from operator import index

import numpy as np
import torch
from torch import Tensor

LOOKS, PLACES = 0.2, 1001  # of `even_weights`; places on the way


def _parse_seed(seed: object) -> int:
    """Raises TypeError or ValueError for what is none."""
    try:
        number = index(seed)
    except TypeError as e:
        raise TypeError(f"a seed must be a whole number, got {seed!r}") from e
    if not 0 <= number < 2**32:
        raise ValueError(f"a seed must lie between 0 and 4294967295, got {number}")
    return number


def sample_z(seeds: Iterable[int], z_dim: int) -> Tensor:
    """One latent per seed, float32 (len(seeds), z_dim); the same as the official tools draw.

    Raises: TypeError for what is no list of whole numbers; ValueError for a seed outside 0 ...
    2**32 - 1 or a width below 1.
    """
    try:
        seeds = list(seeds)
    except TypeError as e:
        raise TypeError(f"seeds must be a list of whole numbers, such as [3], got {seeds!r}") from e
    if not isinstance(z_dim, int) or z_dim < 1:
        raise ValueError(f"z_dim must be a whole number of at least 1, got {z_dim!r}")
    z = np.empty((len(seeds), z_dim), np.float32)
    for row, seed in zip(z, map(_parse_seed, seeds), strict=True):
        row[:] = np.random.RandomState(seed).randn(z_dim)
    return torch.from_numpy(z)


def truncate(ws: Tensor, centre: Tensor, psi: float | Tensor) -> Tensor:
    """Pull styles towards a centre: all the way at psi 0, not at all at 1.

    Two faces of different kinds keep theirs if each is pulled to the centre of its own kind before
    they are blended; with one centre for all, both move towards what lies between the kinds.

    Shapes: ws (N, ..., w_dim), centre (w_dim,) or one that broadcasts with ws, psi a number or, one
    for each of ws, (N,).
    """
    if isinstance(psi, Tensor):
        psi = psi.to(ws).reshape(-1, *[1] * (ws.ndim - 1))
    return centre.to(ws).lerp(ws, psi)


def blend(ws_a: Tensor, ws_b: Tensor, weight: float | Sequence[float]) -> Tensor:
    """Weighted average of two styles: ws_a at weight 0, ws_b at 1.

    Several weights give one result each: ws_a and ws_b (1, num_ws, w_dim) -> (len(weight), num_ws,
    w_dim). With one weight any equal shapes do.
    """
    if isinstance(weight, Sequence):
        weight = torch.tensor(weight, dtype=ws_a.dtype, device=ws_a.device)[:, None, None]
    return ws_a.lerp(ws_b, weight)


def even_weights(
    ws_a: Tensor, ws_b: Tensor, weights: Sequence[float], looks: Tensor
) -> list[float]:
    """Weights for `blend` at which a mix of two kinds of faces is as far from A to B as asked.

    Most of the way a plain average looks like A's kind, then like B's, and pairs differ in where
    that changes. So `LOOKS` of the way is how much the mix looks like B's kind and not like A's;
    the rest is its weight. 0 and 1 stay what they are. Two faces of one kind have the weights that
    were asked for.

    Shapes: ws_a, ws_b (1, num_ws, w_dim); looks (number of kinds, w_dim + 1): how much a w looks
    like a kind, as a logit, is the product with the first w_dim numbers of its row plus the last
    (`stylegan.domains.looks_of`).
    """
    ends = torch.cat([ws_a, ws_b]).mean(dim=1)
    logits = ends @ looks[:, :-1].T.to(ends) + looks[:, -1].to(ends)
    a, b = logits.argmax(dim=1)
    if a == b:
        return list(weights)
    places = torch.linspace(0, 1, PLACES, dtype=torch.double)
    share = torch.lerp(*(logits[:, b] - logits[:, a]).to(places), places).sigmoid()
    share = (share - share[0]) / (share[-1] - share[0])
    return np.interp(weights, places.lerp(share, LOOKS), places).tolist()


def mix_styles(ws_a: Tensor, ws_b: Tensor, weights: Tensor) -> Tensor:
    """Weighted averages with a weight for each layer: ws_a at weight 0, ws_b at 1.

    Shapes: ws_a, ws_b (1, num_ws, w_dim), weights (N, num_ws) -> (N, num_ws, w_dim).
    """
    return ws_a.lerp(ws_b, weights[..., None])


def walk(ws: Tensor, steps: int) -> Tensor:
    """A smooth closed path through styles: `steps` of it from each to the next, then to the first.

    Shapes: ws (N, num_ws, w_dim) -> (N * steps, num_ws, w_dim); every `steps`-th is one of ws.
    Reference: Catmull and Rom 1974 (doi:10.1016/B978-0-12-079050-0.50020-5).
    """
    t = torch.linspace(0, 1, steps + 1, dtype=ws.dtype, device=ws.device)[:-1, None, None]
    path = []
    for before, start, end, after in zip(
        ws.roll(1, 0), ws, ws.roll(-1, 0), ws.roll(-2, 0), strict=True
    ):
        slope_start, slope_end = (end - before) / 2, (after - start) / 2
        turn = 3 * (end - start) - 2 * slope_start - slope_end
        rest = 2 * (start - end) + slope_start + slope_end
        path.append(start + t * (slope_start + t * (turn + t * rest)))
    return torch.cat(path)
