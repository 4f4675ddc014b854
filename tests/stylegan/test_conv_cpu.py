"""Convolutions whose gradient of the weights is a program, against PyTorch's own."""

import pytest
import torch
import torch.nn.functional as F

from stylegan import ops

pytest.importorskip("llvmlite", reason="needs LLVM: pip install llvmlite")

from stylegan import conv_cpu

CASES = {  # inputs, outputs, height, width, stride, padding
    "full, as G has them": (32, 20, 12, 12, 1, 2),
    "as large as before": (20, 32, 13, 17, 1, 1),
    "half as large": (16, 40, 27, 29, 2, 0),
    "no more than the kernel": (17, 17, 3, 3, 1, 0),
}


def draw(inputs, outputs, height, width, count=3):
    x = torch.randn(count, inputs, height, width).to(memory_format=torch.channels_last)
    return x, torch.randn(outputs, inputs, 3, 3), torch.randn(outputs)


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_values_and_both_derivatives_are_those_of_pytorch(case, with_bias):
    *sizes, stride, padding = CASES[case]
    leaves = [t.requires_grad_() for t in draw(*sizes)[: 2 + with_bias]]
    x, weight, bias = leaves if with_bias else (*leaves, None)
    found = []
    for f in (conv_cpu.convolve, F.conv2d):
        y = f(x, weight, bias, stride, padding)
        seen = torch.linspace(-1, 1, y.numel()).view_as(y)  # in another order than y
        plain = torch.autograd.grad(y, leaves, seen, retain_graph=True)
        first = torch.autograd.grad(y.square().sum(), leaves, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), leaves)
        found.append([y, *plain, *first, *second])
    for actual, expected in zip(*found, strict=True):
        error = (actual - expected).norm() / expected.norm()
        assert actual.shape == expected.shape and error < 1e-5


def test_the_number_of_threads_changes_no_bit():
    x, weight, _ = draw(20, 40, 14, 14)
    weight.requires_grad_()
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            y = conv_cpu.convolve(x, weight, None, 1, 1)
            found.append(torch.autograd.grad(y.square().sum(), weight)[0])
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


def test_only_what_is_asked_for_is_found(monkeypatch):
    """Neither weights that stay as they are nor a fixed image cost anything."""
    asked, backward = [], conv_cpu._backward

    def watched(*arguments):
        asked.append(arguments[-1])
        return backward(*arguments)

    monkeypatch.setattr(conv_cpu, "_backward", watched)
    x, weight, bias = draw(16, 16, 12, 12)
    for of_x in (False, True):
        y = conv_cpu.convolve(x.requires_grad_(of_x), weight.requires_grad_(), bias, 1, 1)
        y.sum().backward()
    assert asked == [[True, False, False]] and weight.grad is not None


def test_layers_that_learn_use_it(monkeypatch):
    used, gradient = [], conv_cpu._gradient

    def watched(x, grad, stride, padding):
        used.append((stride, padding))
        return gradient(x, grad, stride, padding)

    monkeypatch.setattr(conv_cpu, "_gradient", watched)
    x, weight, bias = draw(20, 24, 16, 16)
    weight.requires_grad_()
    ops.convolve(x, weight, bias, padding=2).sum().backward()
    ops.convolve(F.pad(x, [9] * 4), weight, bias, stride=2).sum().backward()
    few, narrow = x[..., :9], weight[:8]
    for image, weights in ((few, weight), (x, narrow), (x.bfloat16(), weight.bfloat16())):
        ops.convolve(image, weights, padding=1).sum().backward()
    assert used == [(1, 2), (2, 0)]
    assert not conv_cpu.pays(x, weight.detach(), 1, 1)
    with torch.no_grad():
        assert not conv_cpu.pays(x, weight, 1, 1)
