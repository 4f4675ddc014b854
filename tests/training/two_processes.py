"""What every process of a two-process run does in test_launch.py: one step of both networks.

Usage: two_processes.py FOLDER, which holds inputs.pt and gets rank0.pt and rank1.pt.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from accelerate import Accelerator

from stylegan import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig
from training.steps import Run, discriminator_step, generator_step


def step(accelerator: Accelerator, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Parameters after a step of gradient descent on this process's share of the inputs."""
    torch.manual_seed(0)
    small = dict(channel_base=128, channel_max=8)
    G = Generator(GeneratorConfig.stylegan3_t(32, z_dim=8, w_dim=12, num_layers=4, **small))
    D = Discriminator(DiscriminatorConfig(32, **small))
    optimizers = [torch.optim.SGD(network.parameters(), lr=0.01) for network in (G, D)]
    run = Run(accelerator, *accelerator.prepare(G, D, *optimizers))
    share = slice(accelerator.process_index, None, accelerator.num_processes)
    generator_step(run, inputs["z"][share])
    discriminator_step(run, inputs["reals"][share], inputs["z"][share], r1_weight=1.0)
    named = [*G.named_parameters("G"), *D.named_parameters("D")]
    return {name: parameter.detach().clone() for name, parameter in named}


if __name__ == "__main__":
    folder, accelerator = Path(sys.argv[1]), Accelerator(cpu=True)
    result = step(accelerator, torch.load(folder / "inputs.pt"))
    torch.save(result, folder / f"rank{accelerator.process_index}.pt")
    accelerator.wait_for_everyone()
    accelerator.end_training()
