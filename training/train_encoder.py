"""Teach an encoder: `python training/train_encoder.py --generator FOLDER --out runs/NAME`.

It learns from faces that the generator draws, whose latents are known, and then also from real
ones, whose latents are right if the generator draws the face from them. Everything random follows
from the seed and the images shown so far; the same command goes on where it stopped. The run folder
gets `encoder/`, to be copied into the generator's folder.
"""

import copy
import dataclasses
import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # found without being installed
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # see training/train.py
PARENT = os.getppid()

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator, PartialState
from torch import Tensor

from evaluation.dataset import ImageDataset
from evaluation.features import load_features
from evaluation.source import open_dataset
from stylegan import Generator
from stylegan.directions import sample_w
from stylegan.encoder import Encoder
from stylegan.files import write_whole
from stylegan.latents import truncate
from stylegan.memory import keep_freed_memory
from stylegan.precision import draw
from stylegan.projection import feature_distance, unlikeness
from training.checkpoint import RECORD, States, read_record
from training.config import flags_of, option
from training.data import EndlessSampler, endless_batches
from training.ema import ema_decay, update_ema
from training.folder import claim
from training.precision import fastest_precision
from training.processes import leave, on_main
from training.report import JsonLines, Reporter
from training.stop import Stopper, stop_with_launcher

PROGRAM = "python training/train_encoder.py"
FIXED_FLAGS = "generator", "data", "batch", "lr", "seed", "mixed_precision"
DRAWN_ALONE = 6000  # images before the first real face, if there are any
OFFSETS_IN = 4000  # images in which the layers' offsets come in after that
DRAWN_EVERY = 4  # of the steps after that, one is of drawn faces
VIEWS = 2  # steps in which a drawn batch is shown, each time another way
WARM_UP, HALF_LIFE = 500, 1000  # images in which the rate rises; of the averaged weights
FEATURES = 1.0  # weight of their distance, beside that of pixels
APART, FAR = 0.02, 0.005  # weights of how far the layers' w lie apart, and of how far from w_avg
LATENTS, VIEW = 7, 8  # streams beside those of training.data and training.draws
REPORT_INTERVAL, SNAPSHOT_INTERVAL = 32, 128  # steps


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
    lr: float = option("learning rate", 1e-3)
    seed: int = option("of everything random", 0)
    mixed_precision: str = option("auto: the faster one", "auto", ("auto", "no", "bf16"))

    def __post_init__(self):
        for name, holds in (
            ("total_kimg", 0 < self.total_kimg < math.inf),
            ("batch", self.batch >= 1),
            ("lr", 0 < self.lr < math.inf),
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
        """How unlike the faces of answers are, in pixels and in features."""
        drawn = self._draw(answer)
        features = feature_distance(self.see.maps(drawn), self.see.maps(img))
        return (unlikeness(drawn, img) + FEATURES * features).mean()

    def prior(self, answer: Tensor) -> Tensor:
        """What keeps answers among faces that the generator knows."""
        mean = answer.mean(dim=1, keepdim=True)
        apart, far = (answer - mean) / self.spread, (mean - self.G.mapping.w_avg) / self.spread
        return APART * apart.square().mean() + FAR * far.square().mean()


def settle(config: LessonConfig, dataset: ImageDataset | None) -> LessonConfig:
    """Choose what was left to choose, as the run was begun, and write it down; for one process.

    Raises: ValueError for what differs from how it was begun.
    """
    out = Path(config.out)
    begun = read_record(out)
    if config.mixed_precision == "auto":
        precision = begun.get("mixed_precision") or fastest_precision(PartialState().device)
        config = dataclasses.replace(config, mixed_precision=precision)
    values = dataclasses.asdict(config)
    values["pictures"] = dataset.identity() if dataset else {}
    for name in (*FIXED_FLAGS, "pictures") if begun else ():
        if begun.get(name) != values[name]:
            what = "other pictures" if name == "pictures" else f"another --{name.replace('_', '-')}"
            raise ValueError(f"{out} was begun with {what}; give another --out to begin anew")
    write_whole(out / RECORD, json.dumps(values, indent=2) + "\n")
    return config


def check(G: Generator, config: LessonConfig, dataset: ImageDataset | None, processes: int) -> None:
    """Raise ValueError for what does not fit together."""
    if G.c_dim:
        raise ValueError(f"--generator {config.generator} draws by label; encoders know none")
    if config.batch % processes:
        raise ValueError(f"--batch {config.batch} cannot be split over {processes} processes")
    if dataset and (dataset.resolution, dataset.channels) != (G.img_resolution, G.img_channels):
        raise ValueError(
            f"--data holds pictures of {dataset.resolution} px and {dataset.channels} channel(s), "
            f"--generator draws {G.img_resolution} px and {G.img_channels}"
        )


def reals(
    config: LessonConfig, dataset: ImageDataset, done: int, accelerator: Accelerator
) -> Iterator[Tensor]:
    """Batches of real faces after so many images of them, without end."""
    how = dict(batch=config.batch, first=done, seed=config.seed, mirror=True)
    how |= dict(rank=accelerator.process_index, num_processes=accelerator.num_processes)
    sampler = EndlessSampler(dataset.groups(balance=True), **how)
    return (images.to(accelerator.device) for images, _ in endless_batches(dataset, sampler))


def num_drawn(step: int, config: LessonConfig) -> int:
    """How many of the steps before this one are of drawn faces."""
    alone = DRAWN_ALONE // config.batch
    if not config.data or step <= alone:
        return step
    rounds, rest = divmod(step - alone, VIEWS * DRAWN_EVERY)
    return alone + VIEWS * rounds + min(rest, VIEWS)


def told(means: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in means.items())


def save(states: States, encoder: Encoder, config: LessonConfig, nimg: int) -> None:
    """What the run goes on from, and the encoder as it is."""
    states.save(nimg)
    encoder.save_pretrained(config.out)


def train(config: LessonConfig, G: Generator, dataset: ImageDataset | None) -> None:
    """Run from the last state, or from the start, to `config.total_kimg`.

    Raises: FloatingPointError if a loss is no number; OSError if something cannot be saved.
    """
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    torch.manual_seed(config.seed)
    lesson = Lesson(config, G.to(accelerator.device), accelerator)
    raw = Encoder.of(G).to(accelerator.device)
    optimizer = torch.optim.Adam(raw.parameters(), lr=config.lr, betas=(0.9, 0.99))
    average = copy.deepcopy(raw).eval().requires_grad_(False)
    encoder, optimizer = accelerator.prepare(raw, optimizer)
    parts = {"encoder": raw, "average": average, "optimizer": optimizer.optimizer}
    states = States(config.out, 1, parts)
    nimg, stopper = states.load()["nimg"], Stopper()
    on_main(lambda: accelerator.log_with.append(JsonLines(Path(config.out) / "log.jsonl", nimg)))
    accelerator.init_trackers("encoder")
    total, share = 1000 * config.total_kimg, config.batch // accelerator.num_processes
    if dataset:
        step = nimg // config.batch
        faces = reals(config, dataset, nimg - config.batch * num_drawn(step, config), accelerator)
    reporter = Reporter(accelerator, total, nimg, told)
    accelerator.print(f"beginning at kimg {nimg / 1000:.3f}", flush=True)
    while nimg < total:
        step = nimg // config.batch
        for group in optimizer.param_groups:
            group["lr"] = config.lr * min((nimg + config.batch) / WARM_UP, 1.0)
        random = lesson.stream(VIEW, step)
        weight = min(max((nimg - DRAWN_ALONE) / OFFSETS_IN, 0.0), 1.0)
        drawn_before = num_drawn(step, config)
        if num_drawn(step + 1, config) > drawn_before:
            img, ws = lesson.synthetic(drawn_before, share)
            answer = encoder(view(img, random), weight)
            name, loss = "latents", lesson.latent_loss(answer, ws)
        else:
            img = view(next(faces), random)
            answer = encoder(img, weight)
            name, loss = "pictures", lesson.picture_loss(answer, img)
        optimizer.zero_grad(set_to_none=True)
        accelerator.backward(loss + lesson.prior(answer))
        optimizer.step()
        reporter.add(nimg, {name: loss.detach()})
        nimg += config.batch
        update_ema(average, raw, ema_decay(config.batch, min(HALF_LIFE, 0.2 * nimg)))
        stop = stopper.agreed()
        if stop or nimg >= total or nimg // config.batch % REPORT_INTERVAL == 0:
            reporter.report(nimg)
        if stop or nimg >= total or nimg // config.batch % SNAPSHOT_INTERVAL == 0:
            on_main(partial(save, states, average, config, nimg))
        if stop:
            break
    end = "the end is reached" if nimg >= total else "stopped; the same command goes on there"
    words = f"copy {config.out}/encoder into the folder of the weights"
    accelerator.print(f"kimg {nimg / 1000:.3f}: {end}; {words}")
    accelerator.end_training()


def start(config: LessonConfig) -> None:
    """Refuse what does not fit, then train; raises ValueError or OSError."""
    state = PartialState(cpu=not torch.cuda.is_available())
    G = Generator.from_pretrained(config.generator)
    dataset = open_dataset(config.data) if config.data else None
    check(G, config, dataset, state.num_processes)
    with ExitStack() as held:

        def begin() -> LessonConfig:
            held.enter_context(claim(config))
            return settle(config, dataset)

        train(on_main(begin), G, dataset)


def main() -> None:
    """Teach as the command line says, or end with one sentence."""
    parser = flags_of(LessonConfig, PROGRAM)
    try:
        config = LessonConfig(**vars(parser.parse_args()))
    except ValueError as e:
        parser.error(str(e))
    stop_with_launcher(PARENT)
    keep_freed_memory()
    status = 0
    try:
        start(config)
    except (ValueError, OSError, FloatingPointError) as e:
        status = f"error: {e}"
    except SystemExit as e:
        status = e.code or 0
    leave(status)


if __name__ == "__main__":
    main()
