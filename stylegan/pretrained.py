"""A generator at rest: what is read of a folder with `config.json` and `model.safetensors`.

Nothing here reads a pickle. Tensor names are the official ones, filters are left out (they follow
from the config), and what is stored must match the network tensor by tensor.
"""

from pathlib import Path

from torch import Tensor

from stylegan.config import GeneratorConfig
from stylegan.config_file import read_config
from stylegan.cost import generator_cost
from stylegan.files import read_object
from stylegan.find import find_pretrained, has_none_yet, newest_weights
from stylegan.layout import CONFIG, METRICS, WEIGHTS, refuse_pickles
from stylegan.tensors import read_tensors

NEARLY = 10**6  # parameters that cost little to make


def read_metrics(folder_or_repo: str | Path, revision: str | None = None) -> dict[str, object]:
    """What was measured of the weights; empty if nothing was.

    Raises: as `find_pretrained`, and ValueError for a bad file.
    """
    path = find_pretrained(folder_or_repo, revision, also=[METRICS]) / METRICS
    return read_object(path) if path.is_file() else {}


def _check_size(folder: Path, config: GeneratorConfig, state: dict[str, Tensor]) -> None:
    """Raise ValueError for a network far larger than the weights, which is then never made.

    Where they nearly fit, `check_fit` names the tensor that does not.
    """
    wanted = generator_cost(config).parameters
    held = sum(tensor.numel() for tensor in state.values())
    if wanted > 2 * held + NEARLY:
        raise ValueError(
            f"{folder / CONFIG} asks for {wanted} parameters, and {WEIGHTS} holds {held} numbers"
        )


def load_pretrained(
    folder: Path, name: str | Path = ""
) -> tuple[GeneratorConfig, dict[str, Tensor]]:
    """Config and tensors of a folder, which messages call by its name if it has another.

    Raises: ValueError for a missing or bad file.
    """
    if folder.is_dir() and not (folder / WEIGHTS).is_file():
        refuse_pickles([path.name for path in folder.iterdir()], name or folder)
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            newest = newest_weights(folder)
            hint = f"take {newest}" if newest else has_none_yet(folder)
            hint = hint or "a training run keeps its generators in weights/"
            words = f"{name or folder} has no {file}, so it is not a saved generator; {hint}"
            raise ValueError(words)
    config, state = read_config(folder / CONFIG), read_tensors(folder / WEIGHTS)
    _check_size(folder, config, state)
    return config, state
