"""What tells by w alone how a mix looks."""

import pytest
import torch

from evaluation.looks import looks_in, mixes


def test_a_mix_lies_between_two_faces_of_different_kinds():
    """Faces of a kind differ along an axis of its own, and kinds along the first: how far a mix has
    gone there is how far it has left its face of the first kind, pulled to the centre."""
    torch.manual_seed(0)
    labels = torch.arange(40) % 2
    w = torch.stack([labels.float(), *torch.zeros(2, 40)], dim=1)
    w[labels == 0, 1], w[labels == 1, 2] = 1.0, 1.0
    centres = torch.tensor([[0.0, 0, 0], [1.0, 0, 0]])
    share, *left = mixes(w, labels, centres).T
    assert share.min() >= 0.25 and share.max() <= 0.75 and share.std() > 0.1
    for kept, rest in zip(left, (1 - share, share), strict=True):
        assert ((kept >= 0.499 * rest) & (kept <= 1.001 * rest)).all()


def test_looks_are_the_odds_that_were_seen():
    """Of w of the usual size; between two kinds, for only differences of looks say anything."""
    torch.manual_seed(0)
    w = 3 * torch.randn(4000, 5)
    odds = w[:, 0] - 0.5 * w[:, 1] + 1
    found = looks_in(w, torch.stack([-odds, odds], dim=1).mul(0.5).softmax(dim=1))
    found = (found[1] - found[0]).tolist()
    assert found == pytest.approx([1, -0.5, 0, 0, 0, 1], abs=0.1)
