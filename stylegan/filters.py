"""Low-pass filters of the synthesis network, designed once when a layer is built.

Each layer resamples its features with a windowed sinc whose cutoff and transition band come from
its `LayerSpec`. Frequencies are in cycles per image width: a signal sampled at `fs` pixels per
image width holds frequencies up to `fs / 2`. All filters are symmetric and sum to 1.

    lowpass(numtaps, cutoff, half_width, fs)          separable   (numtaps,)
    radial_lowpass(numtaps, cutoff, half_width, fs)   isotropic   (numtaps, numtaps)

Reference: Karras et al. 2021 (arXiv:2106.12423), Sec. 3.2 and App. C.
"""

import math

import torch
from torch import Tensor


def kaiser_beta(numtaps: int, half_width: float, fs: float) -> float:
    """Shape of the Kaiser window for a transition band of 2 * half_width around the cutoff."""
    attenuation = 2.285 * (numtaps - 1) * math.pi * (2 * half_width / (fs / 2)) + 7.95
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    if attenuation > 21:
        return 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    return 0.0


def _window(numtaps: int, half_width: float, fs: float) -> Tensor:
    beta = kaiser_beta(numtaps, half_width, fs)
    return torch.kaiser_window(numtaps, periodic=False, beta=beta, dtype=torch.float64)


def _positions(numtaps: int) -> Tensor:
    """Sample positions around the filter's centre, in samples."""
    return torch.arange(numtaps, dtype=torch.float64) - (numtaps - 1) / 2


def lowpass(numtaps: int, cutoff: float, half_width: float, fs: float) -> Tensor:
    """Windowed sinc, float32 (numtaps,)."""
    taps = torch.sinc(2 * cutoff / fs * _positions(numtaps)) * _window(numtaps, half_width, fs)
    return (taps / taps.sum()).float()


def radial_lowpass(numtaps: int, cutoff: float, half_width: float, fs: float) -> Tensor:
    """Windowed jinc, float32 (numtaps, numtaps); `numtaps` is even, so no tap sits at radius 0."""
    t = _positions(numtaps) / fs
    radius = torch.hypot(t[:, None], t[None, :])
    taps = torch.special.bessel_j1(2 * math.pi * cutoff * radius) / (math.pi * radius)
    window = _window(numtaps, half_width, fs)
    taps = taps * window[:, None] * window[None, :]
    return (taps / taps.sum()).float()
