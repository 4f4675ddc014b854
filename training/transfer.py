"""Beginning with weights that exist.

Reference: Mo et al. 2020 (arXiv:2002.10964), Sec. 3, for freezing the discriminator's first layers.
"""

import sys

from torch import Tensor, nn

from stylegan import Generator
from stylegan.config_file import read_config
from stylegan.find import find_pretrained
from stylegan.layout import CONFIG, DISCRIMINATOR
from stylegan.pretrained import load_pretrained
from stylegan.tensors import read_tensors
from training.config import TrainConfig
from training.grow import can_grow, grown, grown_handover
from training.handover import HANDOVER, take_over


def _fill(network: nn.Module, state: dict[str, Tensor], what: str, config: TrainConfig) -> set[str]:
    """Load what fits and return its names.

    Raises: ValueError naming what does not fit; with --partial that is only said.
    """
    expected = network.state_dict()
    misfits = [f"{name} is missing" for name in expected if name not in state]
    misfits += [f"{name} is not part of this run's" for name in state if name not in expected]
    fitting = {}
    for name in state.keys() & expected.keys():
        if state[name].shape == expected[name].shape:
            fitting[name] = state[name]
        else:
            shapes = f"{tuple(state[name].shape)}, not {tuple(expected[name].shape)}"
            misfits.append(f"{name} has shape {shapes}")
    if misfits:
        words = f"--init-from {config.init_from} does not fit this run's {what}: "
        words += "; ".join(sorted(misfits)[:4])
        words += f" and {len(misfits) - 4} more" if len(misfits) > 4 else ""
        if not config.partial:
            raise ValueError(f"{words}; --partial takes the rest")
        if not fitting:
            raise ValueError(f"{words}; nothing of it fits")
        print(f"{words}; the rest is taken", file=sys.stderr)
    network.load_state_dict(fitting, strict=False)
    return set(fitting)


def freeze(D: nn.Module, num_blocks: int) -> None:
    """Keep a Discriminator's first blocks as they are; 0 is for any D."""
    for name in D.block_names[:num_blocks] if num_blocks else ():
        D.get_submodule(name).requires_grad_(False)


def size_of_z(folder_or_repo: str) -> int:
    """Of the generator there.

    Raises: as `stylegan.find.find_pretrained`; ValueError naming a damaged file.
    """
    return read_config(find_pretrained(folder_or_repo) / CONFIG).z_dim


def begin_with(G: Generator, D: nn.Module, config: TrainConfig) -> None:
    """Load the weights of `config.init_from`, those of a narrower generator too.

    A folder without a discriminator leaves D as it is.

    Raises: ValueError or FileNotFoundError naming what is missing or does not fit.
    """
    folder, loaded = find_pretrained(config.init_from, also=[DISCRIMINATOR]), set()
    g_config, state = load_pretrained(folder)
    if g_config.generation != G.config.generation:
        raise ValueError(
            f"--init-from {config.init_from} is {g_config.kind}, and training is of StyleGAN3"
        )
    if g_config.radial_filters != G.config.radial_filters:
        kinds = {False: "t", True: "r"}
        raise ValueError(
            f"--init-from {config.init_from} is of --config {kinds[g_config.radial_filters]}, "
            f"this run of {kinds[G.config.radial_filters]}"
        )
    if g_config.img_channels != G.config.img_channels and not config.partial:
        kinds = {3: "in colour", 1: "in grey"}
        own, theirs = kinds[G.config.img_channels], kinds[g_config.img_channels]
        raise ValueError(
            f"--init-from {config.init_from} draws {theirs}, and the pictures of {config.data} are "
            f"{own}; --partial takes what fits"
        )
    if g_config.z_dim == g_config.w_dim != G.config.z_dim and not config.partial:
        raise ValueError(
            f"--init-from {config.init_from} has z and w of {g_config.z_dim} numbers, this run of "
            f"{G.config.z_dim}; give --z-dim {g_config.z_dim}"
        )
    if can_grow(g_config, G.config):
        print(f"the generator of {config.init_from} is narrower; it goes on wider", file=sys.stderr)
        state = grown(state, g_config, G)
    _fill(G, state, "generator", config)
    if (folder / DISCRIMINATOR).exists():
        state = read_tensors(folder / DISCRIMINATOR)
        if state.keys() & D.state_dict().keys():
            loaded = _fill(D, state, "discriminator", config)
        else:
            words = f"the {DISCRIMINATOR} of {config.init_from} is of another --critic"
            print(f"{words}; this run's begins anew", file=sys.stderr)
    else:
        print(f"{config.init_from} has no {DISCRIMINATOR}; D begins anew", file=sys.stderr)
    if not config.freeze_d:
        return
    if config.freeze_d > len(D.block_names):
        raise ValueError(f"--freeze-d must be at most {len(D.block_names)}, got {config.freeze_d}")
    for block in D.block_names[: config.freeze_d]:
        for name, _ in D.get_submodule(block).named_parameters(block):
            if name not in loaded:
                raise ValueError(
                    f"--freeze-d {config.freeze_d}: {config.init_from} has no {name} that fits, "
                    "so it has to be trained"
                )


def go_on_from(config: TrainConfig, parts: dict[str, object]) -> None:
    """Take what `config.init_from` has for training to go on, the averaged generator being loaded.

    `parts` are those of a run.

    Raises: ValueError if the file is not whole.
    """
    folder = find_pretrained(config.init_from, also=[HANDOVER])
    if not (folder / HANDOVER).exists():
        return
    state, theirs = read_tensors(folder / HANDOVER), read_config(folder / CONFIG)
    if can_grow(theirs, parts["G"].config):
        state = grown_handover(state, theirs, parts["G"])
    take_over(state, parts)
