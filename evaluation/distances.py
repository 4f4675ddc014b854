"""How far two sets of pictures are apart: tensors in, a number out.

Between features, rows of `real` and `fake`:

    frechet_distance    of two normal distributions with their means and covariances
    kernel_distance     squared maximum mean discrepancy, without bias
    sliced_distance     transport along random directions; needs the fewest pictures
    neighbour_accuracy  how often the nearest neighbour is of one's own set; 1/2 is ideal
    density, coverage   how close the fakes are to reals, and how many reals have a fake close by

Between the pictures themselves:

    patch_distance      transport of patches, per octave of detail

Each is biased by the number of rows in its own way, so all but `kernel_distance` say something only
beside the same number between two sets of reals.
Legend: N rows or pictures, C channels.

Reference: Heusel et al. 2017 (arXiv:1706.08500); Binkowski et al. 2018 (arXiv:1801.01401); Bonneel
et al. 2015 (doi:10.1007/s10851-014-0506-3); Lopez-Paz and Oquab 2017 (arXiv:1610.06545); Naeem et
al. 2020 (arXiv:2002.09797); Karras et al. 2018 (arXiv:1710.10196), Sec. 5 for the patches.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 1000  # from which principal directions are taken
NEIGHBOURS = 5  # of density and coverage
PATCH, PATCHES = 7, 16  # side in pixels; of a picture and octave
COARSEST = 16  # pixels of the last octave


def principal_directions(real: Tensor, most: int) -> Tensor:
    """The directions (dim, k) in which `real` (N, dim) varies most; k of at most `most`.

    Of more than `ROWS` rows, as many are looked at, evenly spread.
    """
    real = real[:: -(-len(real) // ROWS)].double()
    return torch.linalg.svd(real - real.mean(dim=0), full_matrices=False).Vh[:most].T


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """|m_r - m_f|^2 + tr(S_r + S_f - 2 (S_r S_f)^(1/2)), with many more rows than columns."""
    (mean_r, cov_r), (mean_f, cov_f) = (
        (x.mean(dim=0), x.T.cov(correction=1).reshape(x.shape[1], -1))
        for x in (real.double(), fake.double())
    )
    values, vectors = torch.linalg.eigh(cov_r)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    joint = torch.linalg.eigvalsh(root @ cov_f @ root).clamp(min=0).sqrt().sum()
    distance = (mean_r - mean_f).square().sum() + cov_r.trace() + cov_f.trace() - 2 * joint
    return distance.item()


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3


def kernel_distance(real: Tensor, fake: Tensor) -> float:
    """Mean over pairs of different rows of k(r, r') + k(f, f') - 2 k(r, f), cubic k.

    Its mean over random sets of the same distribution is 0, and so it may be negative.
    """
    real, fake = real.double(), fake.double()
    total = -2 * _kernel(real, fake).mean()
    for x in (real, fake):
        k = _kernel(x, x)
        total += (k.sum() - k.trace()) / (len(x) * (len(x) - 1))
    return total.item()


def _sorted(rows: Tensor) -> Tensor:
    """Each row (N, D) in order, by NumPy: many times as fast as `torch.sort` on a CPU."""
    return torch.from_numpy(np.sort(rows.contiguous().numpy(force=True), axis=1))


def sliced_distance(real: Tensor, fake: Tensor, directions: int = 1000) -> float:
    """Mean square of the differences of sorted projections on random unit directions.

    The directions are the same for every call with as many columns.

    Raises: ValueError if the sets are not of one size.
    """
    if len(real) != len(fake):
        raise ValueError(f"both sets must have as many rows, got {len(real)} and {len(fake)}")
    random = torch.Generator().manual_seed(0)
    axes = F.normalize(torch.randn(real.shape[1], directions, generator=random), dim=0)
    real, fake = (_sorted((x.float() @ axes).T) for x in (real, fake))
    return (real - fake).square().mean().item()


def neighbour_accuracy(real: Tensor, fake: Tensor) -> float:
    """Share of rows whose nearest other row is of their own set.

    1: the sets lie apart. 1/2: nobody can tell. 0: every fake sits on a real one of its own.

    Raises: ValueError if the sets are not of one size.
    """
    if len(real) != len(fake):
        raise ValueError(f"both sets must have as many rows, got {len(real)} and {len(fake)}")
    both = torch.cat([real, fake]).double()
    distances = torch.cdist(both, both).fill_diagonal_(torch.inf)
    is_real = torch.arange(len(both)) < len(real)
    return (is_real[distances.argmin(dim=1)] == is_real).double().mean().item()


def _inside(real: Tensor, fake: Tensor) -> Tensor:
    """Whether each fake (columns) is within each real's (rows) k-th nearest real neighbour."""
    real, fake = real.double(), fake.double()
    radius = torch.cdist(real, real).kthvalue(NEIGHBOURS + 1, dim=1).values  # itself is the first
    return torch.cdist(real, fake) <= radius[:, None]


def density(real: Tensor, fake: Tensor) -> float:
    """Mean over fakes of the number of reals' neighbourhoods they are in, over k; ideally 1."""
    return _inside(real, fake).double().sum(dim=0).mean().item() / NEIGHBOURS


def coverage(real: Tensor, fake: Tensor) -> float:
    """Share of reals with a fake in their neighbourhood; below 1 for reals, too."""
    return _inside(real, fake).any(dim=1).double().mean().item()


def _octaves(img: Tensor) -> list[Tensor]:
    """Laplacian pyramid: the details of each size down to `COARSEST` pixels, and the rest."""
    octaves = []
    while img.shape[2] > COARSEST:
        low = F.interpolate(img, scale_factor=0.5, mode="bicubic", antialias=True)
        octaves.append(img - F.interpolate(low, size=img.shape[2:], mode="bicubic"))
        img = low
    return [*octaves, img]


def _patches(octave: Tensor) -> Tensor:
    """Patches at random places, the same for every set: (N * PATCHES, C * PATCH^2)."""
    random, n = torch.Generator().manual_seed(0), len(octave)
    places = octave.shape[2] - PATCH + 1
    top, left = torch.randint(places, (2, n, PATCHES), generator=random)
    windows = octave.unfold(2, PATCH, 1).unfold(3, PATCH, 1)  # (N, C, places, places, ...
    return windows[torch.arange(n)[:, None], :, top, left].flatten(2).flatten(0, 1)


def patch_distance(real: Tensor, fake: Tensor) -> list[float]:
    """`sliced_distance` of patches per octave, finest first, over the reals' variance there.

    1 is as far as patches without any detail would be.

    Shapes: images (N, C, H, H), N of both alike.
    """
    distances = []
    for octaves in zip(_octaves(real), _octaves(fake), strict=True):
        patches = [_patches(octave) for octave in octaves]
        distance = sliced_distance(*patches, directions=256)
        distances.append(distance / patches[0].square().mean().item())
    return distances
