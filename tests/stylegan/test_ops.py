"""Tensor operations against slow ones written from their definition, and their derivatives."""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck

from stylegan import ops
from stylegan.ops import (
    CLAMP,
    WIDE,
    convolve,
    downsample_blur,
    filtered_lrelu,
    lrelu_clamp,
    may_clamp,
    modulated_conv2d,
    upsample,
)


def correlate(x, taps):
    """Every channel with taps (n,), on both axes, or (n, n)."""
    taps = taps.outer(taps) if taps.ndim == 1 else taps
    return F.conv2d(x, taps.expand(x.shape[1], 1, *taps.shape), groups=x.shape[1])


def slow_filtered_lrelu(x, up_taps, down_taps, up, down, before, size):
    """Insert zeros, pad, filter, bend, clamp, filter, drop samples."""
    n, channels, height, _ = x.shape
    stuffed = x.new_zeros(n, channels, height * up, height * up)
    stuffed[:, :, ::up, ::up] = x
    mid = (size - 1) * down + len(down_taps)
    after = mid + len(up_taps) - 1 - height * up - before
    x = correlate(F.pad(stuffed, [before, after] * 2), up_taps) * up**2
    x = F.leaky_relu(x, 0.2).clamp(-256, 256)
    return correlate(x, down_taps)[:, :, ::down, ::down]


CASES = {  # height, up, down, before, size
    "same size": (8, 2, 2, 9, 8),
    "odd size": (7, 2, 2, 10, 9),
    "even padding": (8, 2, 2, 8, 7),
    "cropped": (16, 2, 2, -11, 6),
    "cropped by an even number": (16, 2, 2, -10, 6),
    "twice the rate": (9, 4, 2, -6, 10),
    "twice the rate, padded": (7, 4, 2, 5, 19),
    "four times the rate": (8, 8, 2, -17, 13),
    "kept at the higher rate": (6, 2, 1, 7, 10),
}


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("radial", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_filtered_lrelu_equals_zero_stuffing(case, radial, channels_last):
    """Taps without any symmetry, so that a mirrored or transposed filter would show."""
    height, up, down, before, size = CASES[case]
    x = torch.randn(2, 3, height, height, dtype=torch.float64) * 100  # some reach the clamp
    up_taps = torch.rand(6 * up, dtype=torch.float64) / 3
    down_taps = torch.randn(*[6 * down] * (2 if radial else 1), dtype=torch.float64)
    expected = slow_filtered_lrelu(x, up_taps, down_taps, up, down, before, size)
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
    before_call = x.clone()
    actual = filtered_lrelu(x, up_taps, down_taps, up, down, before, size)
    torch.testing.assert_close(actual, expected)
    assert actual.shape == (2, 3, size, size)
    assert torch.equal(x, before_call)  # the input is left alone


@pytest.mark.parametrize("radial", [False, True])
def test_filtered_lrelu_in_bfloat16(radial):
    """The type is kept; eight bits of precision stay after some twenty sums."""
    x = torch.randn(1, 2, 10, 10)
    up_taps, down_taps = torch.hann_window(14)[1:-1] / 6.5, torch.hann_window(14)[1:-1] / 6.5
    down_taps = down_taps.outer(down_taps) if radial else down_taps
    expected = slow_filtered_lrelu(x, up_taps, down_taps, 2, 2, 9, 10)
    actual = filtered_lrelu(x.bfloat16(), up_taps, down_taps, 2, 2, 9, 10)
    assert actual.dtype == torch.bfloat16
    torch.testing.assert_close(actual.float(), expected, rtol=0, atol=0.03 * expected.abs().max())


@pytest.mark.parametrize("radial", [False, True])
@pytest.mark.parametrize("up, before", [(2, 3), (4, -3)])
def test_filtered_lrelu_has_first_and_second_derivatives(up, before, radial):
    """Also with values beyond the clamp, whose gradient is zero."""
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64)
    x[0, 0, 1, 1] = 5000.0
    x.requires_grad_()
    up_taps = torch.rand(2 * up, dtype=torch.float64)
    down_taps = torch.randn(*[4] * (2 if radial else 1), dtype=torch.float64)

    def f(x):
        return filtered_lrelu(x, up_taps, down_taps, up, 2, before, 3)

    assert gradcheck(f, x)
    assert gradgradcheck(f, x)


def test_activations_are_clamped_at_256():
    """5000 is held at 256, -5000 becomes -1000 and is held at -256; 100 and -100 * 0.2 pass."""
    x = torch.tensor([5000.0, -5000.0, 100.0, -100.0, 256.0, -1280.0])
    expected = torch.tensor([256.0, -256.0, 100.0, -20.0, 256.0, -256.0])
    assert CLAMP == 256
    torch.testing.assert_close(lrelu_clamp(x.clone()), expected)


def test_filtered_lrelu_clamps_between_its_filters():
    """Taps that pass a constant unchanged: 5000 comes out as 256."""
    up_taps, down_taps = torch.full((12,), 1 / 12), torch.full((12,), 1 / 12)
    y = filtered_lrelu(torch.full((1, 1, 30, 30), 5000.0), up_taps, down_taps, 2, 2, -11, 10)
    torch.testing.assert_close(y, torch.full((1, 1, 10, 10), 256.0))


@pytest.mark.parametrize("up, count", [(1, 6), (2, 12), (4, 24), (2, 11)])
def test_what_cannot_reach_the_bound_need_not_be_clamped(up, count):
    """The bound is right for the signal that interpolation makes largest, and only for that."""
    taps = torch.randn(count)
    phase = max((taps[i::up] for i in range(up)), key=lambda part: part.abs().sum())
    weight = phase.abs().sum().item()
    signs = F.pad(phase, [5, 5]).sign()
    x = signs.outer(signs)[None, None]
    largest = upsample(x, taps, up, 0, len(signs) * up).abs().max().item()
    assert largest == pytest.approx(weight**2, rel=1e-5)
    assert may_clamp(x * (1.001 * CLAMP / largest), taps, up)
    assert not may_clamp(x * (0.999 * CLAMP / largest), taps, up)


def test_an_accelerator_is_not_asked_whether_to_clamp(monkeypatch):
    """It would be waited for."""
    monkeypatch.setattr(ops, "may_clamp", lambda *_: pytest.fail("it was"))
    taps, x = torch.ones(12, device="meta"), torch.ones(1, 2, 8, 8, device="meta")
    assert filtered_lrelu(x, taps, taps, 2, 2, 9, 8).shape == (1, 2, 8, 8)
    with pytest.raises(pytest.fail.Exception):
        filtered_lrelu(torch.ones(1, 2, 8, 8), torch.ones(12), torch.ones(12), 2, 2, 9, 8)


def test_one_image_that_is_clamped_is_enough():
    """Of others as before, and with no image at all nothing is wrong."""
    taps, x = torch.full((12,), 1 / 12), torch.ones(3, 1, 30, 30)
    x[1] = 5000
    y = filtered_lrelu(x, taps, taps, 2, 2, -11, 10)
    torch.testing.assert_close(y.mean(dim=(1, 2, 3)), torch.tensor([1.0, 256.0, 1.0]))
    assert filtered_lrelu(x[:0], taps, taps, 2, 2, -11, 10).shape == (0, 1, 10, 10)


@pytest.mark.parametrize("clamped", [False, True])
def test_gradients_are_the_same_with_and_without_the_clamp(clamped):
    """Where samples are held at the bound there is none."""
    x = torch.randn(2, 3, 12, 12, dtype=torch.float64) * (2000 if clamped else 20)
    taps = torch.hann_window(14, dtype=torch.float64)[1:-1] / 6.5
    assert may_clamp(x, taps * 2, 2) == clamped
    found = []
    for f in (filtered_lrelu, slow_filtered_lrelu):
        y = f(leaf := x.clone().requires_grad_(), taps, taps, 2, 2, 9, 12)
        found.append([y, *torch.autograd.grad(y.square().sum(), leaf)])
    torch.testing.assert_close(*found)


def slow_modulated_conv2d(x, weight, bias, style, gain, demodulate):
    """One set of weights per sample, from the formula."""
    out = []
    for image, s in zip(x, style, strict=True):
        w = weight * s[None, :, None, None]
        if demodulate:
            w = weight / weight.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
            w = w * (s / s.square().mean().sqrt())[None, :, None, None]
            w = w / (w.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        y = F.conv2d(image[None], w, padding=weight.shape[2] - 1) * gain
        out.append(y + bias[:, None, None])
    return torch.cat(out)


@pytest.mark.parametrize("stride, padding", [(1, 0), (1, 1), (1, 2), (2, 0)])
@pytest.mark.parametrize("channels", [3, 80])
def test_convolve_is_a_convolution(channels, stride, padding):
    """In each of its forms, with the gradients; 80 channels are convolved by Winograd's way."""
    x = torch.randn(1, channels, 24, 24, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(80, channels, 3, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(80, dtype=torch.float64, requires_grad=True)
    geometry, found = dict(stride=stride, padding=padding), []
    for form in (ops.convolve, F.conv2d):
        y = form(x, weight, bias, **geometry)
        found.append([y, *torch.autograd.grad(y.square().sum(), (x, weight, bias))])
    for actual, expected in zip(*found, strict=True):
        torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("demodulate", [False, True])
@pytest.mark.parametrize("kernel", [1, 3])
def test_modulated_conv2d_equals_weights_per_sample(kernel, demodulate):
    x = torch.randn(3, 4, 6, 6, dtype=torch.float64)
    weight = torch.randn(5, 4, kernel, kernel, dtype=torch.float64)
    bias, gain = torch.randn(5, dtype=torch.float64), torch.tensor(0.7, dtype=torch.float64)
    style = torch.randn(3, 4, dtype=torch.float64) * torch.tensor([[1.0], [3.0], [0.2]])
    actual = modulated_conv2d(x, weight, bias, style, gain, demodulate=demodulate)
    expected = slow_modulated_conv2d(x, weight, bias, style, gain, demodulate)
    assert actual.shape[2] == 6 + kernel - 1
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
def test_a_batch_equals_its_samples_one_by_one(demodulate, grad):
    """Of which each alone is folded into the weights where no gradient is kept."""
    x, weight = torch.randn(4, 3, 5, 5), torch.randn(2, 3, 3, 3)
    bias, style, gain = torch.randn(2), torch.randn(4, 3), torch.tensor(1.3)

    def draw(i):
        return modulated_conv2d(x[i], weight, bias, style[i], gain, demodulate=demodulate)

    with torch.set_grad_enabled(grad):
        torch.testing.assert_close(draw(slice(4)), torch.cat([draw([i]) for i in range(4)]))


@pytest.mark.parametrize("grad", [False, True])
def test_demodulation_adds_1e_8_to_the_power(grad):
    """Weights (1, 0) normalise to (sqrt 2, 0), style (e, 1) to sqrt 2 (e, 1): the power is 4 e^2.
    At e = 5e-5 that is 1e-8, so the result is 1 / sqrt 2 of the input."""
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64)
    weight = torch.tensor([[1.0, 0.0]], dtype=torch.float64)[:, :, None, None]
    style = torch.tensor([[5e-5, 1.0]], dtype=torch.float64)
    zero, one = torch.zeros(1, dtype=torch.float64), torch.ones((), dtype=torch.float64)
    with torch.set_grad_enabled(grad):
        y = modulated_conv2d(x, weight, zero, style, one, demodulate=True)
    torch.testing.assert_close(y, x[:, :1] / math.sqrt(2), rtol=1e-6, atol=0)


def test_modulated_conv2d_has_first_and_second_derivatives():
    x = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, dtype=torch.float64, requires_grad=True)
    style = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    gain = torch.tensor(0.5, dtype=torch.float64)

    def f(x, weight, bias, style):
        return modulated_conv2d(x, weight, bias, style, gain, demodulate=True)

    assert gradcheck(f, (x, weight, bias, style))
    assert gradgradcheck(f, (x, weight, bias, style))


@pytest.mark.parametrize(
    "inputs, outputs, padding", [(WIDE, WIDE, 1), (WIDE + 8, WIDE, 1), (WIDE - 1, WIDE, 2)]
)
def test_wide_full_convolutions_pad_in_two_steps_for_the_gradient_of_weights(
    inputs, outputs, padding, monkeypatch
):
    """With the same result and derivatives; not where no such gradient is wanted."""
    paddings, conv2d, found = [], F.conv2d, []

    def watched(x, weight, bias, stride, padding):
        paddings.append(padding)
        return conv2d(x, weight, bias, stride, padding)

    x = torch.randn(2, inputs, 5, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(outputs, inputs, 3, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(outputs, dtype=torch.float64)
    monkeypatch.setattr(F, "conv2d", watched)
    for f in (convolve, partial(conv2d, stride=1)):
        y = f(x, weight, bias, padding=2)
        first = torch.autograd.grad(y.square().sum(), (x, weight), create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), (x, weight))
        found.append([y, *first, *second])
    convolve(x, weight.detach(), bias, padding=2)
    torch.testing.assert_close(*found)
    assert paddings == [padding, 2]


def test_blur_of_a_point_is_its_kernel():
    """outer([1, 3, 3, 1]) / 64, and with stride 2 every second sample from the first."""
    x = torch.zeros(1, 2, 5, 5)
    x[0, 1, 2, 2] = 64.0
    row = torch.tensor([1.0, 3.0, 3.0, 1.0])
    blurred = downsample_blur(x, padding=2, stride=1)
    torch.testing.assert_close(blurred[0, 1, 1:5, 1:5], row.outer(row))
    assert blurred.shape == (1, 2, 6, 6) and not blurred[0, 0].any()
    torch.testing.assert_close(downsample_blur(x, padding=2, stride=2), blurred[:, :, ::2, ::2])


def test_half_precision_is_filtered_in_float32_on_a_cpu(monkeypatch):
    """And comes back in its own type."""
    types, conv2d = [], F.conv2d

    def watched(x, weight, *rest, **more):
        types.append((x.dtype, weight.dtype))
        return conv2d(x, weight, *rest, **more)

    monkeypatch.setattr(F, "conv2d", watched)
    x = torch.randn(2, 3, 9, 9).bfloat16()
    assert downsample_blur(x, padding=1, stride=2).dtype == torch.bfloat16
    assert types == [(torch.float32, torch.float32)]


def test_images_take_turns_and_channels_of_large_ones(monkeypatch):
    """With the same values and gradients: 3 images of 37 channels at once, two and one, one by one,
    and each as 16, 16 and 5 channels."""
    x = torch.randn(3, 37, 8, 8, dtype=torch.float64, requires_grad=True)
    taps, found, seen = torch.rand(12, dtype=torch.float64), [], []
    upsample = ops.upsample

    def watched(x, *rest):
        seen.append(x.shape[:2])
        return upsample(x, *rest)

    monkeypatch.setattr(ops, "upsample", watched)
    for maps in (3 * 37, 2 * 37, 37, 20):
        monkeypatch.setattr(ops, "MOST_SAMPLES", maps * 26**2)  # 26 between the filters, on a side
        y = filtered_lrelu(x, taps, taps, 2, 2, 9, 8)
        found.append([y, *torch.autograd.grad(y.square().sum(), x)])
    assert seen[:6] == [(3, 37), (2, 37), (1, 37), (1, 37), (1, 37), (1, 37)]
    assert seen[6:] == [(1, 16), (1, 16), (1, 5)] * 3
    for parts in found[1:]:
        torch.testing.assert_close(parts, found[0])
