"""Train a generator: `python training/train.py --data FACES --out runs/NAME`.

Everything random follows from the seed and the images shown so far. The README.md of a run folder
says what it holds.
"""

import dataclasses
import os
import sys
import traceback
from contextlib import ExitStack
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # found without being installed
# Read when torch is loaded: a waiting thread soon sleeps. Left to spin, it takes the core of the
# thread it waits for as soon as another program wants a core too.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
PARENT = os.getppid()  # before the seconds in which libraries load, for it can be killed meanwhile
if __name__ == "__main__" and os.environ.get("RANK", "0") == "0" and "--help" not in sys.argv:
    print("loading libraries", flush=True)

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, PartialState
from accelerate.utils import ProjectConfiguration

from evaluation.dataset import ImageDataset
from preprocessing.read import readable
from stylegan.layers import mean_over_processes
from stylegan.memory import keep_freed_memory
from training.begin import check, open_alike, settle
from training.build import build, recipe_at, set_rates
from training.checkpoint import Checkpoint
from training.config import TrainConfig, parse_args
from training.cost import costs, training_flops
from training.data import EndlessSampler, endless_batches
from training.draws import Dealer, Share
from training.ema import ema_decay, update_ema
from training.folder import claim
from training.follow import Follower
from training.graphs import Graphed
from training.processes import leave, leave_out_warnings, on_main
from training.push import Pusher
from training.report import JsonLines, Reporter, log_pictures
from training.run import Recipe, Run
from training.search import search
from training.steps import Stats, take_step
from training.stop import Stopper, stop_with_launcher
from training.verify import verify

ADA_INTERVAL = 4  # steps between two changes of the augmentation's probability
REPORT_INTERVAL = 32  # steps between two reports
FIRST_STEPS = 8  # after which a run tells how long it will take and, if new, shows what it draws


def use_all_cores() -> None:
    """Share the machine's cores among its processes where the launcher left each with one.

    `accelerate launch` sets OMP_NUM_THREADS to 1 unless it is given --num_cpu_threads_per_process.
    """
    if os.environ.get("OMP_NUM_THREADS", "1") == "1":
        processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        can_tell = hasattr(os, "sched_getaffinity")
        cores = len(os.sched_getaffinity(0)) if can_tell else os.cpu_count() or 1
        torch.set_num_threads(max(1, cores // processes))


def introduce(config: TrainConfig, dataset: ImageDataset, run: Run, nimg: int) -> None:
    """Say what is about to run."""
    accelerator, resolution = run.accelerator, dataset.resolution
    raw = accelerator.unwrap_model(run.G).G, accelerator.unwrap_model(run.D)
    cost = costs(*raw, run.see, run.redraw, run.heads)
    r1_interval = config.r1_interval if config.critic != "features" else None
    flops = training_flops(cost, r1_interval, in_pairs=run.loss.in_pairs)
    kind = "grey pictures" if dataset.channels == 1 else "pictures"
    version = f" ({config.data} at commit {dataset.commit[:7]})" if dataset.commit else ""
    judge = "judged by features"
    if config.critic != "features":
        judge = f"judged by pixels, R1 gamma {config.r1_gamma(resolution):g}"
        judge += ", and by features" if run.heads else ""
    judge += ", fakes are real faces drawn again" if run.redraw else ""
    looks = "now it looks at all pictures, to measure faces by them; " if config.eval_kimg else ""
    accelerator.print(
        f"preset {config.preset}: G {cost.g}\n"
        f"preset {config.preset}: D {cost.d}; training {flops / 1e9:.1f} GFLOP per image shown\n"
        f"{len(dataset)} {kind} of {resolution} px{version}, "
        f"{accelerator.num_processes} process(es) on {accelerator.device.type}, "
        f"precision {accelerator.mixed_precision}, {judge}, "
        f"{'going on' if nimg else 'beginning'} at kimg {nimg / 1000:.3f}\n"
        f"{looks}the first losses come after {FIRST_STEPS} steps, "
        f"then after every {REPORT_INTERVAL}",
        flush=True,
    )


def keep(
    config: TrainConfig,
    run: Run,
    checkpoint: Checkpoint,
    follower: Follower,
    pusher: Pusher | None,
    nimg: int,
    *,
    snapshot: bool,
    measure: bool,
    between: bool,
) -> None:
    """Look at the run, save its state and send it, if a snapshot is due or one `between` is asked
    for; for the main process. `pusher` is None where it is not time to send.

    One between saves the state first, since who stops a run may soon kill it, and is sent with the
    next that is due.
    """
    if between and not snapshot:
        checkpoint.save(nimg)
    how = dict(measure=measure, snapshot=snapshot or between)
    log_pictures(run.accelerator, follower.look(checkpoint.parts, nimg, **how), nimg)
    if snapshot:
        checkpoint.save(nimg)
    if snapshot and pusher:
        pusher.start()


def is_due(before: int, nimg: int, total: float, kimg: float) -> bool:
    """Whether what is done every so many kimg, 0 for never, is due after a step, or at the end."""
    return kimg > 0 and (nimg >= total or nimg // (1000 * kimg) > before // (1000 * kimg))


def train(config: TrainConfig, dataset: ImageDataset, accelerator: Accelerator) -> None:
    """Run from the last state, or from the start, to `config.total_kimg`.

    Raises: FloatingPointError if a loss is no number; OSError if something cannot be saved or, at
    the end, pushed; ValueError for a picture that cannot be read.
    """
    run = build(config, accelerator, dataset)
    checkpoint = Checkpoint(run, config)
    nimg = checkpoint.load()
    stopper = Stopper()
    introduce(config, dataset, run, nimg)
    how = accelerator, stopper.agreed
    if run.redraw and not nimg and not search(run.redraw, run.G_ema, dataset, *how):
        accelerator.print("stopped before the first step; the same command begins anew", flush=True)
        return
    follower = pusher = None

    def follow() -> None:
        nonlocal follower, pusher
        accelerator.log_with.append(JsonLines(Path(config.out) / "log.jsonl", nimg))
        follower = Follower(config, dataset, nimg)
        follower.mend(checkpoint.parts, nimg)
        if config.push_to_hub:
            pusher = Pusher(config)

    on_main(follow)
    settings = {name: str(value) for name, value in dataclasses.asdict(config).items()}
    folder = {"wandb": {"dir": config.out}}
    accelerator.init_trackers(Path(config.out).resolve().name, settings, folder)
    where = dict(rank=accelerator.process_index, num_processes=accelerator.num_processes)
    sampler = EndlessSampler(
        dataset.groups(balance=config.balance),
        batch=config.batch,
        first=nimg,
        seed=config.seed,
        mirror=config.mirror,
        **where,
    )
    dealer = Dealer(
        config,
        num_labels=len(dataset.labels),
        device=accelerator.device,
        sampler=sampler,
        redraw=run.redraw,
        **where,
    )

    def once(shares: list[Share], recipe: Recipe) -> Stats:
        return take_step(run, shares, recipe, dataset.labels)

    step = Graphed(once) if config.cuda_graphs else once
    total = 1000 * config.total_kimg
    reporter = Reporter(accelerator, total, nimg)
    first = nimg + FIRST_STEPS * config.batch
    batches = endless_batches(dataset, sampler)
    while nimg < total:
        recipe = recipe_at(config, dataset.resolution, nimg, accelerator.device)
        shares = dealer.deal(nimg, *next(batches), paths=recipe.path_weight > 0)
        set_rates(run, config.rate(nimg))
        stats = step(shares, recipe)
        before, nimg = nimg, nimg + config.batch
        if run.redraw:
            what = torch.cat([share.faces for share in shares]), stats.pop("grad/z")
            run.redraw.learn(*accelerator.gather(what), before, nimg)
        if nimg // config.batch % ADA_INTERVAL == 0:
            run.ada.adjust(ADA_INTERVAL * config.batch, mean_over_processes)
        reporter.add(before, stats | {"ada/p": run.ada.p.clone()})
        decay = ema_decay(config.batch, config.ema_half_life(nimg))
        update_ema(run.G_ema, checkpoint.parts["G"], decay)
        stop = stopper.agreed()
        due = partial(is_due, before, nimg, total)
        snapshot, measure = due(config.snapshot_kimg), due(config.eval_kimg)
        between = stop or nimg == FIRST_STEPS * config.batch
        soon = nimg == first or nimg // config.batch % REPORT_INTERVAL == 0
        if between or snapshot or measure or soon:
            reporter.report(nimg)
        if nimg == first:
            reporter.foresee()
        if stop:
            accelerator.print("stopping: what it has learned is being saved", flush=True)
        if between or snapshot:
            run.ada.signs.copy_(mean_over_processes(run.ada.signs))  # one state serves all
        if between or snapshot or measure:
            what = dict(snapshot=snapshot, measure=measure, between=between)
            now = pusher if nimg < total and due(config.hub_every or config.snapshot_kimg) else None
            on_main(partial(keep, config, run, checkpoint, follower, now, nimg, **what))
            reporter.go_on()
        if stop:
            break
    if nimg >= total:
        on_main(lambda: follower.finish(nimg, accelerator.device))
    on_main(lambda: print(follower.farewell(nimg), flush=True))
    accelerator.wait_for_everyone()  # the one that saves, last
    accelerator.end_training()
    if nimg >= total and pusher:  # while nobody waits
        pusher.finish()


def start(config: TrainConfig) -> None:
    """Refuse what does not fit before anything is built, then train.

    Raises: as `train`, and ValueError.
    """
    on_cpu = not torch.cuda.is_available()
    torch.backends.cudnn.benchmark = True  # all shapes stay the same
    state = PartialState(cpu=on_cpu)
    if state.is_main_process:
        print(f"reading the pictures of {readable(config.data)}", flush=True)
    dataset = open_alike(config)
    check(config, dataset, state.num_processes)
    with ExitStack() as held:

        def begin() -> TrainConfig:
            held.enter_context(claim(config))
            verify(dataset, Path(config.out))
            return settle(config, dataset, state.device)

        config = on_main(begin)
        folders = ProjectConfiguration(config.out, logging_dir=str(Path(config.out) / "logs"))
        accelerator = Accelerator(
            cpu=on_cpu,
            mixed_precision=config.mixed_precision,
            log_with=config.log_with,
            project_config=folders,
            kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
        )
        train(config, dataset, accelerator)


def main() -> None:
    """Train as the command line says, or end with one sentence."""
    config = parse_args()
    stop_with_launcher(PARENT)
    leave_out_warnings()
    keep_freed_memory()
    use_all_cores()
    status = 0
    try:
        start(config)
    except FloatingPointError as e:  # on all processes: one says it
        told = f"error: {e}; what was saved before it is kept"
        status = told if PartialState().is_main_process else 1
    except (ValueError, OSError) as e:
        status = f"error: {e}"
    except SystemExit as e:
        status = e.code or 0  # None: all is well
    except Exception:  # a mistake of ours, or the other processes are gone
        traceback.print_exc()
        status = 1
    leave(status)


if __name__ == "__main__":
    main()
