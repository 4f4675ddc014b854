"""What lets training go on elsewhere from published weights, nearly as if it had not stopped.

`training.safetensors` lies beside the averaged generator and the discriminator. It holds the
generator as it was trained, in float16, and the second moments of both optimizers, in bfloat16.
Adam's beta1 is 0 here, so that the first moments do not matter.

Reference: Kingma and Ba 2014 (arXiv:1412.6980), Alg. 1.
"""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

HANDOVER = "training.safetensors"
WEIGHTS, OF_G, OF_D = "G.", "G_opt.", "D_opt."  # what the names in it begin with
MANY_STEPS = 1e6  # after which Adam no longer corrects its moments for a short history


def _moments(prefix: str, network: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    return {
        prefix + name: optimizer.state[parameter]["exp_avg_sq"].bfloat16().contiguous()
        for name, parameter in network.named_parameters()
        if "exp_avg_sq" in optimizer.state.get(parameter, {})
    }


def handover(
    generator: nn.Module, D: nn.Module, G_opt: Optimizer, D_opt: Optimizer
) -> dict[str, Tensor]:
    """The tensors of the file, by name."""
    weights = {WEIGHTS + name: x.half().contiguous() for name, x in generator.state_dict().items()}
    return weights | _moments(OF_G, generator, G_opt) | _moments(OF_D, D, D_opt)


def _take_moments(
    prefix: str, network: nn.Module, optimizer: Optimizer, state: dict[str, Tensor]
) -> None:
    """Those that fit; a parameter without gets new ones at its first step."""
    for name, parameter in network.named_parameters():
        moment = state.get(prefix + name)
        if parameter.requires_grad and moment is not None and moment.shape == parameter.shape:
            optimizer.state[parameter] = {
                "step": torch.tensor(MANY_STEPS, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.empty_like(parameter).copy_(moment),
            }


def take_over(
    state: dict[str, Tensor],
    generator: nn.Module,
    D: nn.Module,
    G_opt: Optimizer,
    D_opt: Optimizer,
) -> None:
    """Let training go on from the file's tensors; what does not fit these networks is left out."""
    weights = {name[len(WEIGHTS) :]: x for name, x in state.items() if name.startswith(WEIGHTS)}
    own = generator.state_dict()
    if {n: x.shape for n, x in weights.items()} != {n: x.shape for n, x in own.items()}:
        return
    generator.load_state_dict(weights)
    _take_moments(OF_G, generator, G_opt, state)
    _take_moments(OF_D, D, D_opt, state)
