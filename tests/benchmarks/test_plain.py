"""The textbook generator draws what ours draws."""

import pytest
import torch

from benchmarks import plain
from stylegan import Generator, GeneratorConfig, sample_z


@pytest.mark.parametrize("preset", [GeneratorConfig.stylegan3_t, GeneratorConfig.stylegan3_r])
@torch.no_grad()
def test_it_draws_the_same_pictures(preset):
    torch.manual_seed(0)
    G = Generator(preset(32, num_layers=6, channel_base=256, channel_max=16, z_dim=16, w_dim=16))
    for name in G.synthesis.layer_names:
        layer = G.synthesis.get_submodule(name)
        layer.bias.normal_()
        layer.magnitude_ema.fill_(1.7)
    ws = G.mapping(sample_z([0, 1, 2], 16))
    expected = G.synthesis(ws)
    error = (plain.draw(G, ws) - expected).abs().max() / expected.abs().max()
    assert error < 1e-5
