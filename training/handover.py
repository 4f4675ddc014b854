"""What lets training go on elsewhere from published weights, nearly as if it had not stopped.

`training.safetensors` lies beside the averaged generator and the discriminator. It holds the
generator as it was trained and the heads beside the discriminator, if there were any, in float16,
and the second moments of all optimizers, in bfloat16. Adam's beta1 is 0 here, so that the first
moments do not matter.

Reference: Kingma and Ba 2014 (arXiv:1412.6980), Alg. 1.
"""

import torch
from torch import Tensor, nn

HANDOVER = "training.safetensors"
WEIGHTS, OF_G = "G.", "G_opt."  # what the names in it begin with
FITTED = "gain_"  # what heads measure of the pictures that they are to judge
MANY_STEPS = 1e6  # after which Adam no longer corrects its moments for a short history


def _moments(name: str, parts: dict[str, object]) -> dict[str, Tensor]:
    """Of a network's optimizer."""
    state = parts[f"{name}_opt"].state
    return {
        f"{name}_opt.{parameter_name}": state[parameter]["exp_avg_sq"].bfloat16().contiguous()
        for parameter_name, parameter in parts[name].named_parameters()
        if "exp_avg_sq" in state.get(parameter, {})
    }


def _learned(network: nn.Module) -> dict[str, Tensor]:
    """Its state, but for what it measured."""
    return {n: x for n, x in network.state_dict().items() if not n.startswith(FITTED)}


def handover(parts: dict[str, object]) -> dict[str, Tensor]:
    """The tensors of the file, by name, from the parts of a run."""
    tensors = {}
    for name in ("G", "heads"):
        if name in parts:
            weights = _learned(parts[name])
            tensors |= {f"{name}.{n}": x.half().contiguous() for n, x in weights.items()}
    for name in ("G", "D", "heads"):
        if name in parts:
            tensors |= _moments(name, parts)
    return tensors


def _take_weights(name: str, parts: dict[str, object], state: dict[str, Tensor]) -> bool:
    """All of a network's, if they fit it; whether they do."""
    prefix, own = f"{name}.", _learned(parts[name])
    weights = {n.removeprefix(prefix): x for n, x in state.items() if n.startswith(prefix)}
    if {n: x.shape for n, x in weights.items()} != {n: x.shape for n, x in own.items()}:
        return False
    parts[name].load_state_dict(weights, strict=False)
    return True


def _take_moments(name: str, parts: dict[str, object], state: dict[str, Tensor]) -> None:
    """Those that fit; a parameter without gets new ones at its first step."""
    for parameter_name, parameter in parts[name].named_parameters():
        moment = state.get(f"{name}_opt.{parameter_name}")
        if parameter.requires_grad and moment is not None and moment.shape == parameter.shape:
            parts[f"{name}_opt"].state[parameter] = {
                "step": torch.tensor(MANY_STEPS, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.empty_like(parameter).copy_(moment),
            }


def take_over(state: dict[str, Tensor], parts: dict[str, object]) -> None:
    """Let training go on from the file's tensors; what does not fit these parts is left out."""
    if _take_weights("G", parts, state):
        for name in ("G", "D"):
            _take_moments(name, parts, state)
    if "heads" in parts and _take_weights("heads", parts, state):
        _take_moments("heads", parts, state)
