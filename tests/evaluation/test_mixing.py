"""Scores of a mixing path whose answers are known."""

import torch

from evaluation.dataset import ImageDataset
from evaluation.mixing import (
    PSI,
    WEIGHTS,
    compare_blends,
    likeness,
    order,
    path,
    staircase,
)
from evaluation.quality import Reference
from stylegan import Generator
from stylegan.latents import blend, even_weights


def test_order_of_a_rising_a_falling_and_a_swapped_path():
    """With two neighbours of n swapped, Spearman's correlation is 1 - 6 * 2 / (n (n^2 - 1))."""
    rising = torch.linspace(0.1, 0.9, 5)
    swapped = rising[[0, 2, 1, 3, 4]]
    found = order(torch.stack([rising, rising.flip(0), swapped, rising**3]))
    torch.testing.assert_close(found, torch.tensor([1, -1, 1 - 12 / (5 * 24), 1]).double())


def test_staircase_of_even_steps_is_1_and_of_one_jump_the_number_of_steps():
    even = torch.arange(5.0)[:, None] * torch.tensor([[3.0, 4.0]])
    jump = torch.tensor([0.0, 0, 0, 7, 7])[:, None].expand(5, 2)
    torch.testing.assert_close(staircase(torch.stack([even, jump])), torch.tensor([1.0, 4.0]))


def test_likeness_to_a_parent_and_to_nobody():
    """The middle is the parent itself; of the others one is like it and one is its opposite."""
    a = torch.tensor([[2.0, 0.0]])
    others = torch.tensor([[5.0, 0.0], [-1.0, 0.0]])
    torch.testing.assert_close(likeness(a, 3 * a, others), torch.ones(1))
    torch.testing.assert_close(likeness(a, a, a), torch.zeros(1))  # no more than any other


def test_a_path_leads_from_one_pulled_parent_to_the_other():
    """w(t) = (1 - t) c_A + t c_B + psi ((1 - t) (w_A - c_A) + t (w_B - c_B))."""
    a, b, c_a, c_b = torch.randn(4, 6)
    ws = path(a, b, (c_a, c_b), num_ws=3, looks=torch.zeros(1, 7))
    assert ws.shape == (len(WEIGHTS), 3, 6)
    for t, w in zip(WEIGHTS.tolist(), ws, strict=True):
        expected = (1 - t) * c_a + t * c_b + PSI * ((1 - t) * (a - c_a) + t * (b - c_b))
        torch.testing.assert_close(w, expected.expand(3, -1))
    looks = torch.randn(2, 7)
    even = path(a, b, (c_a, c_b), num_ws=3, looks=looks)
    steps = even_weights(ws[:1], ws[-1:], WEIGHTS.tolist(), looks)
    torch.testing.assert_close(even, blend(ws[:1], ws[-1:], steps))


def test_all_blends_of_the_weights_in_the_repository(distinct_folder, weights, monkeypatch):
    """From dark faces to light ones: the share of light rises along the path. Of four pairs one
    that does not decides the mean."""
    monkeypatch.setattr("evaluation.mixing.PAIRS", 12)
    reference, G = Reference(ImageDataset(str(distinct_folder))), Generator.from_pretrained(weights)
    found = compare_blends(G, reference, samples=60)
    assert list(found) == ["one centre", "own centres", "own centres, even"]
    assert found["own centres"]["evenness"] != found["own centres, even"]["evenness"]
    for scores in found.values():
        assert scores["order"] > 0.9 and scores["staircase"] >= 1
        assert 0 <= scores["halfway"] <= 0.5 and 0 <= scores["balance"] <= 1
        assert scores["parentage"] > 0
