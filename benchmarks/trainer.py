"""What the trainer builds, on pictures of noise, and its step taken apart to be timed."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor

from evaluation.dataset import ImageDataset
from stylegan.layers import mean_over_processes
from training.augment import augment
from training.begin import check
from training.build import build, recipe_at
from training.config import TrainConfig
from training.cost import costs, training_flops
from training.data import EndlessSampler, endless_batches
from training.draws import Dealer
from training.ema import ema_decay, update_ema
from training.graphs import Graphed
from training.steps import take_step
from training.train import ADA_INTERVAL
from training.variety import vary

INSIDE = ("G fwd", "G fwd+bwd", "see fwd", "see fwd+bwd", "D fwd", "D fwd+bwd")
NUM_PICTURES = 64


class Noise(ImageDataset):
    """Pictures of noise, as many of either label; made in memory."""

    def __init__(self, resolution: int):
        self.resolution, self.channels, self.labels = resolution, 3, ["a", "b"]
        self.paths = [Path(str(i)) for i in range(NUM_PICTURES)]  # only their number is asked for
        self.label_of = [i % 2 for i in range(NUM_PICTURES)]
        shape, rng = (
            (NUM_PICTURES, self.channels, resolution, resolution),
            torch.Generator().manual_seed(0),
        )
        self.pixels = torch.randint(256, shape, generator=rng, dtype=torch.uint8)

    def __getitem__(self, item: tuple[int, bool]) -> tuple[Tensor, int]:
        index, mirrored = item
        return self.pixels[index].flip(2) if mirrored else self.pixels[index], self.label_of[index]


@dataclass(frozen=True)
class Variant:
    """A way to run the same step."""

    precision: str  # "no" or "bf16", as accelerate calls it
    weights: torch.memory_format = torch.contiguous_format
    graphs: bool = False
    gpu_only: bool = False


VARIANTS = {
    "no": Variant("no"),
    "bf16": Variant("bf16"),
    "bf16 channels_last": Variant("bf16", torch.channels_last, gpu_only=True),
    "bf16 channels_last graphs": Variant("bf16", torch.channels_last, graphs=True, gpu_only=True),
}


def per_step(config: TrainConfig) -> dict[str, float]:
    """How many of each part a step has, on average."""
    r1 = 1 / config.r1_interval if config.critic != "features" else 0.0
    return {"deal": 1, "step": 1 - r1, "step with R1": r1, "adjust": 1 / ADA_INTERVAL, "EMA": 1}


class Trainer:
    """What the trainer builds for one setting, and its step taken apart.

    Raises: ValueError for a setting that no network has.
    """

    def __init__(self, config: TrainConfig, variant: Variant, dataset: ImageDataset):
        config = dataclasses.replace(config, cuda_graphs=variant.graphs)
        check(config, dataset, num_processes=1)
        AcceleratorState._reset_state(True)  # else the first precision would hold for all
        on_cpu = not torch.cuda.is_available()
        accelerator = Accelerator(cpu=on_cpu, mixed_precision=variant.precision)
        self.config, self.device = config, accelerator.device
        self.labels, self.nimg = dataset.labels, 0
        self.run = run = build(config, accelerator, dataset)  # binds the precision to the networks
        for network in (run.G, run.D, run.G_ema):
            network.to(memory_format=variant.weights)
        self.step = partial(take_step, run, label_names=self.labels)
        if config.cuda_graphs:
            self.step = Graphed(self.step)
        self.G = accelerator.unwrap_model(run.G).G
        cost = costs(self.G, accelerator.unwrap_model(run.D), run.see, run.redraw, run.heads)
        r1_interval = config.r1_interval if config.critic != "features" else None
        # per image shown
        self.flops = training_flops(cost, r1_interval, in_pairs=run.loss.in_pairs)
        self.with_r1, self.plain = (
            recipe_at(config, dataset.resolution, nimg, self.device) for nimg in (0, config.batch)
        )
        sampler = EndlessSampler(
            dataset.groups(balance=config.balance),
            batch=config.batch,
            first=0,
            seed=config.seed,
            mirror=config.mirror,
        )
        self.batches = endless_batches(dataset, sampler)
        self.dealer = Dealer(
            config,
            num_labels=len(dataset.labels),
            rank=0,
            num_processes=1,
            device=self.device,
        )

    def deal(self) -> None:
        """The next batch."""
        self.shares = self.dealer.deal(self.nimg, *next(self.batches), paths=False)
        self.nimg += self.config.batch

    def average(self) -> None:
        decay = ema_decay(self.config.batch, self.config.ema_half_life(self.nimg))
        update_ema(self.run.G_ema, self.G, decay)

    def parts(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """Names and what to time, in this order: first what a step has, then what is inside."""
        run, num_images = self.run, ADA_INTERVAL * self.config.batch
        yield "deal", self.deal
        shares = self.shares
        yield "step", lambda: self.step(shares, self.plain)
        yield "step with R1", lambda: self.step(shares, self.with_r1)
        yield "adjust", lambda: run.ada.adjust(num_images, mean_over_processes)
        yield "EMA", self.average
        (share,) = shares  # no preset accumulates
        reals, numbers = share.reals.clone().requires_grad_(), share.numbers

        def draw() -> Tensor:
            return run.G(share.z)[0]

        def see(images: Tensor) -> list[Tensor]:
            if self.plain.augment == "ada":
                images = augment(images, run.ada.p, numbers)
            elif self.plain.augment == "fixed":
                images = vary(images, numbers)
            with run.accelerator.autocast():
                seen = run.see(images)
            return seen if isinstance(seen, list) else [seen]

        def differentiate(outputs: list[Tensor], *inputs: Tensor) -> None:
            torch.autograd.grad(sum(x.float().square().sum() for x in outputs), inputs)

        with torch.no_grad():
            seen = run.see(share.reals)
        yield "G fwd", torch.no_grad()(draw)
        yield "G fwd+bwd", lambda: differentiate([draw()], *run.G.parameters())
        yield "see fwd", torch.no_grad()(lambda: see(share.reals))
        yield "see fwd+bwd", lambda: differentiate(see(reals), reals)
        yield "D fwd", torch.no_grad()(lambda: run.D(seen))
        trained = [p for p in run.D.parameters() if p.requires_grad]
        yield "D fwd+bwd", lambda: differentiate([run.D(seen)], *trained)
