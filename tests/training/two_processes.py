"""What every process of a run does in test_launch.py: one step of all networks, by either critic,
and by both with real faces drawn again.

Usage: two_processes.py FOLDER, which gets rank0.pt, rank1.pt ...
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from accelerate import Accelerator

from stylegan import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig
from stylegan.layers import mean_over_processes
from training.adversary import Adversary, Heads, identity
from training.augment import AdaptiveAugment
from training.config import TrainConfig
from training.critic import FeatureCritic, MapCritic
from training.data import EndlessSampler
from training.draws import Dealer
from training.losses import HINGE, LOGISTIC, PAIRED
from training.percept import SIDE, Percept
from training.processes import leave
from training.redraw import Redraw
from training.run import Recipe, Run, TrainedGenerator
from training.steps import take_step

BATCH, KINDS = 16, ("pixels", "features", "redraw")


def step(accelerator: Accelerator, critic: str, *, accumulate: int = 1) -> dict[str, torch.Tensor]:
    """Gradients, running averages and signs after a step on this process's share of a batch."""
    torch.manual_seed(0)
    reals, labels = torch.rand(BATCH, 3, 32, 32) * 2 - 1, torch.arange(BATCH) % 3 % 2
    redraws = critic == "redraw"  # for networks without labels
    small = dict(c_dim=0 if redraws else 2, channel_base=128, channel_max=8)
    G = Generator(GeneratorConfig.stylegan3_t(32, z_dim=8, w_dim=12, num_layers=4, **small))
    loss = PAIRED if redraws else LOGISTIC
    adversary = Adversary(Discriminator(DiscriminatorConfig(32, **small)), identity, loss)
    if critic == "features":
        D = FeatureCritic(32, c_dim=2)
        adversary = Adversary(D, D.see, HINGE)
    D, see, loss = adversary
    still = [torch.optim.SGD(network.parameters(), lr=0.0) for network in (G, D)]
    prepared = accelerator.prepare(TrainedGenerator(G), D, *still)
    ada = AdaptiveAugment(start=0.5)
    config = TrainConfig(data=".", out=".", batch=BATCH, accumulate=accumulate, z_dim=8)
    rank, num_processes = accelerator.process_index, accelerator.num_processes
    where, redraw, heads = dict(rank=rank, num_processes=num_processes), None, None
    if redraws:
        folders = [torch.arange(BATCH)[labels == i] for i in (0, 1)]
        looks = [reals[own, 0, :2, :2].flatten(1) for own in folders]
        z = torch.randn(BATCH, 8)
        redraw = Redraw(5.0, Percept(reals), z, folders, looks, [0.5, 0.5], 0)
        judge = MapCritic(SIDE)
        judge.calibrate(redraw.percept.maps(reals))
        opt = torch.optim.SGD(judge.parameters(), lr=0.0)
        heads = Heads(accelerator.prepare(judge), judge.mixed, accelerator.prepare(opt))
    state = ada, torch.zeros(())
    run = Run(accelerator, *prepared[:2], G, *prepared[2:], *state, see, loss, redraw, heads)
    order = dict(batch=BATCH, first=0, seed=0, mirror=not redraws)
    sampler = EndlessSampler([range(BATCH)], **order, **where)
    where |= dict(device=accelerator.device, sampler=sampler, redraw=redraw)
    dealer = Dealer(config, num_labels=2, **where)
    mine = slice(rank, None, num_processes)
    shares = dealer.deal(0, reals[mine], labels[mine], paths=False)
    kind = dict(augment="fixed" if critic == "features" else "ada")
    kind |= {} if critic == "features" else dict(r1_weight=1.0)
    kind |= {} if redraws else dict(labels=torch.tensor(0.5))
    stats = take_step(run, shares, Recipe(BATCH, **kind), ["a", "b"])
    result = {"own signs": ada.signs.clone(), "signs": mean_over_processes(ada.signs)}
    if redraws:
        faces = torch.cat([share.faces for share in shares])
        redraw.learn(*accelerator.gather((faces, stats["grad/z"])), 0, BATCH)
        result["G.z of faces"] = redraw.z
    running = "w_avg", "ema"
    networks = {"G": G, "D": D} | ({"heads": judge} if redraws else {})
    for prefix, network in networks.items():
        result |= {f"{prefix}.{name}": p.grad for name, p in network.named_parameters()}
        buffers = {f"running {prefix}.{name}": b for name, b in network.named_buffers()}
        result |= {name: b for name, b in buffers.items() if name.endswith(running)}
    return result


if __name__ == "__main__":
    folder, accelerator = Path(sys.argv[1]), Accelerator(cpu=True)
    found = {critic: step(accelerator, critic) for critic in KINDS}
    torch.save(found, folder / f"rank{accelerator.process_index}.pt")
    accelerator.wait_for_everyone()
    accelerator.end_training()
    leave(0)
