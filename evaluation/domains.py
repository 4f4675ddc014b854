"""Which sub-folder a face looks like it came from, told by its features.

Reference: ridge-regularised logistic regression, Hastie et al. 2009, Sec. 4.4.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

RIDGE = 1e-3  # weight of the squared coefficients beside the mean loss


class DomainClassifier:
    """Logistic regression on features (N, dim) of pictures with labels (N,), or with the
    probability of each label (N, num_labels)."""

    def __init__(self, features: Tensor, labels: Tensor):
        num_labels = labels.shape[1] if labels.ndim > 1 else int(labels.max()) + 1
        self.weight = torch.zeros(features.shape[1] + 1, num_labels, requires_grad=True)
        features, balance = self._with_one(features), None
        if labels.ndim == 1:  # every folder weighs the same, whatever its size
            balance = 1 / (labels.bincount().float() / len(labels))
        optimizer = torch.optim.LBFGS([self.weight], max_iter=200, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            value = F.cross_entropy(features @ self.weight, labels, balance)
            value = value + RIDGE * self.weight[:-1].square().sum()
            value.backward()
            return value

        optimizer.step(loss)
        self.weight.requires_grad_(False)

    @staticmethod
    def _with_one(features: Tensor) -> Tensor:
        return F.pad(features.clone().float(), [0, 1], value=1.0)

    def probabilities(self, features: Tensor) -> Tensor:
        """(N, num_labels), rows sum to 1."""
        return (self._with_one(features) @ self.weight).softmax(dim=1)

    def labels(self, features: Tensor) -> Tensor:
        """The most probable one: (N,)."""
        return self.probabilities(features).argmax(dim=1)
