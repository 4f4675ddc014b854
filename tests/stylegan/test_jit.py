"""Programs of vectors: what they compute is what Python would."""

import pytest
import torch

pytest.importorskip("llvmlite", reason="needs LLVM: pip install llvmlite")

from stylegan.jit import Program, num_lanes


def test_the_example_doubles_as_many_vectors_as_it_is_told():
    f = Program("x y", "count")
    with f.loop(0, f.count) as i:
        f.store(f.load(f.x, i * f.lanes) * 2.0, f.y, i * f.lanes)
    double, lanes = f.compiled(), num_lanes()
    x, y = torch.randn(3 * lanes), torch.zeros(3 * lanes)
    double(x.data_ptr(), y.data_ptr(), 2)
    assert torch.equal(y, torch.cat([2 * x[: 2 * lanes], torch.zeros(lanes)]))


def test_branches_and_bounds():
    """The inner vectors are clamped and keep what is no number, the outer ones become zeros."""
    f = Program("x y", "count")
    with f.loop(0, f.count) as i, f.either((i - 1).within(f.count - 2)) as (yes, no):
        with yes:
            f.store(f.load(f.x, i * f.lanes).least(1.0).most(-1.0), f.y, i * f.lanes)
        with no:
            f.clear(f.at(f.y, i * f.lanes), i * 0 + f.lanes)
    bound, lanes = f.compiled(), num_lanes()
    x, y = torch.randn(4 * lanes) * 2, torch.ones(4 * lanes)
    x[lanes] = torch.nan
    bound(x.data_ptr(), y.data_ptr(), 4)
    inner = slice(lanes, 3 * lanes)
    assert not y[:lanes].any() and not y[3 * lanes :].any() and y[lanes].isnan()
    assert torch.equal(y[inner][1:], x[inner][1:].clamp(-1, 1))


def test_bfloat16_is_rounded_as_pytorch_does():
    """Halves between two numbers too, of both signs, and what is infinite or no number."""
    f = Program("x y", "count")
    with f.loop(0, f.count) as i:
        f.store(f.load(f.x, i * f.lanes), f.y, i * f.lanes, half=True)
    rounded, lanes = f.compiled(), num_lanes()
    x = torch.randn(64 * lanes)
    x[:4] = torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8, torch.inf])
    y = torch.empty(64 * lanes, dtype=torch.bfloat16)
    x[4] = torch.nan
    rounded(x.data_ptr(), y.data_ptr(), 64)
    assert torch.equal(y[:4], x[:4].bfloat16()) and y[4].isnan()
    assert torch.equal(y[5:], x[5:].bfloat16())
