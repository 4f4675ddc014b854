"""Tensors of a safetensors file, and whether they can be a network's weights."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

POINTER = (
    b"version https://git-lfs.github.com/spec/"  # how a file begins that git left in the place
)
MOST_HEADER = 10**6  # bytes of what names the tensors; a network of hundreds has a tenth of it


def check_numbers(state: dict[str, Tensor], source: str | Path) -> None:
    """Raise ValueError naming a tensor of the source whose numbers cannot be weights."""
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ValueError(f"{source}: the tensor {name} holds {kind}, not real numbers")
        if not tensor.float().isfinite().all():
            raise ValueError(f"{source}: the tensor {name} holds NaN, or more than float32 can")
        if name.endswith("magnitude_ema") and not (tensor.float() > 0).all():  # a mean square
            least = tensor.float().min()
            raise ValueError(f"{source}: the tensor {name} must be above 0, got {least:g}")


def check_fit(network: nn.Module, state: dict[str, Tensor], source: str | Path) -> None:
    """Raise ValueError naming a tensor of the source that is missing, surplus or misshapen."""
    expected = network.state_dict()
    for name, tensor in expected.items():
        if name not in state:
            raise ValueError(f"{source}: the weights lack the tensor {name}")
        if state[name].shape != tensor.shape:
            found, wanted = tuple(state[name].shape), tuple(tensor.shape)
            raise ValueError(
                f"{source}: the tensor {name} has shape {found}, the config asks for {wanted}"
            )
    surplus = sorted(state.keys() - expected.keys())
    if surplus:
        raise ValueError(
            f"{source}: the weights hold a tensor that the network has not: {surplus[0]}"
        )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file by name; ValueError names the file and what is wrong in it."""
    content = path.read_bytes()  # a path, safetensors takes in UTF-8 only
    if content.startswith(POINTER):
        raise ValueError(
            f"{path} is a git-lfs pointer in place of the weights: run `git lfs pull` where it was "
            "cloned"
        )
    header = int.from_bytes(content[:8], "little")
    if header > MOST_HEADER:  # of each tensor that it names, an object is made
        raise ValueError(f"{path} is not a whole safetensors file: a header of {header} bytes")
    try:
        state = load(content)
    except SafetensorError as e:
        raise ValueError(f"{path} is not a whole safetensors file: {e}") from e
    check_numbers(state, path)
    return state
