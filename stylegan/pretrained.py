"""Weights at rest: a folder or Hub repository with `config.json` and `model.safetensors`.

Nothing here reads a pickle. Tensor names are the official ones, filters are left out (they follow
from the config), and what is stored must match the network tensor by tensor.

`config.json` tells its `format_version`. This code reads its own and every older one, and refuses a
newer one; a file without the number is of version 1. The number rises when code that knows only the
last one would refuse the file or draw something else from it.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from reprlib import repr as short
from typing import TypeVar

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from stylegan.checks import check_hub_options
from stylegan.config import EncoderConfig, GeneratorConfig
from stylegan.cost import generator_cost
from stylegan.files import older_of, write_whole

FORMAT, FORMAT_FIELD = 2, "format_version"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
DISCRIMINATOR = "discriminator.safetensors"  # for training to begin with
METRICS = "metrics.json"  # what evaluation measured, if it was
ENCODER = "encoder"  # folder in a model's, of what finds latents of pictures, if it was taught
CARD = "README.md"  # what people are told of the weights
REPLACING_SECONDS = 0.5  # in which the second of two renamings has come, unless there was a kill
NEARLY = 10**6  # parameters that cost little to make
PICKLES = ".bin", ".ckpt", ".pkl", ".pt", ".pth"
POINTER = (
    b"version https://git-lfs.github.com/spec/"  # how a file begins that git left in the place
)
MOST_HEADER = 10**6  # bytes of what names the tensors; a network of hundreds has a tenth of it

Config = TypeVar("Config", GeneratorConfig, EncoderConfig)

MODEL_CARD = """\
---
{{ card_data }}
---

# A {{ kind }} generator

{{ summary | default("Weights of a style-based generator.", true) }}

Made with StyleGAN PlayGround. To draw with it:

    from stylegan import Generator, sample_z

    G = Generator.from_pretrained("this repository or a folder with its files")
    img = G(sample_z([0], G.z_dim), truncation_psi=0.65)  # (1, C, H, W), about [-1, 1]
"""


def newest_weights(run: Path) -> Path | None:
    """The last generator that a training run has saved; None if the folder holds none."""
    saved = (run / "weights").glob(f"kimg-*/{WEIGHTS}")
    return max((path.parent for path in saved), default=None)


def find_pretrained(
    folder_or_repo: str | Path,
    revision: str | None = None,
    also: Sequence[str] = (),
    *,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    force_download: bool = False,
) -> Path:
    """The folder itself, or the local copy of one commit of a Hub repository.

    Where a link leads now is returned: files read there belong together, even if it leads elsewhere
    a moment later, as `best` of a run does. On a disk without links `best` is a folder, replaced in
    two steps: between them it is waited for, but files read while it is replaced may be of both its
    versions. Of a repository only the generator's files are copied,
    and those named in `also`. What follows is for the Hub, as huggingface_hub's functions take it;
    a folder needs none of it.

    Raises: FileNotFoundError if there is neither, or no copy here and the Hub out of reach; OSError
    for other answers of the Hub, or weights that are not what was sent; ValueError if the name
    cannot be one, there is no token, or the weights are pickles; TypeError for an option of another
    kind.
    """
    check_hub_options(revision, token, cache_dir)
    repo = str(folder_or_repo)
    if repo and (older := older_of(Path(repo))).is_dir() and not Path(repo).is_dir():
        time.sleep(REPLACING_SECONDS)
        if not Path(repo).is_dir() and older.is_dir():  # it was killed between the steps
            return older.resolve()
    if repo and Path(repo).is_dir():
        return Path(repo).resolve()
    if newest := newest_weights(Path(repo).parent):
        what = "the run has measured none yet" if Path(repo).name == "best" else "there is none"
        raise FileNotFoundError(f"{repo} is no folder of weights ({what}); open {newest}")
    owner, _, name = repo.partition("/")
    if not (owner.strip(".") and name and "/" not in name):
        raise FileNotFoundError(f"{repo!r} is no folder and no user/repository name")
    options = dict(cache_dir=cache_dir, force_download=force_download, token=token)
    options |= dict(local_files_only=local_files_only, allow_patterns=[CONFIG, WEIGHTS, *also])
    try:
        found = Path(snapshot_download(repo, revision=revision, **options))
    except LocalEntryNotFoundError as e:
        why = "the Hub cannot be reached for it"
        if local_files_only:
            why = "local_files_only asks for a copy of an earlier download, of which there is none"
        raise FileNotFoundError(f"{folder_or_repo} is no folder here, and {why}") from e
    except LocalTokenNotFoundError as e:
        raise ValueError("token=True needs a token on this machine: run `hf auth login`") from e
    except RevisionNotFoundError as e:
        raise FileNotFoundError(f"{folder_or_repo} on the Hub has no revision {revision}") from e
    except RepositoryNotFoundError as e:
        raise FileNotFoundError(
            f"{folder_or_repo} is no folder here, and no repository on the Hub that you may read"
        ) from e
    except httpx.HTTPError as e:
        reason = " ".join(str(e).split()) or type(e).__name__
        raise OSError(f"{folder_or_repo} cannot be had from the Hub: {reason}") from e
    if (found / WEIGHTS).is_file():
        _check_sum(found / WEIGHTS, repo)
    elif not local_files_only:
        refuse_pickles(_names_on_hub(repo, revision, token), repo)
    return found


def _check_sum(path: Path, repo: str) -> None:
    """Raise OSError for a cached file that is not what the Hub has, and forget it.

    The link in the cache leads to a large file by its SHA-256, on some ways over another link.
    Where a disk has no links, nothing is checked.
    """
    told = path.readlink().name if path.is_symlink() else ""
    if len(told) != 64 or not set(told) <= set("0123456789abcdef"):
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != told:
        for stored in (path.resolve(), path.parent / path.readlink(), path):
            stored.unlink(missing_ok=True)
        raise OSError(
            f"{path.name} of {repo} is not what the Hub has: it was damaged on its way or on this "
            "disk, and is deleted here; load it again"
        )


def _names_on_hub(repo: str, revision: str | None, token: str | bool | None) -> list[str]:
    """Of all files of a repository; none if the Hub does not tell."""
    try:
        return HfApi(token=token).list_repo_files(repo, revision=revision)
    except (OSError, HfHubHTTPError, httpx.HTTPError):
        return []


def refuse_pickles(names: Sequence[str], source: str | Path) -> None:
    """Raise ValueError if a pickle is among the names of a source that lacks the weights."""
    for name in sorted(names):
        if name.lower().endswith(PICKLES):
            raise ValueError(
                f"{source} has no {WEIGHTS}, only the pickle {name}: it could run code of its "
                "author's and is never read; stylegan.convert turns official ones into safetensors"
            )


def _read_object(path: Path) -> dict[str, object]:
    """Parse a JSON object; ValueError names the file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as e:
        raise ValueError(f"{path} is not JSON: {e}") from e
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold a JSON object")
    return values


def save_config(config: GeneratorConfig | EncoderConfig, folder: Path) -> None:
    """Write a folder's config.json; raises OSError naming the file."""
    values = {FORMAT_FIELD: FORMAT} | asdict(config)
    write_whole(folder / CONFIG, json.dumps(values, indent=2, sort_keys=True) + "\n")


def read_config(path: Path, kind: type[Config] = GeneratorConfig) -> Config:
    """Parse a config.json; ValueError names the file and the field that is wrong."""
    values = _read_object(path)
    version = values.pop(FORMAT_FIELD, 1)
    if type(version) is not int or version < 1:
        raise ValueError(f"{path}: {FORMAT_FIELD} must be a whole number, got {short(version)}")
    if version > FORMAT:
        raise ValueError(
            f"{path} is of {FORMAT_FIELD} {short(version)}, and this StyleGAN PlayGround reads up "
            f"to {FORMAT}: take a newer one"
        )
    unknown = sorted(values.keys() - {field.name for field in fields(kind)})
    if unknown:
        name = kind.__name__.removesuffix("Config").lower()
        raise ValueError(f"{path} has the field {short(unknown[0])}, which no {name} here has")
    try:
        return kind(**values)
    except ValueError as e:
        raise ValueError(f"{path}: {e}") from e


def read_metrics(folder_or_repo: str | Path, revision: str | None = None) -> dict[str, object]:
    """What was measured of the weights; empty if nothing was.

    Raises: as `find_pretrained`, and ValueError for a bad file.
    """
    path = find_pretrained(folder_or_repo, revision, also=[METRICS]) / METRICS
    return _read_object(path) if path.is_file() else {}


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
            hint = f"open {newest}" if newest else "a training run keeps its generators in weights/"
            words = f"{name or folder} has no {file}, so it is not a saved generator; {hint}"
            raise ValueError(words)
    config, state = read_config(folder / CONFIG), read_tensors(folder / WEIGHTS)
    _check_size(folder, config, state)
    return config, state
