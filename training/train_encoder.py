"""Teach an encoder: `python training/train_encoder.py --generator FOLDER --out runs/NAME`.

It learns from faces that the generator draws, whose latents are known, and then also from real
ones, whose latents are right if the generator draws the face from them. An encoder that lies beside
the generator goes on. Everything random follows from the seed and the images shown so far; the same
command goes on where it stopped. The run folder gets `encoder/`, to be copied into the generator's
folder.
"""

import copy
import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # found without being installed
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # see training/train.py
PARENT = os.getppid()

import torch
from accelerate import Accelerator, PartialState
from torch import Tensor

from evaluation.dataset import ImageDataset
from evaluation.source import open_dataset
from stylegan import Generator
from stylegan.encoder import Encoder
from stylegan.files import write_whole
from stylegan.memory import keep_freed_memory
from training.checkpoint import RECORD, States, read_record
from training.config import flags_of
from training.data import EndlessSampler, endless_batches
from training.ema import ema_decay, update_ema
from training.folder import claim
from training.lesson import VIEWS, Lesson, LessonConfig, view
from training.precision import fastest_precision
from training.processes import leave, on_main
from training.report import JsonLines, Reporter
from training.stop import Stopper, stop_with_launcher

PROGRAM = "python training/train_encoder.py"
FIXED_FLAGS = "generator", "data", "batch", "lr", "seed", "mixed_precision"
DRAWN_ALONE = 6000  # images before the first real face, if there are any
OFFSETS_IN = 4000  # images in which the layers' offsets come in after that
DRAWN_EVERY = 4  # of the steps after that, one is of drawn faces
WARM_UP, HALF_LIFE = 500, 1000  # images in which the rate rises; of the averaged weights
RATE, RATE_ON = 1e-3, 3e-4  # of a new encoder and of one that goes on, which the first spoils
VIEW = 8  # stream beside those of training.data, training.draws and training.lesson
REPORT_INTERVAL, SNAPSHOT_INTERVAL = 32, 128  # steps


def settle(
    config: LessonConfig, dataset: ImageDataset | None, taught: Encoder | None
) -> LessonConfig:
    """Choose what was left to choose, as the run was begun, and write it down; for one process.
    `taught` is the encoder that goes on, if there is one.

    Raises: ValueError for what differs from how it was begun.
    """
    out = Path(config.out)
    begun = read_record(out)
    if config.mixed_precision == "auto":
        precision = begun.get("mixed_precision") or fastest_precision(PartialState().device)
        config = dataclasses.replace(config, mixed_precision=precision)
    if config.lr is None:
        rate = begun.get("lr") or (RATE_ON if taught else RATE)
        config = dataclasses.replace(config, lr=rate)
    values = dataclasses.asdict(config)
    values["pictures"] = dataset.identity() if dataset else {}
    for name in (*FIXED_FLAGS, "pictures") if begun else ():
        if begun.get(name) != values[name]:
            what = "other pictures" if name == "pictures" else f"another --{name.replace('_', '-')}"
            raise ValueError(f"{out} was begun with {what}; give another --out to begin anew")
    write_whole(out / RECORD, json.dumps(values, indent=2) + "\n")
    return config


def taught_encoder(G: Generator, repo: str) -> Encoder | None:
    """That of some weights, if they have one that fits; raises ValueError for a damaged one."""
    try:
        encoder = Encoder.from_pretrained(repo)
    except FileNotFoundError:
        return None
    if encoder.config != Encoder.of(G).config:
        print(f"the encoder of {repo} is of another network; a new one begins", file=sys.stderr)
        return None
    return encoder


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


def train(
    config: LessonConfig, G: Generator, dataset: ImageDataset | None, taught: Encoder | None
) -> None:
    """Run from the last state, or from `taught` or nothing, to `config.total_kimg`.

    Raises: FloatingPointError if a loss is no number; OSError if something cannot be saved.
    """
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    torch.manual_seed(config.seed)
    lesson = Lesson(config, G.to(accelerator.device), accelerator)
    raw = Encoder.of(G)
    if taught:
        raw.load_state_dict(taught.state_dict())
    raw.to(accelerator.device)
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

        def begin() -> tuple[LessonConfig, Encoder | None]:
            held.enter_context(claim(config))
            taught = taught_encoder(G, config.generator)
            return settle(config, dataset, taught), taught

        config, taught = on_main(begin)
        train(config, G, dataset, taught)


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
