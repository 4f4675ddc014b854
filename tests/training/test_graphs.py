"""Steps from recordings are the steps themselves; without a GPU a stand-in takes them again."""

import copy
import dataclasses
from contextlib import nullcontext
from functools import partial

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import stylegan.discriminator
import stylegan.generator
from benchmarks.trainer import Noise
from stylegan import Discriminator, DiscriminatorConfig, Generator
from training.adversary import identity
from training.augment import AdaptiveAugment
from training.begin import check
from training.build import build, recipe_at
from training.config import TrainConfig
from training.draws import Dealer
from training.graphs import WARM_UP, Graphed, kind_of, map_tensors, tensors_of
from training.losses import LOGISTIC
from training.run import Recipe, Run, TrainedGenerator
from training.steps import take_step

pytestmark = pytest.mark.usefixtures("no_precision_left_behind")


@pytest.fixture
def config(tmp_path):
    """R1 every third step, a blur for the first four, labels that come in."""
    size = dict(num_layers=4, channel_base=128, channel_max=8, z_dim=8, batch=4, r1_interval=3)
    return TrainConfig(str(tmp_path), "o", config="r", conditional=True, **size, total_kimg=0.1)


def train(config, wrap, steps=14, on_cpu=True):
    """What the loop does: statistics of each step, and the state after the last."""
    AcceleratorState._reset_state(True)
    dataset, accelerator = Noise(32), Accelerator(cpu=on_cpu)
    run = build(config, accelerator, dataset)
    where = dict(rank=0, num_processes=1, device=accelerator.device)
    dealer, stats = Dealer(config, num_labels=2, **where), []

    def once(shares, recipe):
        return take_step(run, shares, recipe, dataset.labels)

    step, pictures = wrap(once), dataset.pixels[: config.batch].float() / 127.5 - 1
    for n in range(steps):
        nimg = n * config.batch
        recipe = recipe_at(config, 32, nimg, accelerator.device)
        if n > steps - 5:  # as when the time for it is over
            recipe = dataclasses.replace(recipe, blur=None)
        reals, labels = pictures.roll(n, dims=3), torch.arange(config.batch) % 2
        paths = recipe.path_weight > 0
        stats.append(step(dealer.deal(nimg, reals, labels, paths=paths), recipe))
        run.ada.adjust(40)
        stats[-1]["p"] = run.ada.p.clone()
    parts = [run.G.state_dict(), run.D.state_dict(), run.G_opt.state_dict(), run.ada.state_dict()]
    return stats, [*parts, run.D_opt.state_dict(), run.mean_path]


@pytest.mark.parametrize("options", [{}, dict(path_length=2.0), dict(accumulate=2, batch=8)])
def test_recorded_steps_are_the_steps_bit_by_bit(config, recorder, assert_same, options):
    """New pictures, random numbers, labels' weights, blurs and p reach the recordings."""
    config = dataclasses.replace(config, **options)
    expected = train(config, lambda step: step)
    actual = train(config, partial(Graphed, recorder=recorder))
    assert_same(actual, expected)
    stats, _ = expected
    assert len({s["p"].item() for s in stats}) > 3 and "r1" in stats[0] and "r1" not in stats[1]
    assert sum(recorder.replays) > 3 and recorder.ran + sum(recorder.replays) == len(stats)


def test_every_kind_is_warmed_up_and_recorded_once(recorder):
    share = torch.zeros(2)
    step = Graphed(lambda shares, recipe: {"x": shares[0] + recipe.r1_weight}, recorder)
    kinds = [Recipe(4), Recipe(4, r1_weight=2.0), Recipe(4, "ada", torch.ones(()))]
    for n in range(WARM_UP + 5):
        for recipe in kinds:
            result = step([share + n], recipe)["x"]
            assert torch.equal(result, torch.full((2,), n + recipe.r1_weight))
    assert recorder.ran == WARM_UP * 3 and recorder.replays == [5, 5, 5]


def test_results_stay_when_the_next_step_is_taken(recorder):
    step = Graphed(lambda shares, recipe: {"x": shares[0] * 2}, recorder)
    results = [step([torch.full((), float(n))], Recipe(4))["x"] for n in range(6)]
    assert [x.item() for x in results] == [0, 2, 4, 6, 8, 10]


def test_kinds_differ_in_all_but_numbers():
    taps = Recipe(4, "ada", blur=torch.ones(3))
    assert kind_of([taps]) == kind_of([Recipe(4, "ada", blur=torch.zeros(3))])
    others = [
        Recipe(4, "ada", blur=torch.ones(5)),
        Recipe(4, "ada", blur=torch.ones(3).double()),
        Recipe(4, "ada"),
        Recipe(4, "fixed", blur=torch.ones(3)),
        Recipe(4, "ada", torch.ones(3)),
        Recipe(4, "ada", blur=torch.ones(3), path_weight=1.0),
    ]
    assert len({kind_of([recipe]) for recipe in [taps, *others]}) == 7


def test_all_tensors_are_found(config):
    dealer = Dealer(config, num_labels=2, rank=0, num_processes=1, device=torch.device("cpu"))
    shares = dealer.deal(0, torch.ones(4, 3, 32, 32), torch.arange(4) % 2, paths=True)
    recipe = Recipe(4, "ada", torch.ones(()), torch.ones(3))
    assert len(tensors_of([shares, recipe])) == 6 + 2
    doubled = map_tensors(lambda x: 2 * x, [shares, recipe])
    assert torch.equal(doubled[0][0].z, 2 * shares[0].z) and doubled[1].labels == 2


class OnlyThere(TorchDispatchMode):
    """Counts operations and refuses those with a tensor in the computer's own memory."""

    def __init__(self):
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **kwargs or {})
        self.operations += 1
        for x in tree_leaves((args, kwargs, result)):
            assert not isinstance(x, torch.Tensor) or x.device.type == "meta", function
        return result


@pytest.mark.parametrize("preset", ["t", "r"])
def test_a_warmed_up_step_has_all_it_needs_on_the_device(tiny, config, monkeypatch, preset):
    """Nothing is copied there while a step is recorded. The device is one without memory, for which
    there is no autocast."""
    for module in (stylegan.generator, stylegan.discriminator):
        monkeypatch.setattr(module, "compute_dtype", lambda x: torch.bfloat16)
    monkeypatch.setattr(torch, "autocast", lambda *arguments, **kwargs: nullcontext())
    device = torch.device("meta")
    G = Generator(tiny(preset, c_dim=2)).to(device)
    D = Discriminator(DiscriminatorConfig(32, c_dim=2, channel_base=128, channel_max=8))
    sgd = [torch.optim.SGD(network.parameters()) for network in (G, D.to(device))]
    ada, mean_path = AdaptiveAugment().to(device), torch.zeros((), device=device)
    parts = TrainedGenerator(G), D, copy.deepcopy(G), *sgd, ada, mean_path
    run = Run(Accelerator(cpu=True), *parts, identity, LOGISTIC)
    dealer = Dealer(config, num_labels=2, rank=0, num_processes=1, device=device)
    shares = dealer.deal(0, torch.ones(4, 3, 32, 32), torch.arange(4) % 2, paths=True)
    weights = dict(r1_weight=1.0, path_weight=1.0)
    recipe = Recipe(4, "ada", mean_path.clone(), torch.zeros(7, device=device), **weights)
    for guard in (nullcontext(), OnlyThere()):
        with guard:
            take_step(run, shares, recipe, ["a", "b"])
    assert guard.operations > 1000


def test_where_there_can_be_no_graphs_the_flag_is_named(config, monkeypatch):
    config = dataclasses.replace(config, cuda_graphs=True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="^--cuda-graphs needs a GPU"):
        check(config, Noise(32), 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    config = dataclasses.replace(config, batch=8)
    with pytest.raises(ValueError, match="^--cuda-graphs is for one process, and there are 2$"):
        check(config, Noise(32), 2)
    check(config, Noise(32), 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
@pytest.mark.parametrize("options", [{}, dict(path_length=2.0), dict(accumulate=2, batch=8)])
def test_cuda_graphs_take_the_same_steps(config, monkeypatch, options):
    """Up to the order of sums, which differs from one run to the next on a GPU, graphs or not."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    config = dataclasses.replace(config, **options)
    expected, _ = train(config, lambda step: step, on_cpu=False)
    config = dataclasses.replace(config, cuda_graphs=True)
    actual, _ = train(config, Graphed, on_cpu=False)
    for i, (a, b) in enumerate(zip(actual, expected, strict=True)):
        assert a.keys() == b.keys()
        for name in ("loss/G", "loss/D", "p"):
            torch.testing.assert_close(a[name], b[name], rtol=3e-3, atol=1e-4, msg=f"{i} {name}")
