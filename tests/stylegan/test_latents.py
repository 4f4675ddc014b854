"""Seeds and blends."""

import numpy as np
import pytest
import torch

from stylegan.latents import blend, sample_z


def test_a_seed_gives_the_latent_of_numpys_randomstate():
    z = sample_z([3, 0, 2**32 - 1], 16)
    assert z.shape == (3, 16) and z.dtype == torch.float32
    for row, seed in zip(z, [3, 0, 2**32 - 1], strict=True):
        expected = np.random.RandomState(seed).randn(1, 16)[0]
        np.testing.assert_array_equal(row, expected.astype(np.float32))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_named(seed):
    with pytest.raises(ValueError, match=f"seed .*{seed}"):
        sample_z([0, seed], 4)


def test_blend_goes_straight_from_one_to_the_other():
    a, b = torch.zeros(1, 4, 3), torch.full((1, 4, 3), 8.0)
    assert torch.equal(blend(a, b, 0.0), a) and torch.equal(blend(a, b, 1.0), b)
    assert torch.equal(blend(a, b, 0.25), torch.full((1, 4, 3), 2.0))
