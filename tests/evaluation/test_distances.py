"""Distances between sets whose answer can be told beforehand."""

import pytest
import torch
import torch.nn.functional as F
from scipy.linalg import sqrtm

from evaluation import distances
from evaluation.distances import (
    coverage,
    density,
    frechet_distance,
    kernel_distance,
    neighbour_accuracy,
    patch_distance,
    principal_directions,
    sliced_distance,
)


def test_frechet_of_a_shift_is_its_square():
    x = torch.randn(200, 3)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x + torch.tensor([3.0, 0.0, 4.0])) == pytest.approx(25, rel=1e-5)


def test_frechet_of_a_wider_set():
    """Twice the spread about the mean: tr(S + 4 S - 2 * 2 S) is the trace of S."""
    x = torch.randn(500, 2, dtype=torch.float64)
    x = x - x.mean(dim=0)
    assert frechet_distance(x, 2 * x) == pytest.approx(x.T.cov().trace().item())
    column = x[:, :1]
    assert frechet_distance(column, 2 * column) == pytest.approx(column.var().item())


def test_frechet_where_covariances_do_not_commute():
    a, b = (torch.randn(50, 4, dtype=torch.float64) @ torch.randn(4, 4).double() for _ in range(2))
    cov_a, cov_b = a.T.cov().numpy(), b.T.cov().numpy()
    shift = (a.mean(dim=0) - b.mean(dim=0)).square().sum().item()
    expected = shift + (cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real).trace()
    assert frechet_distance(a, b) == pytest.approx(expected)


def test_principal_directions_are_those_of_most_variance():
    x = torch.randn(1000, 3) * torch.tensor([1.0, 5.0, 0.1]) + 7
    axes = principal_directions(x, 2)
    assert axes.shape == (3, 2)
    torch.testing.assert_close(axes.abs()[[1, 0], [0, 1]].float(), torch.ones(2), rtol=0, atol=0.02)


def test_kernel_distance_by_hand():
    """Reals 0 and 1, fakes 2 and 3: k(0, 1) = 1, k(2, 3) = 7^3; k(0, .) = 1, k(1, .) = 27, 64."""
    real, fake = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [3.0]])
    expected = 1 + 343 - 2 * (1 + 1 + 27 + 64) / 4
    assert kernel_distance(real, fake) == pytest.approx(expected)


def test_kernel_distance_has_no_bias():
    """Of sets of the same distribution, however small, it is 0 on average."""
    found = [kernel_distance(torch.randn(5, 4), torch.randn(5, 4)) for _ in range(2000)]
    mean, spread = torch.tensor(found).mean(), torch.tensor(found).std() / 2000**0.5
    assert abs(mean) < 3 * spread and spread < 0.1


def test_sliced_distance_in_one_dimension_is_transport():
    """Sorted, 1 2 3 goes to 2 4 6: the squares 1, 4, 9 on average."""
    real, fake = torch.tensor([[3.0], [1.0], [2.0]]), torch.tensor([[4.0], [6.0], [2.0]])
    assert sliced_distance(real, fake) == pytest.approx(14 / 3)


def test_sliced_distance_of_a_shift_is_its_square_per_dimension():
    x = torch.randn(40, 6)
    shift = torch.tensor([1.0, -2.0, 0.0, 2.0, 0.0, 0.0])  # of square 9
    assert sliced_distance(x, x + shift, directions=20_000) == pytest.approx(9 / 6, rel=0.03)


def test_neighbours_of_sets_that_lie_apart_or_on_each_other():
    x = torch.randn(50, 3)
    assert neighbour_accuracy(x, x + 100) == 1
    assert neighbour_accuracy(x, x + 1e-4) == 0
    assert neighbour_accuracy(torch.randn(400, 3), torch.randn(400, 3)) == pytest.approx(
        0.5, abs=0.1
    )


@pytest.mark.parametrize("distance", [sliced_distance, neighbour_accuracy])
def test_sets_of_two_sizes_are_refused(distance):
    with pytest.raises(ValueError, match="as many rows, got 3 and 4"):
        distance(torch.zeros(3, 2), torch.zeros(4, 2))


def test_density_and_coverage_on_a_line(monkeypatch):
    """Reals 0, 1, 2, 10 with one neighbour reach 1, 1, 1 and 8. A fake at 1.5 is within reach of 1
    and 2 and, 8.5 away, not of 10; one at 100 of nobody."""
    monkeypatch.setattr(distances, "NEIGHBOURS", 1)
    real, fake = torch.tensor([[0.0], [1.0], [2.0], [10.0]]), torch.tensor([[1.5], [100.0]])
    assert density(real, fake) == pytest.approx((2 + 0) / 2)
    assert coverage(real, fake) == pytest.approx(2 / 4)


def test_coverage_misses_a_dropped_mode():
    """Half of the reals are far from any fake; the fakes themselves are all in place."""
    a, b = torch.randn(100, 2), torch.randn(100, 2) + 50
    real, fake = torch.cat([a, b]), a + 1e-3
    assert coverage(real, fake) == pytest.approx(0.5)
    assert density(real, fake) > 0.9


def test_patches_tell_at_which_size_details_are_missing():
    img = torch.randn(20, 3, 64, 64)
    assert patch_distance(img, img) == [0, 0, 0]
    smooth = F.interpolate(img, scale_factor=0.5, mode="bicubic", antialias=True)
    smooth = F.interpolate(smooth, size=64, mode="bicubic")
    fine, middle, coarse = patch_distance(img, smooth)
    assert fine > 0.5 and middle < 0.2 * fine and coarse < 0.1 * fine
    assert all(d > 0.5 for d in patch_distance(img, torch.zeros_like(img)))
