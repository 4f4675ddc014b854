"""Directions in W along which faces change, found without a label.

Each is as long as one standard deviation of w along it, so that steps of -3 to 3 stay where faces
lie.

Reference: Haerkoenen et al. 2020 (arXiv:2004.02546), Sec. 2 for principal directions; Shen and Zhou
2021 (arXiv:2007.06600), Sec. 3 for those of the weights.
"""

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from stylegan.generator import Generator
from stylegan.latents import sample_z
from stylegan.specs import style_bands

SAMPLES = 2000


@torch.no_grad()
def style_directions(G: Generator, w: Tensor) -> Tensor:
    """For each style of every layer, how w differs on average where that style alone is larger by
    one standard deviation; zeros where a layer has fewer styles than another.

    Shapes: w (N, w_dim), less its mean -> (num_ws, K, w_dim).
    """
    directions = []
    for place in range(G.num_ws):
        styles = G.synthesis.affine_at(place)(w).double()
        styles = styles - styles.mean(dim=0)
        regression = torch.linalg.pinv(styles.T @ styles, hermitian=True) @ (styles.T @ w.double())
        directions.append((styles.std(dim=0)[:, None] * regression).to(w))
    return pad_sequence(directions, batch_first=True)


@torch.inference_mode()
def sample_w(G: Generator) -> Tensor:
    """Latents of the first seeds, (SAMPLES, w_dim), less their mean."""
    w = G.mapping(sample_z(range(SAMPLES), G.z_dim).to(G.mapping.w_avg.device))[:, 0]
    return w - w.mean(dim=0)


def principal_directions(w: Tensor, count: int) -> Tensor:
    """Along which w varies most, the most first: (count, w_dim)."""
    _, values, directions = torch.linalg.svd(w, full_matrices=False)
    return directions[:count] * (values[:count, None] / (len(w) - 1) ** 0.5)


def affine_directions(G: Generator, w: Tensor, count: int) -> Tensor:
    """To which the styles of the layers that draw the shape answer most: (count, w_dim)."""
    places = style_bands(G.config)["shape"]
    if G.config.generation == 3:
        places = places[1:]  # the first moves and turns
    weights = torch.cat([G.synthesis.affine_at(place).weight for place in places])
    directions = torch.linalg.svd(weights.detach().to(w), full_matrices=False).Vh[:count]
    return directions * (w @ directions.T).std(dim=0)[:, None]
