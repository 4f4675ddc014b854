"""Official checkpoints to folders that `Generator.from_pretrained` loads.

    python -m stylegan.convert FILE OUT

FILE is a pickle of the official PyTorch implementations, on disk or, as user/repository/file.pkl,
on the Hub. It is read as data: nothing in it runs. OUT gets config.json, model.safetensors and
discriminator.safetensors in one step, or is not made.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import httpx
from safetensors.torch import save
from torch import Tensor

from stylegan.activation import CLAMP
from stylegan.discriminator import Discriminator
from stylegan.files import is_free, sync, write_whole
from stylegan.generator import Generator
from stylegan.layout import DISCRIMINATOR
from stylegan.machine import Stored, plain
from stylegan.reference import (
    discriminator_from_reference,
    generator_from_reference,
    is_stylegan2,
)
from stylegan.unpickle import read_pickle, short_line, tensors_of

NETWORKS = "G_ema", "G"  # that draw: the average of training, and the last of it
ARGUMENTS = {  # of the official constructors, in their order
    "G": ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels"),
    "D": ("c_dim", "img_resolution", "img_channels"),
}
LONGEST = 100  # of an argument that holds several
SUMMARY = """\
Weights of {file}, network {network}, converted from the official format. What may be done with
them is for whoever trained them to say."""


def find_checkpoint(name: str) -> Path:
    """The file itself, or the local copy of one of the Hub: user/repository/file.pkl.

    Raises: FileNotFoundError if there is neither; OSError for other answers of the Hub.
    """
    if Path(name).is_file():
        return Path(name)
    owner, repo, path = (*name.split("/", 2), "", "")[:3]
    if not (owner.strip(".") and repo and path):
        raise FileNotFoundError(f"{name} is no file, and no user/repository/file.pkl of the Hub")
    try:
        return Path(hf_hub_download(f"{owner}/{repo}", path))
    except (OSError, ValueError, HfHubHTTPError, httpx.HTTPError) as e:
        reason = " ".join(str(e).split()) or type(e).__name__
        raise OSError(f"{name} is no file here and cannot be had from the Hub: {reason}") from e


def network_of(content: object, name: str) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Tensors and constructor's arguments of a network among what a pickle holds.

    Raises: ValueError if it is not there or no network.
    """
    if type(content) is not dict:
        raise ValueError(f"it holds a {type(content).__name__}, not networks by name")
    network = content.get(name)
    if not isinstance(network, Stored):
        there = sorted(plain(str(k)) for k, v in content.items() if isinstance(v, Stored))
        there = ", ".join(there[:9])
        raise ValueError(f"it has no network {name}, only: {there or 'nothing that is one'}")
    positional = network.state.get("_init_args") or ()
    named = network.state.get("_init_kwargs") or {}
    names = ARGUMENTS[name[0]]
    if type(positional) is not tuple or type(named) is not dict or len(positional) > len(names):
        raise ValueError(f"the arguments that made {name} are not stored as the official ones are")
    args = dict(zip(names, positional, strict=False)) | named
    return tensors_of(network), {key: plain_value(key, value) for key, value in args.items()}


def plain_value(name: str, value: object, depth: int = 3) -> object:
    """An argument as JSON could hold it.

    Raises: ValueError naming one that is something else, or longer than any of a network.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if depth and isinstance(value, dict | list | tuple) and len(value) <= LONGEST:
        if isinstance(value, dict):
            return {key: plain_value(name, x, depth - 1) for key, x in value.items()}
        return [plain_value(name, x, depth - 1) for x in value]
    raise ValueError(f"the constructor's argument {name} holds a {type(value).__name__}")


def approximations(state: dict[str, Tensor], args: dict[str, object]) -> list[str]:
    """What is not exactly as in the file."""
    told = []
    synthesis = args.get("synthesis_kwargs")
    args = args | synthesis if isinstance(synthesis, dict) else args
    if args.get("conv_clamp") is None and not is_stylegan2(state):
        told.append(f"it has no conv_clamp, and here activations are bounded by {CLAMP:g}")
    epilogue = args.get("epilogue_kwargs")
    if isinstance(epilogue, dict) and epilogue.get("mbstd_group_size", 4) is None:
        told.append("it compares all images of a batch, and here those of groups of 4")
    others = sorted({str(x.dtype).removeprefix("torch.") for x in state.values()} - {"float32"})
    if others:
        told.append(f"it has tensors in {' and '.join(others)}, and here all are float32")
    return told


def save_networks(G: Generator, D: Discriminator | None, out: Path, summary: str) -> None:
    """Write a folder, whole or not at all.

    Raises: OSError naming the folder and why it cannot be written.
    """
    new = out.parent / f".{out.name}.new"
    try:
        shutil.rmtree(new, ignore_errors=True)  # of a conversion that was killed
        out.parent.mkdir(parents=True, exist_ok=True)
        G.save_pretrained(new, model_card_kwargs={"summary": summary})
        if D is not None:
            weights = {name: x.contiguous() for name, x in D.state_dict().items()}
            write_whole(new / DISCRIMINATOR, save(weights))
        sync(new.iterdir())
        os.replace(new, out)
    except OSError as e:
        shutil.rmtree(new, ignore_errors=True)
        raise OSError(f"{out} cannot be written: {e.strerror or e}") from e


def describe(G: Generator) -> str:
    """What it is, in a few words."""
    config = G.config
    labels = f", {config.c_dim} labels" if config.c_dim else ""
    return f"{config.kind}, {config.img_resolution} px{labels}"


def convert(file: Path, out: Path, network: str = "G_ema", name: str = "") -> list[str]:
    """Write the folder, and return what is to be told of it, a sentence each.

    Raises: ValueError naming what is not read or not followed; OSError for what cannot be written.
    """
    if out.is_file() or not is_free(out):
        raise ValueError(f"{out} is there already and not empty; name a new folder")
    content, name = read_pickle(file), name or file.name
    try:
        state, args = network_of(content, network)
        G = generator_from_reference(state, args)
    except ValueError as e:
        raise ValueError(f"{file}: {network} is not converted: {short_line(e)}") from e
    told = [f"{network}: {describe(G)}"] + [f"{network}: {x}" for x in approximations(state, args)]
    D = None
    try:
        state, args = network_of(content, "D")
        D = discriminator_from_reference(state, args)
        shape = f"channel base {D.config.channel_base}, channel max {D.config.channel_max}"
        told += [f"D: {x}" for x in [shape, *approximations(state, args)]]
    except ValueError as e:
        told.append(f"D is left out, so training cannot go on from it: {short_line(e)}")
    done = {network, "D"}
    if left := sorted(plain(str(key)) for key in content if key not in done):
        told.append(f"left out: {', '.join(left[:20])}")
    save_networks(G, D, out, SUMMARY.format(file=name, network=network))
    return told


def main(argv: Sequence[str] | None = None) -> None:
    """Convert as the command line says, or end with one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m stylegan.convert", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("file", metavar="FILE", help="a pickle, or user/repository/file.pkl")
    parser.add_argument("out", metavar="OUT", help="a new folder")
    parser.add_argument(
        "--network", choices=NETWORKS, default=NETWORKS[0], help="default: the average, G_ema"
    )
    args = parser.parse_args(argv)
    try:
        file = find_checkpoint(args.file)
        of_hub = "" if Path(args.file).is_file() else args.file  # the card tells no path from here
        told = convert(file, Path(args.out), args.network, of_hub)
    except (ValueError, OSError) as e:
        sys.exit(f"error: {e}")
    print("\n".join([*told, f"written: {args.out}"]))


if __name__ == "__main__":
    main()
