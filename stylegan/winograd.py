"""3x3 convolution with a quarter of the multiplications, for wide layers on a CPU.

Along one axis, four results of a filter with three taps need six products in place of twelve: the
values of two polynomials at six points, multiplied point by point. On both axes that is 36 in place
of 144, and as every product sums over channels, over all tiles they are 36 matrix products.

With the points 0, +-3/4, +-3/2 and infinity the rounding error is twice that of the plain sum; with
the usual +-1 and +-2 it is four times that.
Legend: N batch, I and O channels, H and W pixels, T tiles of 4x4 pixels.

Reference: Lavin and Gray 2016 (arXiv:1509.09308), Sec. 4; Barabasz et al. 2020 (arXiv:1803.10986)
for the choice of points.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.memory import in_parts

POINTS = 0, 3 / 4, -3 / 4, 3 / 2, -3 / 2  # and infinity
LEAST, LEAST_BESIDE_PROGRAM = 40, 60  # the second where stylegan.conv_cpu is the other way
TILES = 512  # at once: their 36 values in 128 channels are 9 MB


def _values(taps: int) -> Tensor:
    """(6, taps): what a polynomial's coefficients are multiplied by for its value at each point."""
    powers = torch.tensor(POINTS, dtype=torch.float64)[:, None] ** torch.arange(taps)
    at_infinity = F.one_hot(torch.tensor([taps - 1]), taps)
    return torch.cat([powers, at_infinity.double()])


def _transforms() -> tuple[Tensor, Tensor, Tensor]:
    """For both axes at once: (36, 36) of tiles, (36, 9) of weights, (16, 36) of their products."""
    tile, weight, result = torch.linalg.inv(_values(6)).T, _values(3), _values(4).T
    balance = (weight.norm(dim=1, keepdim=True) / tile.norm(dim=1, keepdim=True)).sqrt()
    axes = tile * balance, weight / balance, result
    return tuple(torch.kron(axis, axis) for axis in axes)


OF_TILES, OF_WEIGHTS, OF_PRODUCTS = _transforms()


def _tile_counts(x: Tensor, padding: int) -> tuple[int, int]:
    """Along H and along W."""
    height, width = (-(-(side + 2 * padding - 2) // 4) for side in x.shape[2:])
    return height, width


def pays(x: Tensor, weight: Tensor, padding: int, least: int = LEAST) -> bool:
    """Whether `convolve` is the faster way: many channels, more than a few tiles, no half types.

    A layer that is as wide on both sides needs twice `least` channels.
    """
    outputs, inputs, *kernel = weight.shape
    if x.device.type != "cpu" or x.dtype.itemsize < 4 or kernel != [3, 3]:
        return False
    rows, columns = _tile_counts(x, padding)
    wide = outputs * inputs >= least * (outputs + inputs)
    return wide and len(x) * rows * columns >= 32


def _tiles(x: Tensor, padding: int, rows: int, columns: int) -> Tensor:
    """(N, C, H, W) -> (36, T, C): the 6x6 pixels under every tile of the result."""
    height, width = x.shape[2:]
    x = x.permute(0, 2, 3, 1)
    across, down = 4 * columns + 4 - width - padding, 4 * rows + 4 - height - padding
    x = F.pad(x, [0, 0, padding, across, padding, down])
    x = x.unflatten(2, (-1, 4)).unflatten(1, (-1, 4)).permute(2, 4, 0, 1, 3, 5)  # (4, 4, N, ...
    x = torch.cat([x[:, :, :, :-1], x[:2, :, :, 1:]])  # (6, 4, N, rows, columns + 1, C)
    x = torch.cat([x[..., :-1, :], x[:, :2, ..., 1:, :]], dim=1)  # (6, 6, N, rows, columns, C)
    return x.view(36, -1, x.shape[-1])


def convolve(x: Tensor, weight: Tensor, padding: int) -> Tensor:
    """F.conv2d(x, weight, padding=padding), differentiable as often as that.

    Shapes: x (N, I, H, W), weight (O, I, 3, 3) -> (N, O, H', W') with H' = H + 2 padding - 2.
    """
    of_tiles, of_weights, of_products = (m.to(x.dtype) for m in (OF_TILES, OF_WEIGHTS, OF_PRODUCTS))
    rows, columns = _tile_counts(x, padding)
    outputs, inputs = weight.shape[:2]
    kernels = of_weights @ weight.permute(2, 3, 1, 0).reshape(9, -1)
    kernels = kernels.view(36, inputs, outputs)

    def convolved(x: Tensor) -> Tensor:
        height, width = (side + 2 * padding - 2 for side in x.shape[2:])
        tiles = _tiles(x, padding, rows, columns)  # (36, T, I)
        tiles = (of_tiles @ tiles.flatten(1)).view(tiles.shape)
        y = of_products @ torch.bmm(tiles, kernels).flatten(1)  # (16, T O)
        y = y.view(4, 4, -1, rows, columns, outputs).permute(2, 3, 0, 4, 1, 5)
        y = y.reshape(-1, 4 * rows, 4 * columns, outputs)
        return y[:, :height, :width].permute(0, 3, 1, 2)

    return in_parts(convolved, x, max(1, TILES // (rows * columns)))
