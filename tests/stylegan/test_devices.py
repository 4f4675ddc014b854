"""Devices without float64, such as Apple's GPUs, and graphs that are compiled or exported."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from evaluation.grids import mixing_grid, sample_grid
from evaluation.metrics import decibels, eq_r, eq_t, eq_t_frac
from evaluation.sampling import draw as sampled
from stylegan import Generator, GeneratorConfig
from stylegan.layers import exact_dtype
from stylegan.reference import generator_from_reference
from stylegan.transforms import rotation, translation
from training.augment import amounts, color, draw_numbers, geometry


class NoFloat64(TorchDispatchMode):
    """A device that has none: every operation on it is an error, as there."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for x in tree_leaves((args, kwargs, result)):
            if isinstance(x, torch.Tensor) and x.dtype == torch.float64:
                raise TypeError(f"{func} of float64")
        return result


class Elsewhere(torch.Tensor):
    """On a device without float64: all that can be done here is to copy it, as it is, to main
    memory."""

    def __new__(cls, held: torch.Tensor):
        shape = dict(strides=held.stride(), dtype=held.dtype, device="mps")
        return torch.Tensor._make_wrapper_subclass(cls, held.shape, **shape)

    def __init__(self, held: torch.Tensor):
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        kwargs, (held, *_) = kwargs or {}, args
        as_it_is = kwargs.get("dtype") in (None, held.dtype)
        if func is torch.ops.aten._to_copy.default and as_it_is and str(kwargs["device"]) == "cpu":
            return held.held
        raise TypeError(f"{func} where there is no float64")


def test_float64_is_taken_where_there_is_one():
    assert exact_dtype(torch.device("cpu")) == torch.float64
    with NoFloat64():
        assert exact_dtype(torch.device("cpu")) == torch.float32


@torch.no_grad()
@pytest.mark.parametrize("preset", ["t", "r"])
def test_without_float64_images_are_those_of_the_reference(preset, goldens):
    args, weights, t = goldens(f"generator_{preset}_64")
    G = generator_from_reference(weights, args)
    with NoFloat64():
        found = [G(t["in.z"]), G(t["in.z"], truncation_psi=0.65)]
        found.append(G.synthesis(t["out.ws"], t["in.transform"]))
    for img, name in zip(found, ("psi1.0", "psi0.65", "transformed"), strict=True):
        expected = t[f"out.img_{name}"]
        assert (img - expected).abs().max() <= 1e-5 * expected.abs().max(), name


@torch.no_grad()
@pytest.mark.parametrize("preset, most", [("t", "T"), ("r", "R")])
def test_without_float64_pictures_still_move_as_one(tiny, calibrate, preset, most):
    """Above 60 dB, and within half a decibel of what float64 gives."""
    shape = dict(img_resolution=64, num_layers=14, z_dim=32, w_dim=32)
    G = Generator(tiny(preset, **shape, channel_base=1024, channel_max=16))
    ws = calibrate(G, torch.randn(4, 32)).mapping(torch.randn(3, 32))
    shifts, angles = torch.tensor([[3, -5], [-7, 8], [5, 3]]), torch.tensor([0.4, -2.0, 1.0])
    moves = torch.stack([translation(x / 64, y / 64) for x, y in shifts.tolist()])
    turns = torch.stack([rotation(angle) for angle in angles.tolist()])
    found = {}
    for name, mode in (("float64", nullcontext()), ("float32", NoFloat64())):
        with mode:
            img, moved, turned = G.synthesis(ws), G.synthesis(ws, moves), G.synthesis(ws, turns)
        found[name] = decibels([eq_t(img, moved, shifts)]), decibels([eq_r(img, turned, angles)])
    for exact, narrow in zip(found["float64"], found["float32"], strict=True):
        assert abs(exact - narrow) < 0.5
    assert found["float32"][0] >= 60 and (most == "T" or found["float32"][1] >= 60)


def test_without_float64_faces_are_drawn_to_be_measured(tiny):
    G = Generator(tiny(c_dim=2)).eval()
    seen = [img.copy() for img in (sampled(G, 3).numpy(), sample_grid(G), mixing_grid(G))]
    with NoFloat64():
        found = [sampled(G, 3).numpy(), sample_grid(G), mixing_grid(G)]
    for expected, actual in zip(seen, found, strict=True):
        steps = np.abs(actual.astype(float) - expected)
        assert steps.max() <= (1 if actual.dtype == np.uint8 else 2 / 255)


def test_without_float64_equivariance_is_measured_in_main_memory():
    img, moved = torch.rand(2, 2, 3, 16, 16) * 2 - 1
    for measure, by in (
        (eq_t, torch.tensor([[1, -2], [0, 3]])),
        (eq_t_frac, torch.tensor([[1.5, 0.0], [0.3, -2.0]])),
        (eq_r, torch.tensor([0.4, -2.0])),
    ):
        assert measure(Elsewhere(img), Elsewhere(moved), by) == measure(img, moved, by)
    with pytest.raises(TypeError, match="no float64"):
        Elsewhere(img).double()


def test_without_float64_a_generator_learns(tiny):
    """By the same gradients, and with its averages."""
    G, z, c = Generator(tiny(c_dim=2)), torch.randn(2, 8), torch.eye(2)
    expected = torch.autograd.grad(G(z, c).square().sum(), list(G.parameters()))
    with NoFloat64():
        img = G.synthesis(G.mapping(z, c, ema_images=2), ema_images=2)
        found = torch.autograd.grad(img.square().sum(), list(G.parameters()))
    for (name, _), actual, wanted in zip(G.named_parameters(), found, expected, strict=True):
        assert (actual - wanted).abs().max() <= 1e-4 * wanted.abs().max(), name
    assert G.mapping.w_avg.any() and G.synthesis.L0_36_8.magnitude_ema != 1


def test_without_float64_augmentation_is_the_same():
    numbers, p = draw_numbers(np.random.default_rng(0), 64), torch.tensor(0.7)
    exact = amounts(p, numbers, 64)
    with NoFloat64():
        narrow = amounts(p, numbers, 64)
        moved, (matrix, offset) = geometry(narrow), color(narrow)
    assert moved.dtype == matrix.dtype == torch.float32
    torch.testing.assert_close(moved.double(), geometry(exact), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(matrix.double(), color(exact)[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(offset.double(), color(exact)[1], rtol=1e-4, atol=1e-4)


def networks(tiny):
    size = dict(z_dim=8, w_dim=12, channel_base=128, channel_max=8)
    configs = tiny(num_layers=4), tiny("r", num_layers=4), GeneratorConfig.stylegan2(32, **size)
    return [Generator(config).eval().requires_grad_(False) for config in configs]


@pytest.mark.filterwarnings("ignore")
def test_synthesis_is_compiled_as_one_graph_that_draws_the_same(tiny):
    for G in networks(tiny):
        ws = G.mapping(torch.randn(2, 8))
        compiled = torch.compile(G.synthesis, backend="eager", fullgraph=True)
        for part in (ws, ws[:1]):
            expected = G.synthesis(part)
            error = (compiled(part) - expected).abs().max()
            assert error <= 1e-5 * expected.abs().max(), G.config.kind


def test_synthesis_is_exported_without_float64(tiny):
    for G in networks(tiny):
        ws, batch = G.mapping(torch.randn(2, 8)).contiguous(), torch.export.Dim("N")
        program = torch.export.export(G.synthesis, (ws,), dynamic_shapes=({0: batch},))
        for node in program.graph.nodes:
            for x in tree_leaves(node.meta.get("val")):
                assert not (isinstance(x, torch.Tensor) and x.dtype == torch.float64), node
        more = G.mapping(torch.randn(5, 8)).contiguous()
        expected = G.synthesis(more)
        error = (program.module()(more) - expected).abs().max()
        assert error <= 1e-5 * expected.abs().max(), G.config.kind
