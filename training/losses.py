"""The losses: tensors in, a scalar out. Logits are (N, L), images (N, C, H, W).

    LOGISTIC, HINGE, PAIRED  what D is to do with the logits of reals and fakes, and what G
    r1_penalty               how steep D is at images
    path_lengths             how far an image moves per step in W

Reference: Goodfellow et al. 2014 (arXiv:1406.2661), Sec. 3, in its non-saturating form; Lim and Ye
2017 (arXiv:1705.02894), Sec. 3, for the hinge; Jolicoeur-Martineau 2019 (arXiv:1807.00734), Sec. 4,
and Huang et al. 2024 (arXiv:2501.05441), Sec. 2, for pairs; Mescheder et al. 2018
(arXiv:1801.04406), Sec. 4.1, for R1; Karras et al. 2020 (arXiv:1912.04958), Sec. 3.2, for path
lengths.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


def logistic_g(fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
    """The generator's loss: log(1 + exp(-logit)) of fakes, averaged."""
    return F.softplus(-fake_logits).mean()


def logistic_d(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """The discriminator's loss, each half averaged."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def hinge_g(fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
    """The generator's loss: -logit of fakes, averaged."""
    return -fake_logits.mean()


def hinge_d(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """The discriminator's loss, each half averaged; beyond 1 a right logit costs nothing."""
    return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()


def paired_g(fake_logits: Tensor, real_logits: Tensor) -> Tensor:
    """The generator's loss: each fake is to be more real than the real image that it belongs to."""
    return F.softplus(real_logits - fake_logits).mean()


def paired_d(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """The discriminator's loss: the other way round."""
    return paired_g(real_logits, fake_logits)


class Loss(NamedTuple):
    """Of D by the logits of reals and of fakes, of G by those of fakes and of reals. In pairs only
    their difference counts; then D is not to be steep at fakes either."""

    of_d: Callable[[Tensor, Tensor], Tensor]
    of_g: Callable[[Tensor, Tensor], Tensor]
    in_pairs: bool = False


LOGISTIC, HINGE = Loss(logistic_d, logistic_g), Loss(hinge_d, hinge_g)
PAIRED = Loss(paired_d, paired_g, in_pairs=True)


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Squared norm of the logits' gradient with respect to the images, averaged; differentiable."""
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.float().square().sum(dim=(1, 2, 3)).mean()


def path_lengths(img: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """Norm of the gradient of <img, noise> / sqrt(H W) with respect to a style, differentiable.

    Shapes: img and standard normal noise (N, C, H, W), ws (N, num_ws, w_dim) -> (N,), the root
    mean square over the num_ws styles.
    """
    image = (img * noise).sum() / (img.shape[2] * img.shape[3]) ** 0.5
    (gradient,) = torch.autograd.grad(image, ws, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()
