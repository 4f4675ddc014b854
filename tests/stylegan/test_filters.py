"""The filters' design against scipy, and properties that any low-pass here must have."""

import numpy as np
import pytest
import torch
from scipy import signal, special

from stylegan.filters import kaiser_beta, lowpass, radial_lowpass

DESIGNS = [(12, 2.0, 6.0, 32), (24, 4.0, 4.0, 64), (12, 25.398, 7.35, 128), (48, 3.2, 9.0, 256)]


@pytest.mark.parametrize("numtaps, cutoff, half_width, fs", DESIGNS)
def test_lowpass_is_the_kaiser_design_of_scipy(numtaps, cutoff, half_width, fs):
    expected = signal.firwin(numtaps, cutoff, width=2 * half_width, fs=fs)
    np.testing.assert_allclose(lowpass(numtaps, cutoff, half_width, fs), expected, atol=1e-7)


@pytest.mark.parametrize("numtaps, half_width", [(12, 6.0), (12, 1.6), (12, 0.5), (2, 0.1)])
def test_beta_is_scipys_in_all_three_ranges(numtaps, half_width):
    attenuation = signal.kaiser_atten(numtaps, 2 * half_width / 16)
    expected = signal.kaiser_beta(attenuation)
    assert kaiser_beta(numtaps, half_width, 32) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("numtaps, cutoff, half_width, fs", DESIGNS)
def test_radial_lowpass_is_a_jinc_in_scipys_window(numtaps, cutoff, half_width, fs):
    x = (np.arange(numtaps) - (numtaps - 1) / 2) / fs
    r = np.hypot(x[:, None], x)
    beta = signal.kaiser_beta(signal.kaiser_atten(numtaps, 2 * half_width / (fs / 2)))
    window = signal.windows.kaiser(numtaps, beta)
    expected = special.j1(2 * np.pi * cutoff * r) / r * np.outer(window, window)
    actual = radial_lowpass(numtaps, cutoff, half_width, fs)
    np.testing.assert_allclose(actual, expected / expected.sum(), atol=1e-7)


@pytest.mark.parametrize("design", DESIGNS)
def test_filters_are_symmetric_with_unit_gain(design):
    taps, radial = lowpass(*design), radial_lowpass(*design)
    assert taps.shape == (design[0],) and radial.shape == (design[0], design[0])
    assert taps.dtype == radial.dtype == torch.float32
    assert taps.sum().item() == pytest.approx(1, abs=1e-6)
    assert radial.sum().item() == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(taps, taps.flip(0), rtol=0, atol=1e-8)
    torch.testing.assert_close(radial, radial.T, rtol=0, atol=1e-8)
    torch.testing.assert_close(radial, radial.flip(0), rtol=0, atol=1e-8)


def test_known_values():
    assert kaiser_beta(12, 6, 32) == pytest.approx(6.4437189, abs=1e-7)
    half = [0.0007919, 0.0100183, 0.0389495, 0.0924128, 0.1565256, 0.2013019]
    np.testing.assert_allclose(lowpass(12, 2, 6, 32), half + half[::-1], atol=1e-7)
    first = [-0.0016383, -0.0030553, -0.0037152, -0.0021454, 0.0033123, 0.0139821]
    np.testing.assert_allclose(lowpass(24, 4, 4, 64)[:6], first, atol=1e-7)
    radial = radial_lowpass(12, 2, 6, 32)
    np.testing.assert_allclose(radial[5:7, 5:7], 0.0387549, atol=1e-7)
    np.testing.assert_allclose(radial[0, 0], 8.412e-7, atol=1e-9)
