"""Networks, optimizers and the recipe of a step, as the flags say."""

import dataclasses

import pytest
import torch
from accelerate import Accelerator

import training.build
from evaluation.dataset import ImageDataset
from training.build import build, recipe_at
from training.precision import weight_layout

pytestmark = pytest.mark.usefixtures("fresh_accelerate")


def built(config):
    return build(config, Accelerator(cpu=True), ImageDataset(config.data))


def test_lazy_regularization_corrects_the_rates(config):
    """R1 every 16th step makes 17 updates' worth of 16: rate and memory shrink by 16 / 17; path
    lengths every fourth step likewise."""
    lazy = built(dataclasses.replace(config, r1_interval=16, path_length=2.0))
    plain = built(config)
    D, G = lazy.D_opt.param_groups[0], lazy.G_opt.param_groups[0]
    assert D["lr"] == pytest.approx(0.002 * 16 / 17)
    assert D["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))
    assert G["lr"] == pytest.approx(0.0025 * 4 / 5)
    assert G["betas"] == pytest.approx((0.0, 0.99 ** (4 / 5)))
    G = plain.G_opt.param_groups[0]
    assert G["lr"] == pytest.approx(0.0025) and G["betas"] == pytest.approx((0.0, 0.99))


def test_what_is_applied_rarely_is_weighted_up(config):
    """R1 every third step with gamma / 2 times 3: 0.8 / 2 * 3 = 1.2; path lengths every fourth."""
    config = dataclasses.replace(config, gamma=0.8, r1_interval=3, path_length=2.0)
    recipes = [recipe_at(config, 32, nimg, torch.device("cpu")) for nimg in range(0, 64, 8)]
    assert [r.r1_weight for r in recipes] == pytest.approx([1.2, 0, 0, 1.2, 0, 0, 1.2, 0])
    assert [r.path_weight for r in recipes] == [8.0, 0, 0, 0, 8.0, 0, 0, 0]
    assert all(r.augment == "ada" and r.labels is None for r in recipes)


def test_only_config_r_begins_with_a_blur(config):
    r = dataclasses.replace(config, config="r")
    assert recipe_at(config, 32, 0, torch.device("cpu")).blur is None
    assert len(recipe_at(r, 32, 0, torch.device("cpu")).blur) == 7
    assert recipe_at(r, 32, 50_000, torch.device("cpu")).blur is None


def test_labels_come_in_gradually(config):
    config = dataclasses.replace(config, conditional=True, total_kimg=1.0)
    weights = [recipe_at(config, 32, n, torch.device("cpu")).labels for n in (0, 200, 300, 400)]
    assert [weight.item() for weight in weights] == pytest.approx([0, 0, 0.5, 1])


def test_weights_lie_as_the_machine_wants_them(config, monkeypatch):
    assert weight_layout(torch.device("cuda")) == torch.channels_last
    plain = built(config)
    assert plain.D.b32.conv0.weight.is_contiguous()
    monkeypatch.setattr(training.build, "weight_layout", lambda device: torch.channels_last)
    other = built(config)
    layer = other.G_ema.synthesis.layer_names[0]
    for weight in (other.D.b32.conv0.weight, other.G_ema.synthesis.get_submodule(layer).weight):
        assert weight.is_contiguous(memory_format=torch.channels_last)
    for a, b in zip(plain.D.parameters(), other.D.parameters(), strict=True):
        assert torch.equal(a, b)
