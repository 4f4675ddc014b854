"""The fused nonlinearity against the convolutions of ops.py, in Triton's interpreter."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from stylegan import Generator, GeneratorConfig, kernels, ops, sample_z
from stylegan.specs import layer_specs

ROOT = Path(__file__).parents[2]
triton = pytest.importorskip("triton", reason="needs Triton: pip install triton")


@pytest.fixture(scope="module")
def module():
    """stylegan.fused for the interpreter, which is chosen when a kernel is defined."""
    path = ROOT / "stylegan" / "fused.py"
    spec = importlib.util.spec_from_file_location("interpreted_fused", path)
    fused = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        spec.loader.exec_module(fused)
        patch.setattr(fused, "BLOCK", 1024)  # it takes the same time for a few threads
        patch.setattr(fused, "THREADS", 1 << 20)
        patch.setattr(fused, "MIN_ROWS", 8)
        yield fused


def draw(size, up, down, scale=300.0):
    """x of which some reaches the clamp, taps without any symmetry, a gain and a bias."""
    x = torch.randn(2, 3, size, size) * scale
    taps = torch.rand(6 * up) / 3, torch.randn(6 * down)
    return x, taps, torch.rand(2, 3) + 0.5, torch.randn(3) * 50


def close(actual, expected, tolerance=2e-6):
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    error = (actual.double() - expected.double()).abs().max()
    assert error <= tolerance * expected.double().abs().max()


CASES = {  # height, up, down, before, size
    "odd size": (7, 2, 2, 10, 9),
    "cropped": (16, 2, 2, -11, 6),
    "twice the rate": (9, 4, 2, -6, 10),
    "kept at the higher rate": (6, 2, 1, 7, 10),
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_both_derivatives_are_those_of_the_convolutions(module, case):
    """With weights on the first derivatives, so that the second reach x, the gain and the bias."""
    height, up, down, before, size = CASES[case]
    x, taps, gain, bias = draw(height, up, down)
    numbers = up, down, before, size
    leaves = [t.requires_grad_() for t in (x, gain, bias)]
    weight = torch.randn(2, 3, size, size, requires_grad=True)
    others = [torch.randn_like(t) for t in leaves]
    found = []
    for f in (module.filtered_lrelu, ops.filtered_lrelu):
        y = f(x, *taps, *numbers, gain, bias)
        first = torch.autograd.grad(y, leaves, weight, create_graph=True)
        total = sum((a * b).sum() for a, b in zip(first, others, strict=True))
        second = torch.autograd.grad(total, [weight, x, gain])
        found.append([y, *first, *second])
    for actual, expected in zip(*found, strict=True):
        close(actual, expected)


def test_every_layer_of_a_network_is_drawn_alike(module):
    """The kinds of layers that 64 pixels have."""
    specs = layer_specs(GeneratorConfig.stylegan3_t(64, num_layers=10))[:-1]
    kinds = {(s.up, s.down, *s.padding): s for s in specs}
    assert len(kinds) == 3
    for s in kinds.values():
        side = s.in_size + s.kernel - 1
        x, taps, gain, bias = draw(side, s.up, s.down)
        x, gain = x[:1], gain[:1]
        with torch.no_grad():
            arguments = *taps, s.up, s.down, s.padding[0], s.out_size, gain, bias
            close(module.filtered_lrelu(x, *arguments), ops.filtered_lrelu(x, *arguments))


@pytest.mark.parametrize("form", ["channels_last", "strided", "expanded"])
def test_any_layout_is_read_in_place(module, form):
    x, taps, _, _ = draw(8, 2, 2)
    if form == "channels_last":
        x = x.to(memory_format=torch.channels_last)
    elif form == "strided":
        x = torch.randn(2, 6, 8, 24)[:, ::2, :, 1::3]
    else:
        x = x[:1, :1].expand(2, 3, 8, 8)
    y = module.filtered_lrelu(x, *taps, 2, 2, 9, 8)
    close(y, ops.filtered_lrelu(x, *taps, 2, 2, 9, 8))
    assert y.is_contiguous(memory_format=torch.channels_last) == (form == "channels_last")


def test_bfloat16_is_read_and_written_and_summed_in_float32(module):
    """As near as the rounding of the result: the convolutions, which round often, are not."""
    x, taps, gain, bias = draw(8, 2, 2, scale=1.0)
    x, up_taps, down_taps = x.bfloat16().requires_grad_(), taps[0], taps[1].abs()
    exact = ops.filtered_lrelu(x.float(), up_taps, down_taps, 2, 2, 9, 8, gain, bias)
    y = module.filtered_lrelu(x, up_taps, down_taps, 2, 2, 9, 8, gain, bias)
    close(y, exact.bfloat16(), 2**-7)  # the interpreter cuts off what a GPU rounds
    (grad,) = torch.autograd.grad(y.float().sum(), x)
    (expected,) = torch.autograd.grad(exact.sum(), x)
    close(grad, expected, 2**-6)


def test_beyond_the_clamp_nothing_changes(module):
    """Taps that pass a constant: 5000 comes out as 256 and gets no gradient."""
    taps = torch.full((12,), 1 / 12)
    x = torch.full((1, 1, 30, 30), 5000.0, requires_grad=True)
    y = module.filtered_lrelu(x, taps, taps, 2, 2, -11, 10)
    torch.testing.assert_close(y, torch.full((1, 1, 10, 10), 256.0))
    (grad,) = torch.autograd.grad(y.sum(), x)
    assert not grad.any()


def test_a_generator_draws_and_learns_alike(module, monkeypatch):
    config = GeneratorConfig.stylegan3_t(
        32, num_layers=3, channel_base=64, channel_max=4, z_dim=8, w_dim=8
    )
    G = Generator(config)
    z, found = sample_z([0], 8), []
    for filtered_lrelu in (module.filtered_lrelu, ops.filtered_lrelu):
        monkeypatch.setattr("stylegan.generator.filtered_lrelu", filtered_lrelu)
        image = G(z)
        grads = torch.autograd.grad(image.square().sum(), list(G.synthesis.parameters()))
        found.append([image, *grads])
    for actual, expected in zip(*found, strict=True):
        close(actual, expected, 1e-5)


def test_the_cpu_does_without_it():
    """Neither the kernel nor Triton is imported to draw there."""
    code = (
        "import sys, torch, stylegan.generator\n"
        "from stylegan.ops import filtered_lrelu as f\n"
        "f(torch.ones(1, 1, 8, 8), torch.ones(12), torch.ones(12), 2, 2, 9, 8)\n"
        "assert 'stylegan.fused' not in sys.modules and 'triton' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_it_is_taken_on_a_gpu_for_what_it_suits(monkeypatch):
    suits = []
    fused = SimpleNamespace(suits=lambda *_: suits[-1], filtered_lrelu=lambda *_: "fused")
    monkeypatch.setattr(ops, "convolved_lrelu", lambda *_: "convolved")
    arguments = SimpleNamespace(is_cuda=True), None, None, 2, 2, 9, 8
    for found, suiting, expected in [
        (fused, True, "fused"),
        (fused, False, "convolved"),
        (None, True, "convolved"),
    ]:
        monkeypatch.setattr(kernels, "fused", lambda found=found: found)
        suits.append(suiting)
        assert ops.filtered_lrelu(*arguments) == expected


def test_it_suits_separable_filters_and_common_rates(module):
    x, line, square = torch.ones(1, 1, 4, 4), torch.ones(12), torch.ones(12, 12)
    assert module.suits(x, line, line, 4, 2) and module.suits(x.bfloat16(), line, line, 2, 2)
    assert not module.suits(x, line, square, 2, 2)  # R's
    assert not module.suits(x, line, line, 8, 2)
    assert not module.suits(x.double(), line, line, 2, 2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_triton_that_cannot_run_is_done_without():
    with pytest.warns(UserWarning, match="Triton cannot be used"):
        assert kernels.fused.__wrapped__() is None


def test_it_compiles_for_a_gpu_that_is_not_here():
    """What the interpreter accepts the compiler may not."""
    code = """
import torch
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from stylegan import fused
up = fused.Band(torch.ones(12), 2, -2, True)
down = fused.Band(torch.ones(12), 2, 0, False)
pointers = dict(mask="*i16", gain="*fp32", bias="*fp32", inner_taps="*fp32", outer_taps="*fp32")
for dtype, bands, given in (("*fp32", (up, down), False), ("*bf16", (down, up), True)):
    fixed = fused.variant(*bands, given, not given) | dict(x_channel=1, y_channel=1)
    types = {name: "i32" for name in fused._filter_kernel.arg_names}
    types |= dict.fromkeys(fixed, "constexpr") | pointers | dict(x=dtype, y=dtype)
    source = ASTSource(fused._filter_kernel, types, fixed)
    kernel = compile(source, target=GPUTarget("cuda", 90, 32), options=dict(num_warps=2))
    assert kernel.asm["cubin"] and kernel.metadata.shared == 0
"""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environment)
