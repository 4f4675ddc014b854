"""Train a generator: `accelerate launch training/train.py --data FACES --out runs/NAME`.

A run folder holds weights/ (a `save_pretrained` folder of G_ema per snapshot), samples/ (the same
seeds drawn at every snapshot), log.jsonl (one line per report) and state.pt (all that is needed to
go on). Everything random follows from the seed and the images shown so far.
"""

import copy
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # found without being installed
# Read when torch is loaded: a waiting thread soon sleeps. Left to spin, it takes the core of the
# thread it waits for as soon as another program wants a core too.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from stylegan import Discriminator, Generator
from stylegan.memory import keep_freed_memory
from training.checkpoint import Checkpoint, check_flags, save_flags
from training.config import TrainConfig, parse_args
from training.data import EndlessSampler, ImageDataset, endless_batches
from training.ema import ema_decay, update_ema
from training.report import Reporter
from training.snapshot import open_repository, push, save_snapshot
from training.steps import Run, discriminator_step, generator_step


def use_all_cores() -> None:
    """Share the machine's cores among its processes where the launcher left each with one.

    `accelerate launch` sets OMP_NUM_THREADS to 1 unless it is given --num_cpu_threads_per_process.
    """
    if os.environ.get("OMP_NUM_THREADS", "1") == "1":
        processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // processes))


def check(config: TrainConfig, dataset: ImageDataset, num_processes: int) -> None:
    """Raise ValueError for flags that do not fit the data, the processes or the run folder."""
    per_process, rest = divmod(config.batch, num_processes)
    if rest:
        raise ValueError(f"--batch {config.batch} cannot be split over {num_processes} processes")
    group = config.discriminator(dataset.resolution).mbstd_group_size
    if per_process > group and per_process % group:
        raise ValueError(
            f"--batch {config.batch} gives {per_process} images per process; "
            f"the minibatch statistics need a multiple of {group}"
        )
    config.generator(dataset.resolution)  # refuses a resolution that no network has


def draw_z(config: TrainConfig, accelerator: Accelerator, nimg: int, purpose: int) -> Tensor:
    """Latents (batch / processes, z_dim) that only the seed, the progress and the rank decide."""
    rng = np.random.default_rng((config.seed, nimg, accelerator.process_index, purpose))
    shape = config.batch // accelerator.num_processes, config.z_dim
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)).to(accelerator.device)


def build(config: TrainConfig, accelerator: Accelerator, resolution: int) -> tuple[Run, Generator]:
    """Networks and optimizers from the seed, the same on every process."""
    torch.manual_seed(config.seed)
    G = Generator(config.generator(resolution))
    D = Discriminator(config.discriminator(resolution))
    G_ema = copy.deepcopy(G).eval().requires_grad_(False).to(accelerator.device)
    lazy = config.r1_interval / (config.r1_interval + 1)  # R1 comes on top of every 16th step
    G_opt = torch.optim.Adam(G.parameters(), lr=config.g_lr, betas=(0.0, 0.99))
    D_opt = torch.optim.Adam(D.parameters(), lr=config.d_lr * lazy, betas=(0.0, 0.99**lazy))
    return Run(accelerator, *accelerator.prepare(G, D, G_opt, D_opt)), G_ema


def train(config: TrainConfig, dataset: ImageDataset, accelerator: Accelerator) -> None:
    """Run from the last state, or from the start, to `config.total_kimg`."""
    run, G_ema = build(config, accelerator, dataset.resolution)
    checkpoint = Checkpoint(run, G_ema, config)
    nimg = checkpoint.load()
    gamma, half_life = config.gamma(dataset.resolution), config.ema_half_life()
    if accelerator.is_main_process:
        print(
            f"{len(dataset)} pictures of {dataset.resolution} px, {accelerator.num_processes} "
            f"process(es) on {accelerator.device.type}, precision {accelerator.mixed_precision}, "
            f"R1 gamma {gamma:g}, {'going on' if nimg else 'beginning'} at kimg {nimg / 1000:.3f}",
            flush=True,
        )
        if nimg >= 1000 * config.total_kimg:
            print(f"--total-kimg {config.total_kimg:g} is reached already; raise it to go on")
    sampler = EndlessSampler(
        len(dataset),
        batch=config.batch,
        first=nimg,
        seed=config.seed,
        mirror=config.mirror,
        rank=accelerator.process_index,
        num_processes=accelerator.num_processes,
    )
    reporter = Reporter(config, nimg)
    total, every = 1000 * config.total_kimg, 1000 * config.snapshot_kimg
    batches = endless_batches(dataset, sampler)
    while nimg < total:
        reals = next(batches).to(accelerator.device)
        reporter.add(generator_step(run, draw_z(config, accelerator, nimg, 0)))
        use_r1 = nimg // config.batch % config.r1_interval == 0
        r1_weight = gamma / 2 * config.r1_interval * use_r1  # applied rarely, weighted up to match
        z = draw_z(config, accelerator, nimg, 1)
        reporter.add(discriminator_step(run, reals, z, r1_weight))
        before, nimg = nimg, nimg + config.batch
        update_ema(G_ema, checkpoint.parts["G"], ema_decay(config.batch, half_life, nimg))
        if not accelerator.is_main_process:
            continue
        last = nimg >= total
        if last or reporter.due():
            reporter.report(nimg)
        if last or nimg // every > before // every:
            folder = save_snapshot(config, dataset, G_ema, nimg)
            checkpoint.save(nimg)
            if config.push_to_hub:
                push(config.push_to_hub, folder, last=last)
    accelerator.end_training()


def main() -> None:
    """Refuse what does not fit before anything is built, then train."""
    config = parse_args()
    keep_freed_memory()
    use_all_cores()
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    try:
        dataset = ImageDataset(config.data)
        check(config, dataset, accelerator.num_processes)
        check_flags(config)
        if accelerator.is_main_process and config.push_to_hub:
            open_repository(config.push_to_hub)
    except ValueError as e:
        sys.exit(f"error: {e}")
    accelerator.wait_for_everyone()  # no process writes before all have read
    if accelerator.is_main_process:
        save_flags(config)
    train(config, dataset, accelerator)


if __name__ == "__main__":
    main()
