"""The classifier of sub-folders."""

import torch

from evaluation.domains import DomainClassifier


def test_tells_what_lies_apart():
    labels = torch.arange(200) % 2
    features = torch.randn(200, 5) + 6 * labels[:, None]
    classifier = DomainClassifier(features, labels)
    assert torch.equal(classifier.labels(features), labels)
    probabilities = classifier.probabilities(features)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(200))
    assert classifier.probabilities(torch.full((1, 5), 3.0)).max() < 0.9  # halfway


def test_a_large_folder_is_not_more_probable():
    """900 of one and 100 of the other that look alike: even odds for what is like both."""
    labels = (torch.arange(1000) < 100).long()
    classifier = DomainClassifier(torch.randn(1000, 2), labels)
    torch.testing.assert_close(
        classifier.probabilities(torch.zeros(1, 2)), torch.full((1, 2), 0.5), rtol=0, atol=0.1
    )
