"""Weights at rest: a folder or Hub repository with `config.json` and `model.safetensors`.

Nothing here reads a pickle. Tensor names are the official ones, filters are left out (they follow
from the config), and what is stored must match the network tensor by tensor.
"""

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from stylegan.config import GeneratorConfig

CONFIG, WEIGHTS = "config.json", "model.safetensors"
METRICS = "metrics.json"  # what evaluation measured, if it was
CARD = "README.md"  # what people are told of the weights

MODEL_CARD = """\
---
{{ card_data }}
---

# A StyleGAN3 generator

{{ summary | default("Weights of a style-based generator.", true) }}

Made with StyleGAN PlayGround. To draw with it:

    from stylegan import Generator, sample_z

    G = Generator.from_pretrained("this repository or a folder with its files")
    img = G(sample_z([0], G.z_dim), truncation_psi=0.65)  # (1, C, H, W), about [-1, 1]
"""


def find_pretrained(
    folder_or_repo: str | Path, revision: str | None = None, also: Sequence[str] = ()
) -> Path:
    """The folder itself, or the local copy of one commit of a Hub repository.

    Where a link leads now is returned: files read there belong together, even if it leads elsewhere
    a moment later, as `best` of a run does. Of a repository only the generator's files are copied,
    and those named in `also`.

    Raises: FileNotFoundError if there is neither, or no copy here and the Hub out of reach;
    ValueError if the name cannot be one.
    """
    repo = str(folder_or_repo)
    if repo and Path(repo).is_dir():
        return Path(repo).resolve()
    owner, _, name = repo.partition("/")
    if not (owner.strip(".") and name and "/" not in name):
        raise FileNotFoundError(f"{repo!r} is no folder and no user/repository name")
    try:
        files = [CONFIG, WEIGHTS, *also]
        return Path(snapshot_download(repo, revision=revision, allow_patterns=files))
    except LocalEntryNotFoundError as e:
        raise FileNotFoundError(
            f"{folder_or_repo} is no folder here, and the Hub cannot be reached for it"
        ) from e
    except RevisionNotFoundError as e:
        raise FileNotFoundError(f"{folder_or_repo} on the Hub has no revision {revision}") from e
    except RepositoryNotFoundError as e:
        raise FileNotFoundError(
            f"{folder_or_repo} is no folder here, and no repository on the Hub that you may read"
        ) from e


def _read_object(path: Path) -> dict[str, object]:
    """Parse a JSON object; ValueError names the file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as e:
        raise ValueError(f"{path} is not JSON: {e}") from e
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold a JSON object")
    return values


def read_config(path: Path) -> GeneratorConfig:
    """Parse a config.json; ValueError names the file and the field that is wrong."""
    values = _read_object(path)
    unknown = sorted(values.keys() - {field.name for field in fields(GeneratorConfig)})
    if unknown:
        raise ValueError(f"{path} has the field {unknown[0]!r}, which no generator here has")
    try:
        return GeneratorConfig(**values)
    except ValueError as e:
        raise ValueError(f"{path}: {e}") from e


def read_metrics(folder_or_repo: str | Path, revision: str | None = None) -> dict[str, object]:
    """What was measured of the weights; empty if nothing was.

    Raises: as `find_pretrained`, and ValueError for a bad file.
    """
    path = find_pretrained(folder_or_repo, revision, also=[METRICS]) / METRICS
    return _read_object(path) if path.is_file() else {}


def load_pretrained(
    folder_or_repo: str | Path, revision: str | None = None
) -> tuple[GeneratorConfig, dict[str, Tensor]]:
    """Config and tensors by name; raises as `find_pretrained`, and ValueError for a bad file."""
    folder = find_pretrained(folder_or_repo, revision)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise ValueError(
                f"{folder_or_repo} has no {name}, so it is not a saved generator; "
                "a training run keeps its generators in weights/"
            )
    try:
        state = load_file(folder / WEIGHTS)
    except SafetensorError as e:
        raise ValueError(f"{folder / WEIGHTS} is not a whole safetensors file: {e}") from e
    return read_config(folder / CONFIG), state


def load_state(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Load tensors by name; ValueError names one that is missing, surplus or of another shape."""
    expected = network.state_dict()
    for name, tensor in expected.items():
        if name not in state:
            raise ValueError(f"the weights lack the tensor {name}")
        if state[name].shape != tensor.shape:
            found, wanted = tuple(state[name].shape), tuple(tensor.shape)
            raise ValueError(f"the tensor {name} has shape {found}, the config asks for {wanted}")
    surplus = sorted(state.keys() - expected.keys())
    if surplus:
        raise ValueError(f"the weights hold a tensor that the network has not: {surplus[0]}")
    network.load_state_dict(state)
