"""Going on elsewhere from what lies beside published weights."""

import copy

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from training.config import TrainConfig
from training.critic import MapCritic
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
    """The parts of a run: networks after 300 steps, and their optimizers."""
    widths = {"G": 4, "D": 1, "heads": 2}
    parts = {name: nn.Sequential(nn.Linear(6, 5), nn.Linear(5, n)) for name, n in widths.items()}
    parts |= {f"{name}_opt": adam(parts[name]) for name in widths}
    for seed in range(300):
        for name in widths:
            step(parts[name], parts[f"{name}_opt"], seed)
    return parts


def fresh(parts):
    """The same weights, and new optimizers."""
    networks = {name: copy.deepcopy(x) for name, x in parts.items() if isinstance(x, nn.Module)}
    return networks | {f"{name}_opt": adam(network) for name, network in networks.items()}


def test_the_next_steps_are_nearly_those_of_the_unbroken_run(trained, tmp_path):
    """Half precision keeps 3 digits of weights and 2 of moments, of which a step takes the root;
    with new moments the first step is wrong by a factor."""
    save_file(handover(trained), tmp_path / HANDOVER)
    taken, anew = fresh(trained), fresh(trained)
    for name in ("G", "heads"):
        for p in taken[name].parameters():
            nn.init.zeros_(p)
    take_over(load_file(tmp_path / HANDOVER), taken)
    for name in ("G", "heads"):
        for ours, theirs in zip(taken[name].parameters(), trained[name].parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)
        taken[name].load_state_dict(trained[name].state_dict())
    for name in ("G", "D", "heads"):
        before, moves = copy.deepcopy(list(trained[name].parameters())), []
        for parts in (trained, taken, anew):
            step(parts[name], parts[f"{name}_opt"], 1000)
            pairs = zip(parts[name].parameters(), before, strict=True)
            moves.append(torch.cat([(p - b).detach().flatten() for p, b in pairs]))
        error, without = ((m - moves[0]).norm() / moves[0].norm() for m in moves[1:])
        assert error < 0.08 < 0.3 < without


def test_what_fits_other_networks_no_more_is_left_out(trained, tmp_path):
    save_file(handover(trained), tmp_path / HANDOVER)
    for name in ("G", "heads"):
        parts = fresh(trained)
        parts[name] = other = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3))
        before, parts[f"{name}_opt"] = copy.deepcopy(other.state_dict()), adam(other)
        take_over(load_file(tmp_path / HANDOVER), parts)
        assert all(torch.equal(x, before[n]) for n, x in other.state_dict().items())
        assert not parts[f"{name}_opt"].state
        assert bool(parts["D_opt"].state) == (name == "heads")  # one belongs to its G


def test_a_run_without_heads_leaves_them_and_one_with_them_begins_anew(trained, tmp_path):
    parts = fresh(trained)
    plain = {name: x for name, x in parts.items() if not name.startswith("heads")}
    take_over(handover(trained), plain)
    assert plain["G_opt"].state
    parts = fresh(trained)
    take_over(handover(plain), parts)
    assert parts["G_opt"].state and not parts["heads_opt"].state


def test_heads_keep_what_they_measured_of_their_own_pictures(trained):
    judge, other = MapCritic(128), MapCritic(128)
    judge.gain_in.fill_(3.0)
    for parts, critic in ((trained, judge), (new := fresh(trained), other)):
        parts["heads"], parts["heads_opt"] = critic, adam(critic)
    take_over(handover(trained), new)
    assert torch.equal(other.gain_in, torch.ones(4))
    near = dict(rtol=1e-3, atol=1e-4)
    for (name, p), q in zip(judge.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(q, p, msg=name, **near)


def test_a_torn_file_is_named(trained, tmp_path):
    path = tmp_path / HANDOVER
    save_file(handover(trained), path)
    path.write_bytes(path.read_bytes()[:-50])
    config = TrainConfig(str(tmp_path), "out", init_from=str(tmp_path))
    with pytest.raises(ValueError, match=f"{path} is not a whole safetensors file"):
        go_on_from(config, trained)
