"""Latents: where they come from and how two of them mix.

Reference: Karras et al. 2019 (arXiv:1812.04948), Sec. 3.1 for mixing styles.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def sample_z(seeds: Sequence[int], z_dim: int) -> Tensor:
    """One latent per seed, float32 (len(seeds), z_dim); the same as the official tools draw.

    Raises: ValueError for a seed outside 0 ... 2**32 - 1.
    """
    for seed in seeds:
        if not 0 <= seed < 2**32:
            raise ValueError(f"a seed must lie between 0 and 4294967295, got {seed}")
    rows = [np.random.RandomState(seed).randn(1, z_dim) for seed in seeds]
    return torch.from_numpy(np.concatenate(rows)).float()


def truncate(ws: Tensor, centre: Tensor, psi: float) -> Tensor:
    """Pull styles towards a centre: all the way at psi 0, not at all at 1.

    Two faces of different kinds keep theirs if each is pulled to the centre of its own kind before
    they are blended; with one centre for all, both move towards what lies between the kinds.

    Shapes: ws (..., w_dim), centre (w_dim,) or one that broadcasts with ws.
    """
    return centre.lerp(ws, psi)


def blend(ws_a: Tensor, ws_b: Tensor, weight: float | Sequence[float]) -> Tensor:
    """Weighted average of two styles: ws_a at weight 0, ws_b at 1.

    Several weights give one result each: ws_a and ws_b (1, num_ws, w_dim) -> (len(weight), num_ws,
    w_dim). With one weight any equal shapes do.
    """
    if isinstance(weight, Sequence):
        weight = torch.tensor(weight, dtype=ws_a.dtype, device=ws_a.device)[:, None, None]
    return ws_a.lerp(ws_b, weight)


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
