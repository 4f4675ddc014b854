"""The fused nonlinearity of a CPU against the convolutions of ops.py."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stylegan import Generator, GeneratorConfig, kernels, ops, sample_z
from stylegan.specs import layer_specs

pytest.importorskip("llvmlite", reason="needs LLVM: pip install llvmlite")

from stylegan import fused_cpu, jit, pointwise_cpu

ROOT = Path(__file__).parents[2]
CHANNELS = 20  # no multiple of what a vector holds
CASES = {  # height, up, down, before, size
    "odd size": (7, 2, 2, 10, 9),
    "cropped": (16, 2, 2, -11, 6),
    "twice the rate": (9, 4, 2, -6, 10),
    "twice the rate, begun elsewhere": (9, 4, 2, -5, 11),
    "half the rate": (20, 2, 4, 5, 9),
    "one sample": (1, 2, 2, 6, 1),
}


def draw(size, up, down, scale=300.0):
    """x of which some reaches the clamp, taps without any symmetry, a gain and a bias."""
    x = torch.randn(2, CHANNELS, size, size) * scale
    taps = torch.rand(6 * up) / 3, torch.randn(6 * down)
    return x, taps, torch.rand(2, CHANNELS) + 0.5, torch.randn(CHANNELS) * 50


def close(actual, expected, tolerance=2e-6):
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    error = (actual.double() - expected.double()).abs().max()
    assert error <= tolerance * expected.double().abs().max()


@pytest.mark.parametrize("case", CASES)
def test_values_and_both_derivatives_are_those_of_the_convolutions(case):
    """With weights on the first derivatives, so that the second reach x, the gain and the bias."""
    height, up, down, before, size = CASES[case]
    x, taps, gain, bias = draw(height, up, down)
    leaves = [t.requires_grad_() for t in (x, gain, bias)]
    weight = torch.randn(2, CHANNELS, size, size, requires_grad=True)
    others, found = [torch.randn_like(t) for t in leaves], []
    for f in (fused_cpu.filtered_lrelu, ops.convolved_lrelu):
        y = f(x, *taps, up, down, before, size, gain, bias)
        plain = torch.autograd.grad(y, leaves, weight, retain_graph=True)
        first = torch.autograd.grad(y, leaves, weight, create_graph=True)
        total = sum((a * b).sum() for a, b in zip(first, others, strict=True))
        second = torch.autograd.grad(total, [weight, x, gain])
        found.append([y, *plain, *first, *second])
    for actual, expected in zip(*found, strict=True):
        close(actual, expected)


@pytest.mark.parametrize("half", [False, True])
def test_vectors_of_eight_do_the_same(monkeypatch, half):
    """Those of processors without AVX-512."""
    x, taps, gain, bias = draw(9, 4, 2)
    x = x.bfloat16() if half else x
    leaves = [t.requires_grad_() for t in (x, gain, bias)]
    weight, found = torch.randn(2, CHANNELS, 10, 10).to(x.dtype), []
    monkeypatch.setattr(fused_cpu, "_program", fused_cpu._program.__wrapped__)  # keeps none
    for lanes in (jit.num_lanes(), 8):
        monkeypatch.setattr(jit, "num_lanes", lambda lanes=lanes: lanes)
        monkeypatch.setattr(fused_cpu, "num_lanes", jit.num_lanes)
        y = fused_cpu.filtered_lrelu(x, *taps, 4, 2, -6, 10, gain, bias)
        found.append([y, *torch.autograd.grad(y, leaves, weight)])
    for actual, expected in zip(*found, strict=True):
        close(actual, expected)


def test_every_layer_of_a_network_is_drawn_alike():
    """The kinds of layers that 64 pixels have."""
    specs = layer_specs(GeneratorConfig.stylegan3_t(64, num_layers=10))[:-1]
    kinds = {(s.up, s.down, *s.padding): s for s in specs}
    assert len(kinds) == 3
    for s in kinds.values():
        x, taps, gain, bias = draw(s.in_size + s.kernel - 1, s.up, s.down)
        with torch.no_grad():
            arguments = *taps, s.up, s.down, s.padding[0], s.out_size, gain, bias
            y = fused_cpu.filtered_lrelu(x, *arguments)
            close(y, ops.convolved_lrelu(x, *arguments))
            assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("form", ["channels_last", "strided", "expanded"])
def test_any_layout_is_read(form):
    x, taps, _, _ = draw(8, 2, 2)
    if form == "channels_last":
        x = x.to(memory_format=torch.channels_last)
    elif form == "strided":
        x = torch.randn(2, 2 * CHANNELS, 8, 24)[:, ::2, :, 1::3]
    else:
        x = x[:1, :1].expand(2, CHANNELS, 8, 8)
    y = fused_cpu.filtered_lrelu(x, *taps, 2, 2, 9, 8)
    close(y, ops.convolved_lrelu(x, *taps, 2, 2, 9, 8))


def test_bfloat16_is_read_and_written_and_summed_in_float32():
    """Only the result is rounded: the convolutions, which round often, are not as near."""
    x, taps, gain, bias = draw(8, 2, 2, scale=1.0)
    x, down_taps = x.bfloat16().requires_grad_(), taps[1].abs()
    filters = taps[0], down_taps, 2, 2, 9, 8, gain.requires_grad_(), bias
    exact = ops.convolved_lrelu(x.float(), *filters)
    y = fused_cpu.filtered_lrelu(x, *filters)
    assert torch.allclose(y.float(), exact, rtol=2**-8, atol=1e-5)
    found = torch.autograd.grad(y.float().sum(), (x, gain))
    for actual, expected in zip(found, torch.autograd.grad(exact.sum(), (x, gain)), strict=True):
        close(actual, expected, 2**-8)


def test_rounding_is_that_of_pytorch():
    """A constant passes these filters, so what comes out is the rounded bias."""
    taps, bias = torch.full((12,), 1 / 12), torch.randn(CHANNELS).abs()
    x = torch.zeros(1, CHANNELS, 30, 30, dtype=torch.bfloat16)
    y = fused_cpu.filtered_lrelu(x, taps, taps, 2, 2, -11, 10, torch.ones(()), bias)
    exact = fused_cpu.filtered_lrelu(x.float(), taps, taps, 2, 2, -11, 10, torch.ones(()), bias)
    assert torch.equal(y, exact.bfloat16())


def test_beyond_the_clamp_nothing_changes_and_what_is_no_number_stays_none():
    """Taps that pass a constant: 5000 comes out as 256 and gets no gradient."""
    taps = torch.full((12,), 1 / 12)
    x = torch.full((1, CHANNELS, 30, 30), 5000.0, requires_grad=True)
    y = fused_cpu.filtered_lrelu(x, taps, taps, 2, 2, -11, 10)
    torch.testing.assert_close(y, torch.full((1, CHANNELS, 10, 10), 256.0))
    (grad,) = torch.autograd.grad(y.sum(), x)
    assert not grad.any()
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.full((1, CHANNELS, 30, 30), torch.nan, dtype=dtype)
        assert fused_cpu.filtered_lrelu(x, taps, taps, 2, 2, -11, 10).isnan().all()


def test_threads_change_nothing_and_no_images_give_none():
    x, taps, gain, bias = draw(9, 2, 2)
    filters, found, threads = (*taps, 2, 2, 9, 8, gain, bias), [], torch.get_num_threads()
    x.requires_grad_()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            y = fused_cpu.filtered_lrelu(x, *filters)
            found.append([y, *torch.autograd.grad(y.sum(), x)])
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert fused_cpu.filtered_lrelu(x[:0], *filters[:-2]).shape == (0, CHANNELS, 8, 8)


def test_a_generator_draws_and_learns_alike(monkeypatch):
    config = GeneratorConfig.stylegan3_t(
        32, num_layers=3, channel_base=512, channel_max=CHANNELS, z_dim=8, w_dim=8
    )
    G = Generator(config)
    z, found = sample_z([0], 8), []
    for form in (kernels.Programs(fused_cpu, None, pointwise_cpu), kernels.Programs()):
        monkeypatch.setattr(kernels, "compiled", lambda form=form: form)
        image = G(z)
        grads = torch.autograd.grad(image.square().sum(), list(G.synthesis.parameters()))
        found.append([image, *grads])
    assert not torch.equal(*(images for images, *_ in found))  # two ways indeed
    for actual, expected in zip(*found, strict=True):
        close(actual, expected, 1e-5)


def test_it_suits_separable_filters_common_rates_and_full_vectors():
    x, line, square = torch.ones(1, CHANNELS, 4, 4), torch.ones(12), torch.ones(12, 12)
    assert fused_cpu.suits(x, line, line, 2, 2)
    assert fused_cpu.suits(x.bfloat16(), torch.ones(24), line, 4, 2)
    assert not fused_cpu.suits(x, line, square, 2, 2)  # R's
    assert not fused_cpu.suits(x, torch.ones(48), line, 8, 2)
    assert not fused_cpu.suits(x, torch.ones(10), line, 2, 2)
    assert not fused_cpu.suits(x.double(), line, line, 2, 2)
    assert not fused_cpu.suits(x[:, :4], line, line, 2, 2)


def test_without_llvmlite_convolutions_draw():
    code = (
        "import sys, torch\n"
        "sys.modules['llvmlite'] = None\n"
        "from stylegan import kernels, ops\n"
        "x, taps = torch.randn(1, 32, 8, 8), torch.ones(12) / 12\n"
        "y = ops.filtered_lrelu(x, taps, taps, 2, 2, 9, 8)\n"
        "assert torch.equal(y, ops.convolved_lrelu(x, taps, taps, 2, 2, 9, 8))\n"
        "assert kernels.compiled() == kernels.Programs()\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=ROOT)


def test_a_processor_that_llvm_does_not_know_is_done_without(monkeypatch):
    def fail():
        raise RuntimeError("no target")

    monkeypatch.setattr("stylegan.jit.machine", fail)
    with pytest.warns(UserWarning, match="LLVM cannot be used: no target"):
        assert kernels.compiled.__wrapped__() == kernels.Programs()
