"""Going on elsewhere from what lies beside published weights."""

import copy

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from training.config import TrainConfig
from training.handover import HANDOVER, handover, take_over
from training.transfer import go_on_from

BETAS = (0.0, 0.99)


def adam(network):
    return torch.optim.Adam(network.parameters(), lr=0.01, betas=BETAS)


def step(network, optimizer, seed):
    x = torch.randn(16, 6, generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    network(x).square().mean().backward()
    optimizer.step()


@pytest.fixture
def trained():
    """Two networks after 300 steps, with their optimizers."""
    networks = [nn.Sequential(nn.Linear(6, 5), nn.Linear(5, width)) for width in (4, 1)]
    optimizers = [adam(network) for network in networks]
    for seed in range(300):
        for pair in zip(networks, optimizers, strict=True):
            step(*pair, seed)
    return *networks, *optimizers


def test_the_next_steps_are_nearly_those_of_the_unbroken_run(trained, tmp_path):
    """Half precision keeps 3 digits of weights and 2 of moments, of which a step takes the root;
    with new moments the first step is wrong by a factor."""
    G, D, G_opt, D_opt = trained
    save_file(handover(*trained), tmp_path / HANDOVER)
    G2, D2 = copy.deepcopy(G), copy.deepcopy(D)
    for p in G2.parameters():
        nn.init.zeros_(p)
    optimizers = adam(G2), adam(D2)
    take_over(load_file(tmp_path / HANDOVER), G2, D2, *optimizers)
    for ours, theirs in zip(G2.parameters(), G.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)
    G2.load_state_dict(G.state_dict())
    fresh = copy.deepcopy(G), copy.deepcopy(D)
    for old, new, anew, old_opt, new_opt in zip(
        (G, D), (G2, D2), fresh, (G_opt, D_opt), optimizers, strict=True
    ):
        before = [p.detach().clone() for p in old.parameters()]
        for network, optimizer in ((old, old_opt), (new, new_opt), (anew, adam(anew))):
            step(network, optimizer, 1000)
        moves = [
            torch.cat([(p - b).flatten() for p, b in zip(n.parameters(), before, strict=True)])
            for n in (old, new, anew)
        ]
        error, without = ((m - moves[0]).norm() / moves[0].norm() for m in moves[1:])
        assert error < 0.08 < 0.3 < without


def test_what_fits_other_networks_no_more_is_left_out(trained, tmp_path):
    G, D, G_opt, D_opt = trained
    save_file(handover(*trained), tmp_path / HANDOVER)
    other = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3))
    before, optimizer = copy.deepcopy(other.state_dict()), adam(other)
    take_over(load_file(tmp_path / HANDOVER), other, D, optimizer, D_opt)
    assert all(torch.equal(x, before[name]) for name, x in other.state_dict().items())
    assert not optimizer.state


def test_a_torn_file_is_named(trained, tmp_path):
    path = tmp_path / HANDOVER
    save_file(handover(*trained), path)
    path.write_bytes(path.read_bytes()[:-50])
    config = TrainConfig(str(tmp_path), "out", init_from=str(tmp_path))
    with pytest.raises(ValueError, match=f"{path} is not a whole safetensors file"):
        go_on_from(config, *trained)
