"""What an encoder is taught: faces, how they are shown, and how wrong an answer is.

    LessonConfig    the run, as the command line says it
    view            faces as uploads differ
    picture_loss    how unlike faces are, in pixels and in features
    prior           what keeps answers among faces that the generator knows
    Lesson          faces that the generator draws, and the losses

Legend: N batch, C channels, H pixels.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor

from evaluation.features import FeatureNetwork, load_features
from stylegan import Generator
from stylegan.directions import sample_w
from stylegan.latents import truncate
from stylegan.precision import draw
from stylegan.projection import feature_distance, unlikeness
from training.config import option

VIEWS = 2  # steps in which a drawn batch is shown, each time another way
FEATURES = 1.0  # weight of their distance, beside that of pixels
APART, FAR = 0.02, 0.005  # weights of how far the layers' w lie apart, and of how far from w_avg
LATENTS = 7  # stream beside those of training.data and training.draws


@dataclass(frozen=True)
class LessonConfig:
    """Teach a generator's encoder. The same command again goes on where it stopped.

    Raises: ValueError naming the flag and its value.
    """

    generator: str = option("folder or Hub repository of its weights")
    out: str = option("folder of the run; it gets encoder/")
    data: str = option("real faces, too: a folder of preprocessing.prepare, a zip, the Hub", "")
    total_kimg: float = option("length of the run, in thousands of images shown", 40.0)
    batch: int = option("images per step, all processes together", 16)
    lr: float | None = option(
        "learning rate; left out: 1e-3, or 3e-4 for an encoder that goes on", None
    )
    seed: int = option("seed of all random numbers", 0)
    mixed_precision: str = option("auto: the faster one", "auto", ("auto", "no", "bf16"))

    def __post_init__(self):
        for name, holds in (
            ("total_kimg", 0 < self.total_kimg < math.inf),
            ("batch", self.batch >= 1),
            ("lr", self.lr is None or 0 < self.lr < math.inf),
            ("seed", 0 <= self.seed < 2**31),
        ):
            if not holds:
                flag = name.replace("_", "-")
                raise ValueError(f"--{flag} must be more than 0, got {getattr(self, name)}")


def view(img: Tensor, random: np.random.Generator) -> Tensor:
    """Images (N, C, H, H) in another light, colour, place and scale, as uploads differ."""
    n = len(img)

    def uniform(size: float, *shape: int) -> Tensor:
        return torch.from_numpy(random.uniform(-size, size, (n, *shape)).astype(np.float32))

    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = 1 + uniform(0.06)
    theta[:, :, 2] = uniform(0.06, 2)
    contrast, light, colour = uniform(0.12, 1, 1, 1), uniform(0.1, 1, 1, 1), uniform(0.06, 3, 1, 1)
    grid = F.affine_grid(theta.to(img.device), list(img.shape), align_corners=False)
    img = F.grid_sample(img, grid, padding_mode="reflection", align_corners=False)
    changes = (contrast + 1, light + colour[:, : img.shape[1]])
    gain, offset = (x.to(img.device) for x in changes)
    return (img * gain + offset).clamp(-1, 1)


def picture_loss(drawn: Tensor, img: Tensor, see: FeatureNetwork) -> Tensor:
    """Of images (N, C, H, H) -> ()."""
    features = feature_distance(see.maps(drawn), see.maps(img))
    return (unlikeness(drawn, img) + FEATURES * features).mean()


def prior(answer: Tensor, w_avg: Tensor, spread: Tensor) -> Tensor:
    """Of ws (N, num_ws, w_dim), by the standard deviations (w_dim,) of w -> ()."""
    mean = answer.mean(dim=1, keepdim=True)
    apart, far = (answer - mean) / spread, (mean - w_avg) / spread
    return APART * apart.square().mean() + FAR * far.square().mean()


class Lesson:
    """The generator, what it is asked, and how wrong an answer is."""

    def __init__(self, config: LessonConfig, G: Generator, accelerator: Accelerator):
        self.config, self.G, self.accelerator = config, G, accelerator
        self.see = load_features()[0].to(accelerator.device)
        self.spread = sample_w(G).std(dim=0)
        self.drawn = None, None  # which batch, and what it is

    @cached_property
    def variances(self) -> list[Tensor]:
        """Of the styles of each layer, over many w."""
        w = sample_w(self.G)
        styles = (self.styles(i, w) for i in range(self.G.num_ws))
        return [x.var(dim=0).mean().clamp(min=1e-8) for x in styles]  # 0 where all are alike

    def styles(self, place: int, w: Tensor) -> Tensor:
        return self.G.synthesis.affine_at(place)(w)

    def stream(self, purpose: int, number: int) -> np.random.Generator:
        who = self.accelerator.process_index
        return np.random.default_rng((self.config.seed, purpose, number, who))

    @torch.no_grad()
    def synthetic(self, step: int, n: int) -> tuple[Tensor, Tensor]:
        """n drawn faces and their ws, (N, C, H, W) and (N, num_ws, w_dim), VIEWS steps the same."""
        number, device = step // VIEWS, self.accelerator.device
        if self.drawn[0] != number:
            random = self.stream(LATENTS, number)
            z = torch.from_numpy(random.standard_normal((n, self.G.z_dim), dtype=np.float32))
            psi = torch.from_numpy(random.uniform(0.6, 1, n).astype(np.float32))
            w_avg = self.G.mapping.w_avg
            ws = truncate(self.G.mapping(z.to(device)), w_avg, psi.to(device))
            self.drawn = number, (self._draw(ws).clamp(-1, 1), ws)
        return self.drawn[1]

    def _draw(self, ws: Tensor) -> Tensor:
        narrow = self.config.mixed_precision == "bf16"
        return draw(self.G, ws, torch.bfloat16 if narrow else torch.float32)

    def latent_loss(self, answer: Tensor, ws: Tensor) -> Tensor:
        """Mean squared error of all styles, each layer in its own variances; 1 at w_avg."""
        errors = [
            (self.styles(i, answer[:, i]) - self.styles(i, ws[:, i])).square().mean() / variance
            for i, variance in enumerate(self.variances)
        ]
        return torch.stack(errors).mean()

    def picture_loss(self, answer: Tensor, img: Tensor) -> Tensor:
        """Of the faces of answers."""
        return picture_loss(self._draw(answer), img, self.see)

    def prior(self, answer: Tensor) -> Tensor:
        """What keeps answers among faces that the generator knows."""
        return prior(answer, self.G.mapping.w_avg, self.spread)
