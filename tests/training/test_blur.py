"""The blur with which config R begins, by hand."""

import torch

from training.blur import blur, blur_taps


def test_a_neighbour_at_the_distance_of_sigma_weighs_half():
    """Sigma is 2 pixels of 64 at first: 13 taps, the one two pixels off half of the middle one."""
    taps = blur_taps(64, 32, 0)
    assert len(taps) == 13 and torch.equal(taps, taps.flip(0))
    torch.testing.assert_close(taps[6 + 2], taps[6] / 2)
    torch.testing.assert_close(taps.sum(), torch.tensor(1.0))
    assert len(blur_taps(256, 32, 0)) == 49


def test_it_fades_over_200_kimg_of_32_images_a_step():
    """Halfway sigma is 1 pixel; 100 kimg at batch 8 are as many steps as 400 at 32."""
    taps = blur_taps(64, 32, 100_000)
    torch.testing.assert_close(taps[6 + 1], taps[6] / 2)
    assert len(taps) == 13
    assert blur_taps(64, 32, 200_000) is None and blur_taps(64, 8, 50_000) is None
    torch.testing.assert_close(blur_taps(64, 32, 199_999)[6], torch.tensor(1.0))


def test_a_constant_stays_and_a_point_becomes_the_taps():
    taps = blur_taps(64, 32, 0)
    flat = torch.full((1, 3, 64, 64), 0.5)
    torch.testing.assert_close(blur(flat, taps), flat)
    point = torch.zeros(1, 1, 64, 64)
    point[0, 0, 30, 20] = 1
    torch.testing.assert_close(blur(point, taps)[0, 0, 24:37, 14:27], taps.outer(taps))
