"""Faces drawn to be measured: those of the first seeds, the same ones every time.

Legend: N faces, H pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan import Generator
from stylegan.images import from_uint8, to_uint8
from stylegan.latents import sample_z

BATCH = 25


def labels_of(G: Generator, n: int) -> Tensor | None:
    """Labels in turns, one-hot (n, c_dim), for a generator that needs them."""
    return F.one_hot(torch.arange(n) % G.c_dim, G.c_dim).float() if G.c_dim else None


@torch.inference_mode()
def styles(G: Generator, n: int) -> Tensor:
    """Of the first n seeds, not truncated: (n, num_ws, w_dim), where the generator is."""
    device, c = G.mapping.w_avg.device, labels_of(G, n)
    return G.mapping(sample_z(range(n), G.z_dim).to(device), c if c is None else c.to(device))


@torch.inference_mode()
def synthesize(G: Generator, ws: Tensor) -> Tensor:
    """Any number of faces, RGB and rounded as pictures are, in main memory.

    Shapes: ws (N, num_ws, w_dim) -> (N, 3, H, H) in [-1, 1].
    """
    img = torch.cat([G.synthesis(part) for part in ws.split(BATCH)])
    return from_uint8(torch.from_numpy(to_uint8(img)).permute(0, 3, 1, 2))


def draw(G: Generator, n: int) -> Tensor:
    """The first n seeds, not truncated: (n, 3, H, H) in [-1, 1]."""
    return synthesize(G, styles(G, n))
