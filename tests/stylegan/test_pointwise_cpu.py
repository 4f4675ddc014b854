"""What is done to each number of an image in one pass, against PyTorch's own steps."""

import pytest
import torch

from stylegan import ops
from stylegan.activation import lrelu_clamp

pytest.importorskip("llvmlite", reason="needs LLVM: pip install llvmlite")

from stylegan import jit, pointwise_cpu

BOUND = 181.0  # exact in bfloat16


def draw(channels=20, size=9, dtype=torch.float32, count=3):
    """Channels that no vector divides; some numbers reach the bound."""
    shape = count, channels, size, size
    x = (torch.randn(shape) * 200).to(dtype, memory_format=torch.channels_last)
    return x, torch.rand(count, channels) + 0.5


def scaled(x, style):
    return x * style[:, :, None, None]


def clamped(x, bound):
    return lrelu_clamp(x.clone(), bound)


def functions(x, style):
    """The two that have gradients, as pairs of program and reference, and their leaves."""
    yield pointwise_cpu.scale, scaled, (x, style), ()
    yield pointwise_cpu.lrelu_clamp, clamped, (x,), (BOUND,)


def close(actual, expected, tolerance=2e-6):
    error = (actual.double() - expected.double()).abs().max()
    assert actual.shape == expected.shape and error <= tolerance * expected.double().abs().max()


@pytest.mark.parametrize("channels", [16, 20, 64, 301])
def test_values_and_both_derivatives_are_those_of_pytorch(channels):
    x, style = draw(channels)
    weight = torch.randn_like(x).contiguous().requires_grad_()  # in another order than x
    for program, reference, leaves, rest in functions(x, style):
        leaves = [t.requires_grad_() for t in leaves]
        others, found = [torch.randn_like(t) for t in leaves], []
        for f in (program, reference):
            y = f(*leaves, *rest)
            plain = torch.autograd.grad(y, leaves, weight, retain_graph=True)
            first = torch.autograd.grad(y, leaves, weight, create_graph=True)
            total = sum((a * b).sum() for a, b in zip(first, others, strict=True))
            second = torch.autograd.grad(total, [weight, *leaves], materialize_grads=True)
            found.append([y, *plain, *first, *second])
        for actual, expected in zip(*found, strict=True):
            close(actual, expected)


def test_in_bfloat16_only_the_result_is_rounded():
    x, style = draw(dtype=torch.bfloat16)
    weight = torch.randn_like(x)
    for program, reference, leaves, rest in functions(x, style):
        found = []
        for f, kind in ((program, torch.bfloat16), (reference, torch.float32)):
            narrow, *others = leaves
            given = [t.detach().requires_grad_() for t in (narrow.to(kind), *others)]
            y = f(*given, *rest)
            found.append([y, *torch.autograd.grad(y, given, weight.to(kind))])
        for actual, expected in zip(*found, strict=True):
            assert torch.equal(actual, expected.to(torch.bfloat16)) or actual.ndim == 2
        if len(leaves) == 2:  # the gradient of styles is a sum, in float32
            close(found[0][2], found[1][2])


def test_the_mean_square_of_parts_and_what_they_leave():
    for x in (draw(64, 36)[0], draw(20, 9)[0], draw(64, 36, torch.bfloat16)[0]):
        close(pointwise_cpu.mean_square(x), x.double().square().mean().float())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_vectors_of_eight_and_any_number_of_threads_do_the_same(monkeypatch, dtype):
    """Eight: as processors have them that lack AVX-512."""
    x, style = draw(dtype=dtype)
    weight, threads, found = torch.randn_like(x), torch.get_num_threads(), []
    for name in ("_scaling", "_activation"):
        monkeypatch.setattr(pointwise_cpu, name, getattr(pointwise_cpu, name).__wrapped__)
    try:
        for count, lanes in ((1, jit.num_lanes()), (2, jit.num_lanes()), (5, 8)):
            torch.set_num_threads(count)
            monkeypatch.setattr(jit, "num_lanes", lambda lanes=lanes: lanes)
            monkeypatch.setattr(pointwise_cpu, "num_lanes", jit.num_lanes)
            results = []
            for program, _, leaves, rest in functions(x, style):
                leaves = [t.detach().requires_grad_() for t in leaves]
                y = program(*leaves, *rest)
                results += [y, *torch.autograd.grad(y, leaves, weight)]
            found.append(results)
    finally:
        torch.set_num_threads(threads)
    for results in found[1:]:
        for actual, expected in zip(results, found[0], strict=True):
            assert torch.equal(actual, expected)


def test_what_is_no_number_stays_none():
    x, style = draw()
    x[0, 3, 2, 2] = torch.nan
    for program, _, leaves, rest in functions(x, style):
        assert program(*leaves, *rest)[0, 3, 2, 2].isnan()
    assert pointwise_cpu.mean_square(x).isnan()


def test_networks_use_it_for_images_that_suit(monkeypatch):
    x, style = draw(dtype=torch.bfloat16)
    assert pointwise_cpu.suits(x)
    for other in (x.contiguous(), x[:, :3], x[:0], x.double(), x.half()):
        assert not pointwise_cpu.suits(other)
    with torch.no_grad():
        for given in (x, x.contiguous()):
            wide = given.float()
            close(ops.scale(given, style), scaled(wide, style), 8e-3)
            close(ops.activate(given.clone(), BOUND), clamped(wide, BOUND), 8e-3)
            close(ops.mean_square(given), wide.square().mean())
    used = []
    for name in ("scale", "lrelu_clamp", "mean_square"):
        found = getattr(pointwise_cpu, name)
        monkeypatch.setattr(
            pointwise_cpu, name, lambda *a, f=found, n=name: used.append(n) or f(*a)
        )
    ops.scale(x, style), ops.activate(x.clone(), BOUND), ops.mean_square(x)
    assert used == ["scale", "lrelu_clamp", "mean_square"]
