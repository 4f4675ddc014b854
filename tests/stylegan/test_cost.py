"""What is counted from a config is what the network really has, makes and does."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from stylegan import Generator, GeneratorConfig, kernels
from stylegan.cost import generator_cost


class LargestMap(TorchDispatchMode):
    """Remembers how many values the largest (1, C, H, W) that anything made has."""

    def __init__(self):
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.ndim == 4 and len(result) == 1:
            self.size = max(self.size, result.numel())
        return result


@pytest.mark.parametrize(
    "preset, shape",
    [
        ("t", dict()),
        ("t", dict(c_dim=5, img_channels=1, mapping_layers=3, w_dim=40)),
        ("r", dict(img_resolution=64, z_dim=20, c_dim=2)),
        ("t", dict(img_resolution=128, num_layers=14, channel_base=512, channel_max=32)),
        ("r", dict(img_resolution=128, num_layers=9, mapping_layers=1)),
    ],
)
def test_a_generator_costs_what_it_is_counted_to(tiny, preset, shape):
    check_cost(tiny(preset, **shape))


@pytest.mark.parametrize("shape", [dict(), dict(c_dim=3, img_channels=1), dict(img_resolution=128)])
def test_so_does_one_of_stylegan2(shape):
    size = dict(z_dim=8, w_dim=12, channel_base=256, channel_max=16)
    check_cost(GeneratorConfig.stylegan2(**dict(img_resolution=32) | size | shape))


@pytest.fixture(autouse=True)
def convolutions(monkeypatch):
    """What a kernel of its own does is not counted."""
    monkeypatch.setattr(kernels, "compiled", kernels.Programs)


def check_cost(config):
    cost, G = generator_cost(config), Generator(config)
    assert cost.parameters == sum(p.numel() for p in G.parameters())
    z, c = torch.randn(1, config.z_dim), torch.ones(1, config.c_dim) if config.c_dim else None
    with torch.no_grad(), LargestMap() as largest, FlopCounterMode(display=False) as counter:
        G(z, c)
    assert cost.largest_map == largest.size
    assert 2 * cost.multiply_adds == counter.get_total_flops()
