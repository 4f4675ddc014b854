"""The z from which a generator that stands still draws real faces best: where redrawing begins.

Every face gets the z of the random face that is most like it. Then all z are made normal together,
and follow the gradient of how unlike their faces are, in rounds.

Legend: M faces, K z_dim, N images of a batch.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor

from evaluation.dataset import ImageDataset
from stylegan import Generator
from training.percept import COARSE, PIXELS, Percept
from training.redraw import A_PART, OFTEN, Redraw, real_faces

RANDOM, DRAWN = 8192, 64  # random faces among which the nearest are looked for; drawn at once
TOLD = 2048  # of these, between two words about them
FIRST_MOVES, FIRST_PART = 60, 0.5  # of these z towards normal ones; how far of the way
ROUNDS, AT_ONCE = 8, 16  # times that all faces are gone through; faces of a step
LONGEST, SHORTEST = 0.12, 0.03  # a step in each number of z; in between it falls evenly
MOMENTUM, SQUARES = 0.5, 0.9  # how much of the means of gradients and of their squares stays
SEARCH = 10  # stream beside those of training.data, draws, lesson, train_encoder and redraw

Draw = Callable[[Tensor], Tensor]  # z (N, K) -> (N, C, H, H)


def sketch(percept: Percept, img: Tensor) -> Tensor:
    """What tells quickly how unlike faces are: their distance (N, C, H, H) -> (N, ...)."""
    found = F.normalize(percept.maps(img)[-1], dim=1)
    pixels = F.adaptive_avg_pool2d(img.float(), COARSE // 2)
    parts = found / found.shape[2], PIXELS * pixels / math.sqrt(pixels[0].numel())
    return torch.cat([x.flatten(1) for x in parts], dim=1)


@torch.no_grad()
def nearest(
    redraw: Redraw, draw: Draw, dataset: ImageDataset, random: np.random.Generator
) -> Iterator[str]:
    """Give every face the z of the random face that is most like it; yields as `rounds` does."""
    device, K = redraw.z.device, redraw.z.shape[1]
    numbers = torch.arange(len(dataset)).split(DRAWN)
    wanted = [sketch(redraw.percept, real_faces(dataset, part, device)) for part in numbers]
    wanted = torch.cat(wanted)
    best = torch.full((len(dataset),), torch.inf, device=device)
    for looked_at in range(DRAWN, RANDOM + 1, DRAWN):
        z = torch.from_numpy(random.standard_normal((DRAWN, K), dtype=np.float32)).to(device)
        far, which = torch.cdist(wanted, sketch(redraw.percept, draw(z))).min(dim=1)
        nearer = far < best
        redraw.z[nearer], best[nearer] = z[which[nearer]], far[nearer]
        yield f"{looked_at} of {RANDOM} random faces drawn" if looked_at % TOLD == 0 else ""


def rounds(redraw: Redraw, draw: Draw, dataset: ImageDataset) -> Iterator[str]:
    """Search; how far it is, now and then, and "" whenever one may stop.

    Steps are Adam's, but that all numbers of a z share one scale.
    Reference: Kingma and Ba 2014 (arXiv:1412.6980), Alg. 1.
    """
    random, device = np.random.default_rng((redraw.seed, SEARCH)), redraw.z.device
    yield from nearest(redraw, draw, dataset, random)
    for _ in range(FIRST_MOVES):
        redraw.make_normal(FIRST_PART, random)
    speed, square, shown = torch.zeros_like(redraw.z), torch.zeros_like(redraw.z), 0
    for number in range(1, ROUNDS + 1):
        losses = []
        for faces in torch.from_numpy(random.permutation(len(dataset))).to(device).split(AT_ONCE):
            z = redraw.z[faces].requires_grad_()
            unlike = redraw.percept(draw(z), real_faces(dataset, faces, device))
            (gradient,) = torch.autograd.grad(unlike.sum(), z)
            speed[faces] = speed[faces].lerp(gradient, 1 - MOMENTUM)
            square[faces] = square[faces].lerp(gradient.square(), 1 - SQUARES)
            size = (square[faces] / (1 - SQUARES**number)).mean(dim=1, keepdim=True).sqrt()
            length = LONGEST + (SHORTEST - LONGEST) * shown / (ROUNDS * len(dataset))
            step = speed[faces] / (1 - MOMENTUM**number) / size.clamp(min=1e-9)
            redraw.z[faces] -= length * step
            before, shown = shown, shown + len(faces)
            if shown // (2 * OFTEN) > before // (2 * OFTEN):
                redraw.make_normal(A_PART, random)
            losses.append(unlike.detach().mean())
            yield ""
        yield f"round {number} of {ROUNDS}: unlike {torch.stack(losses).mean():.3f}"


def search(
    redraw: Redraw,
    G: Generator,
    dataset: ImageDataset,
    accelerator: Accelerator,
    stopped: Callable[[], bool],
) -> bool:
    """Find z to begin with, the same on every process; False if it was stopped.

    Each process looks by itself, without waiting for others, and takes what the first one found.
    """
    accelerator.print(
        f"looking for a z of each of {len(dataset)} faces: that of the nearest of {RANDOM} random "
        f"faces, then {ROUNDS} rounds, which takes many minutes",
        flush=True,
    )
    with accelerator.autocast():
        for words in rounds(redraw, lambda z: G(z).float(), dataset):
            if words:
                accelerator.print(words, flush=True)
            elif stopped():
                return False
    redraw.z = broadcast(redraw.z)
    return True
