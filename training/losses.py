"""The losses: tensors in, a scalar out. Logits are (N, 1), images (N, C, H, W).

Reference: Goodfellow et al. 2014 (arXiv:1406.2661), Sec. 3, in its non-saturating form;
Mescheder et al. 2018 (arXiv:1801.04406), Sec. 4.1 for R1.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def logistic_g(fake_logits: Tensor) -> Tensor:
    """The generator's loss: log(1 + exp(-logit)), averaged."""
    return F.softplus(-fake_logits).mean()


def logistic_d(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """The discriminator's loss, each half averaged."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def r1_penalty(real_logits: Tensor, reals: Tensor) -> Tensor:
    """Squared norm of the logits' gradient with respect to the images, averaged; differentiable."""
    (gradient,) = torch.autograd.grad(real_logits.sum(), reals, create_graph=True)
    return gradient.float().square().sum(dim=(1, 2, 3)).mean()
