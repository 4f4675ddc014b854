"""A wider generator that draws what a narrower one drew, so that training goes on in it.

New features begin as in an untrained network, and the weights that read them begin at 0: these
learn from the first step on, the features themselves from the second, and nothing jumps.

Reference: Chen et al. 2016 (arXiv:1511.05641), Sec. 2, for widening a network that computes the
same.
"""

import dataclasses
import math

import torch
from torch import Tensor

from stylegan import Generator, GeneratorConfig
from stylegan.specs import layer_specs
from training.handover import OF_G, WEIGHTS


def can_grow(narrow: GeneratorConfig, wide: GeneratorConfig) -> bool:
    """Whether they differ in their widths alone, and no layer of `wide` is narrower."""
    widths = dict(channel_base=wide.channel_base, channel_max=wide.channel_max)
    if narrow == wide or dataclasses.replace(narrow, **widths) != wide:
        return False
    pairs = zip(layer_specs(narrow), layer_specs(wide), strict=True)
    return all(a.in_channels <= b.in_channels for a, b in pairs)


def _renamed(state: dict[str, Tensor], narrow: GeneratorConfig, G: Generator) -> dict[str, Tensor]:
    """Under G's names, of which the widths of layers are a part."""
    theirs = (spec.name for spec in layer_specs(narrow))
    names = dict(zip(theirs, G.synthesis.layer_names, strict=True))
    return {".".join(names.get(x, x) for x in name.split(".")): state[name] for name in state}


def _corner(x: Tensor) -> tuple[slice, ...]:
    return tuple(slice(size) for size in x.shape)


@torch.no_grad()
def grown(state: dict[str, Tensor], narrow: GeneratorConfig, G: Generator) -> dict[str, Tensor]:
    """A state for G that draws what `state` of `narrow` drew; what is new is G's own."""
    result = {name: x.clone() for name, x in G.state_dict().items()}
    last = f"synthesis.{G.synthesis.layer_names[-1]}.weight"
    for name, x in _renamed(state, narrow, G).items():
        own = result[name]
        if own.ndim > 1 and own.shape[1] > x.shape[1]:
            own[: len(x)] = 0  # old features do not read new ones yet
            if name in ("synthesis.input.weight", last):  # divided by the root of how many they are
                x = x * math.sqrt(own.shape[1] / x.shape[1])
        own[_corner(x)] = x.to(own)
    return result


@torch.no_grad()
def grown_handover(
    state: dict[str, Tensor], narrow: GeneratorConfig, G: Generator
) -> dict[str, Tensor]:
    """As `grown`, for the tensors of `training.handover`; new moments are the mean of the old."""

    weights, moments, rest = {}, {}, {}
    for name, x in state.items():
        for prefix, kept in ((WEIGHTS, weights), (OF_G, moments), ("", rest)):
            if name.startswith(prefix):
                kept[name[len(prefix) :]] = x
                break
    rest |= {WEIGHTS + name: x for name, x in grown(weights, narrow, G).items()}
    for name, x in _renamed(moments, narrow, G).items():
        moment = torch.full(G.get_parameter(name).shape, x.float().mean().item())
        moment[_corner(x)] = x.float()
        rest[OF_G + name] = moment
    return rest
