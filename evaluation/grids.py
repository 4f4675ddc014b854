"""Two pictures of what a generator draws: the first seeds, and a grid of mixes. Saving them."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stylegan import Generator
from stylegan.files import write_whole
from stylegan.images import image_grid, to_uint8
from stylegan.latents import blend, sample_z

NUM_COLUMNS, NUM_ROWS = 8, 4  # of the sample grid
NUM_PARENTS, PARENTS_B, PSI = 7, 1000, 0.7  # of the mixing grid; first seed of its column


def save_picture(picture: np.ndarray, path: Path) -> None:
    """Write uint8 (H, W, 3) whole, as PNG or JPEG by the name's ending.

    Raises: OSError naming the file if it cannot be written.
    """
    content, kind = io.BytesIO(), {".png": "PNG", ".jpg": "JPEG"}[path.suffix]
    Image.fromarray(picture).save(content, kind, quality=90)
    write_whole(path, content.getbuffer())


def _styles(G: Generator, seeds: range, labels: list[int], psi: float) -> Tensor:
    """ws (len(seeds), num_ws, w_dim); labels take turns."""
    device = G.mapping.w_avg.device
    z, c = sample_z(seeds, G.z_dim).to(device), None
    if G.c_dim:
        turns = torch.tensor([labels[i % len(labels)] for i in range(len(seeds))], device=device)
        c = torch.nn.functional.one_hot(turns, G.c_dim).float()
    return G.mapping(z, c, truncation_psi=psi)


@torch.no_grad()
def sample_grid(G: Generator) -> np.ndarray:
    """The first seeds, not truncated, uint8 (H, W, 3); labels take turns."""
    labels = list(range(G.c_dim))
    ws = _styles(G, range(NUM_COLUMNS * NUM_ROWS), labels, 1.0)
    img = torch.cat([G.synthesis(row) for row in ws.split(NUM_COLUMNS)])
    return image_grid(to_uint8(img), NUM_COLUMNS)


@torch.no_grad()
def mixing_grid(G: Generator) -> np.ndarray:
    """Faces A in the first row, B in the first column, halfway faces between; uint8 (H, W, 3).

    With labels, A have the first and B the last.
    """
    ws_a = _styles(G, range(NUM_PARENTS), [0], PSI)
    seeds_b = range(PARENTS_B, PARENTS_B + NUM_PARENTS)
    ws_b = _styles(G, seeds_b, [G.c_dim - 1], PSI)
    rows = [torch.cat([torch.full_like(G.synthesis(ws_a[:1]), 1.0), G.synthesis(ws_a)])]
    for w in ws_b.split(1):
        rows.append(G.synthesis(torch.cat([w, blend(ws_a, w.expand_as(ws_a), 0.5)])))
    return image_grid(to_uint8(torch.cat(rows)), NUM_PARENTS + 1)
