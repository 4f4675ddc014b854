"""The discriminator's low-pass in one pass, against the convolution of ops.py."""

import pytest
import torch

from stylegan import kernels, ops

pytest.importorskip("llvmlite", reason="needs LLVM: pip install llvmlite")

from stylegan import blur_cpu, jit

GEOMETRIES = [(2, 1), (1, 1), (1, 2), (2, 2)]  # padding, stride


def draw(channels=20, size=9, dtype=torch.float32):
    x = torch.randn(3, channels, size, size)
    return x.to(dtype, memory_format=torch.channels_last).requires_grad_()


def both_forms(monkeypatch):
    """The low-pass of ops.py with the program, then without."""
    yield ops.downsample_blur
    monkeypatch.setattr(kernels, "compiled", kernels.Programs)
    yield ops.downsample_blur


@pytest.mark.parametrize("padding, stride", GEOMETRIES)
@pytest.mark.parametrize("channels, size", [(16, 8), (20, 9), (64, 17)])
def test_values_and_both_derivatives_are_those_of_the_convolution(
    monkeypatch, channels, size, padding, stride
):
    """For R1 the gradient has one itself, with respect to what it is a gradient for."""
    x, found = draw(channels, size), []
    for f in both_forms(monkeypatch):
        y = f(x, padding, stride)
        seen = torch.linspace(-1, 1, y.numel()).view_as(y).requires_grad_()  # in another order
        (dx,) = torch.autograd.grad(y, x, seen, create_graph=True)
        other = torch.linspace(-1, 1, x.numel()).view_as(x)
        found.append([y, dx, *torch.autograd.grad(dx, seen, other)])
    assert "Blur" in type(found[0][0].grad_fn).__name__  # two ways indeed
    assert "Blur" not in type(found[1][0].grad_fn).__name__
    for actual, expected in zip(*found, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("padding, stride", GEOMETRIES)
def test_in_bfloat16_only_the_result_is_rounded(padding, stride):
    x = draw(dtype=torch.bfloat16)
    y = blur_cpu.downsample_blur(x, padding, stride)
    exact = blur_cpu.downsample_blur(x.float(), padding, stride)
    assert torch.equal(y, exact.to(torch.bfloat16))
    grads = [torch.autograd.grad(z, x, torch.ones_like(z))[0] for z in (y, exact)]
    assert torch.equal(*grads)


def test_vectors_of_eight_and_any_number_of_threads_do_the_same(monkeypatch):
    """Eight: as processors have them that lack AVX-512."""
    x, threads, found = draw(), torch.get_num_threads(), []
    monkeypatch.setattr(blur_cpu, "_program", blur_cpu._program.__wrapped__)  # keeps none
    try:
        for count, lanes in ((1, jit.num_lanes()), (2, jit.num_lanes()), (5, 8)):
            torch.set_num_threads(count)
            monkeypatch.setattr(jit, "num_lanes", lambda lanes=lanes: lanes)
            y = [blur_cpu.downsample_blur(x, *geometry) for geometry in GEOMETRIES]
            found.append([*y, *torch.autograd.grad(sum(z.square().sum() for z in y), x)])
    finally:
        torch.set_num_threads(threads)
    for results in found[1:]:
        for actual, expected in zip(results, found[0], strict=True):
            torch.testing.assert_close(actual, expected, rtol=0, atol=0)


def test_what_is_no_number_spreads_and_no_image_is_none():
    x = draw().detach()
    x[0, 3, 0, 4] = torch.nan
    lost = blur_cpu.downsample_blur(x, 2, 1).isnan()
    assert lost[0, 3, :3, 3:7].all() and lost.sum() == 12
    assert blur_cpu.downsample_blur(x[:0], 1, 2).shape == (0, 20, 4, 4)
