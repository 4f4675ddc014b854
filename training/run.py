"""What a run is made of, and how one of its steps is taken."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer

from stylegan import Generator
from training.adversary import Heads
from training.augment import AdaptiveAugment
from training.losses import Loss
from training.redraw import Redraw

Seen = Tensor | list[Tensor]  # images, or maps of features


class TrainedGenerator(nn.Module):
    """The generator as a training step calls it: one pass, styles returned too.

    Shapes: z (N, z_dim), c (N, c_dim) -> img (N, C, H, W), ws (N, num_ws, w_dim).
    """

    def __init__(self, G: Generator):
        super().__init__()
        self.G = G

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        label_weight: float | Tensor = 1.0,
        ema_images: int = 0,
    ) -> tuple[Tensor, Tensor]:
        ws = self.G.mapping(z, c, ema_images=ema_images, label_weight=label_weight)
        return self.G.synthesis(ws, ema_images=ema_images), ws


@dataclass
class Run:
    """What changes while a run goes on; networks and optimizers as accelerate prepared them.

    `see` turns images into what D judges and `loss` says what D and G are to do with the logits:
    both belong to the kind of D. `redraw` is None where faces are not drawn again, `heads` where no
    other critic judges beside D.
    """

    accelerator: Accelerator
    G: nn.Module  # a TrainedGenerator
    D: nn.Module
    G_ema: Generator
    G_opt: Optimizer
    D_opt: Optimizer
    ada: AdaptiveAugment
    mean_path: Tensor  # (), running mean of path lengths
    see: Callable[[Tensor], Seen]
    loss: Loss
    redraw: Redraw | None = None
    heads: Heads | None = None

    def __post_init__(self):
        judges = [self.D, self.heads.critic] if self.heads else [self.D]
        self.trained = [p for judge in judges for p in judge.parameters() if p.requires_grad]

    @property
    def parts(self) -> dict[str, object]:
        """What a state keeps, each by its `state_dict`; networks as they are without accelerate."""
        raw = self.accelerator.unwrap_model
        parts = {
            "G": raw(self.G).G,
            "D": raw(self.D),
            "G_ema": self.G_ema,
            "G_opt": self.G_opt,
            "D_opt": self.D_opt,
            "ada": self.ada,
        }
        if self.redraw:
            parts |= {"redraw": self.redraw}
        if self.heads:
            parts |= {"heads": raw(self.heads.critic), "heads_opt": self.heads.opt}
        return parts

    @contextmanager
    def fixed_judges(self) -> Iterator[None]:
        """Inside, gradients pass through D and heads, and none are kept for them."""
        for parameter in self.trained:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in self.trained:
                parameter.requires_grad_(True)


@dataclass(frozen=True)
class Recipe:
    """How this step is taken; a weight of 0 leaves its term out.

    `labels` is None for a network without labels, else their weight, a scalar.
    """

    batch: int  # of all processes
    augment: str = "no"  # "ada": as much as D bears; "fixed": always
    labels: Tensor | None = None
    blur: Tensor | None = None  # taps (n,)
    r1_weight: float = 0.0
    path_weight: float = 0.0
