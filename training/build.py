"""What the flags make: the networks and optimizers of a run, and how each step is taken."""

import copy

import torch
from accelerate import Accelerator

from evaluation.dataset import ImageDataset
from stylegan import Generator
from training.adversary import HEADS_LR, Heads, build_adversary, build_map_critic
from training.augment import AdaptiveAugment
from training.blur import blur_taps
from training.checkpoint import has_state
from training.config import TrainConfig
from training.draws import send
from training.precision import weight_layout
from training.processes import on_main
from training.redraw import Redraw
from training.run import Recipe, Run, TrainedGenerator
from training.transfer import begin_with, freeze, go_on_from

PATH_INTERVAL = 4  # steps between two measurements of path lengths


def build(config: TrainConfig, accelerator: Accelerator, dataset: ImageDataset) -> Run:
    """Networks and optimizers from the seed or `--init-from`, the same on every process."""
    torch.manual_seed(config.seed)
    shape = dataset.resolution, len(dataset.labels), dataset.channels
    G = Generator(config.generator(*shape))
    D, see, loss = build_adversary(config, dataset)
    begins_with_weights = config.init_from and not on_main(lambda: has_state(config))
    if begins_with_weights:
        begin_with(G, D, config)
    freeze(D, config.freeze_d)
    for network in (G, D):
        network.to(memory_format=weight_layout(accelerator.device))
    G_ema = copy.deepcopy(G).eval().requires_grad_(False).to(accelerator.device)

    def adam(network: torch.nn.Module, lr: float, interval: int) -> torch.optim.Adam:
        """`interval`: a regularizer comes on top of every so-many-th step; 0 is never."""
        lazy = interval / (interval + 1) if interval else 1.0
        lr *= lazy
        group = {"params": [p for p in network.parameters() if p.requires_grad], "initial_lr": lr}
        how = dict(fused=True, capturable=config.cuda_graphs)
        if config.cuda_graphs:  # a recorded step reads it there
            lr = torch.tensor(lr, device=accelerator.device)
        return torch.optim.Adam([group], lr=lr, betas=(0.0, 0.99**lazy), **how)

    G_opt = adam(G, config.g_lr, PATH_INTERVAL if config.path_length else 0)
    D_opt = adam(D, config.d_lr, config.r1_interval if config.critic != "features" else 0)
    G, D, G_opt, D_opt = accelerator.prepare(TrainedGenerator(G), D, G_opt, D_opt)
    cap = config.ada_max if config.critic != "features" else 0.0
    ada = AdaptiveAugment(
        target=config.ada_target, kimg=config.ada_kimg, start=min(config.ada_start, cap), cap=cap
    ).to(accelerator.device)
    mean_path = torch.zeros((), device=accelerator.device)
    redraw = Redraw.begin(config, dataset, accelerator.device) if config.redraw else None
    heads = None
    if config.critic == "both":
        critic = build_map_critic(redraw.percept, dataset, accelerator.device)
        prepared = accelerator.prepare(critic, adam(critic, HEADS_LR, 0))
        heads = Heads(prepared[0], critic.mixed, prepared[1])
    run = Run(accelerator, G, D, G_ema, G_opt, D_opt, ada, mean_path, see, loss, redraw, heads)
    if begins_with_weights:
        go_on_from(config, run.parts)
    return run


def recipe_at(config: TrainConfig, resolution: int, nimg: int, device: torch.device) -> Recipe:
    """How the step that begins at image `nimg` is taken. What is applied rarely weighs more."""
    step, gamma = nimg // config.batch, config.r1_gamma(resolution)
    labels = None
    if config.conditional:
        labels = torch.full((), config.label_weight(nimg), device=device)
    taps = None
    if config.config == "r" and not config.init_from:
        taps = blur_taps(resolution, config.batch, nimg)
    augment = "fixed" if config.critic == "features" else "ada" if config.ada_max else "no"
    return Recipe(
        batch=config.batch,
        augment=augment,
        labels=labels,
        blur=None if taps is None else send(taps, device),
        r1_weight=gamma / 2 * config.r1_interval * (step % config.r1_interval == 0),
        path_weight=config.path_length * PATH_INTERVAL * (step % PATH_INTERVAL == 0),
    )


def set_rates(run: Run, share: float) -> None:
    """Let all optimizers take steps of this share of their learning rates."""
    heads = [run.heads.opt] if run.heads else []
    for optimizer in (run.G_opt, run.D_opt, *heads):
        for group in optimizer.param_groups:
            lr = share * group["initial_lr"]
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(lr)
            else:
                group["lr"] = lr
