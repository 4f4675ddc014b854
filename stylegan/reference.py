"""Networks from tensors of the official PyTorch implementations.

`state` maps official tensor names to tensors; `args` is the official constructor's arguments, a
dict that JSON could hold. Only arguments that change the network are read; one that this
implementation does not follow is refused. Names and shapes are compared before anything is made,
so that a network larger than its tensors never is.
"""

from reprlib import repr as short
from typing import TypeVar

import torch
from torch import Tensor, nn

from stylegan.activation import CLAMP
from stylegan.config import DiscriminatorConfig, GeneratorConfig
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator
from stylegan.tensors import check_fit, check_numbers

FILTER_TOLERANCE = 1e-6
Network = TypeVar("Network", bound=nn.Module)

# What the networks here always do, by the official names; another value is refused.
FIXED_GENERATOR = dict(
    num_critical=2,
    first_cutoff=2,
    first_stopband=2**2.1,
    last_stopband_rel=2**0.3,
    margin_size=10,
    output_scale=0.25,
    filter_size=6,
    lrelu_upsampling=2,
)
FIXED_MAPPING = dict(lr_multiplier=0.01, activation="lrelu")
FIXED_FILTER = dict(activation="lrelu", resample_filter=[1, 3, 3, 1])
FIXED_STYLEGAN2 = dict(architecture="skip", use_noise=True, **FIXED_FILTER)
FIXED_DISCRIMINATOR = dict(architecture="resnet", **FIXED_FILTER)
SPEED_AND_TRAINING = {  # the picture does not depend on them
    *("class_name", "num_fp16_res", "fp16_channels_last", "fused_modconv_default"),
    *("magnitude_ema_beta", "w_avg_beta", "freeze_layers"),
}


def _take(args: dict, name: str, default: object) -> object:
    """Remove a name from `args`; None or absence give the default."""
    value = args.pop(name, None)
    return default if value is None else value


def _need(args: dict, name: str) -> object:
    """Remove a name from `args`; ValueError if it is not there or None."""
    if name not in args:
        raise ValueError(f"the constructor's argument {name} is missing")
    return args.pop(name)


def _refuse_rest(args: dict, fixed: dict) -> None:
    for name, value in args.items():
        if name in SPEED_AND_TRAINING or value in (None, {}):
            continue
        if name not in fixed:
            value = short(value)
            raise ValueError(f"the constructor's argument {name}={value} is not supported")
        if value != fixed[name]:
            raise ValueError(f"{name}={short(value)} is not supported, only {fixed[name]!r}")


def _network_size(args: dict) -> dict:
    """The arguments that both networks share."""
    shared = dict(
        img_resolution=_need(args, "img_resolution"),
        img_channels=_need(args, "img_channels"),
        c_dim=_take(args, "c_dim", 0),
        channel_base=_take(args, "channel_base", 32768),
        channel_max=_take(args, "channel_max", 512),
    )
    return shared


def _check_clamp(args: dict) -> None:
    """Remove the bound of networks that always have the same here."""
    clamp = args.pop("conv_clamp", None)
    if clamp not in (None, CLAMP):
        raise ValueError(f"conv_clamp={short(clamp)} is not supported, only {CLAMP:g}")


def _nested(args: dict, name: str) -> dict:
    """Remove a name from `args` and return what is nested there."""
    value = _take(args, name, {})
    if not isinstance(value, dict):
        raise ValueError(f"the constructor's argument {name}={short(value)} is not supported")
    return dict(value)


def _check_filters(G: Generator, state: dict[str, Tensor]) -> None:
    """Raise ValueError for a filter that is not the one designed here, but for rounding."""
    for name, own in G.named_buffers():
        if not name.endswith("_filter"):
            continue
        theirs = state.get(name)
        if theirs is None and name.endswith("resample_filter"):
            continue  # it is the same in all files
        fits = theirs is not None and theirs.shape == own.shape and theirs.is_floating_point()
        if not fits:
            raise ValueError(
                f"the filter {name} is missing or has another shape or type than designed here"
            )
        difference = (theirs.float() - own).abs().max().item()
        rounding = torch.finfo(theirs.dtype).eps * own.abs().max().item()
        if not difference <= FILTER_TOLERANCE + rounding:
            raise ValueError(f"the filter {name} differs by {difference:.2g} from the design here")


def _made(kind: type[Network], config: object, state: dict[str, Tensor]) -> Network:
    """The network of a config with the weights of a state.

    Raises: ValueError naming a tensor that does not fit.
    """
    try:
        with torch.device("meta"):
            planned = kind(config)
    except RuntimeError as e:
        raise ValueError("its arguments ask for a network too large for any machine") from e
    check_fit(planned, state, "the checkpoint")
    check_numbers(state, "the checkpoint")
    network = kind(config)
    network.load_state_dict(state)
    return network.eval()


def is_stylegan2(state: dict[str, Tensor]) -> bool:
    """Whether they are tensors of a StyleGAN2 generator."""
    return "synthesis.b4.const" in state


def generator_from_reference(state: dict[str, Tensor], args: dict) -> Generator:
    """A generator of StyleGAN3 (T or R) or StyleGAN2 of any size with the given weights, in eval
    mode.

    Raises: ValueError naming the argument or tensor that does not fit.
    """
    args = dict(args)
    args |= _nested(args, "synthesis_kwargs")  # of older files
    mapping = _nested(args, "mapping_kwargs")
    if is_stylegan2(state):
        return _stylegan2(state, args, mapping)
    config = GeneratorConfig(
        z_dim=_need(args, "z_dim"),
        w_dim=_need(args, "w_dim"),
        mapping_layers=_take(mapping, "num_layers", 2),
        num_layers=_take(args, "num_layers", 14),
        conv_kernel=_take(args, "conv_kernel", 3),
        radial_filters=_take(args, "use_radial_filters", False),
        **_network_size(args),
    )
    _check_clamp(args)
    _refuse_rest(mapping, FIXED_MAPPING)
    _refuse_rest(args, FIXED_GENERATOR)
    weights = {name: x for name, x in state.items() if not name.endswith("_filter")}
    transform = weights.pop("synthesis.input.transform", None)
    if transform is not None and (
        transform.shape != (3, 3) or not torch.equal(transform.float(), torch.eye(3))
    ):
        raise ValueError(
            "synthesis.input.transform is not the identity; give it to G.synthesis instead"
        )
    G = _made(Generator, config, weights)
    _check_filters(G, state)
    return G


def _stylegan2(state: dict[str, Tensor], args: dict, mapping: dict) -> Generator:
    """Raises: as `generator_from_reference`."""
    args |= _nested(args, "block_kwargs")
    clamp = args.pop("conv_clamp", None)
    if clamp is not None and (type(clamp) not in (int, float) or clamp <= 0 or clamp % 1):
        raise ValueError(f"conv_clamp={short(clamp)} is not supported, only whole numbers")
    config = GeneratorConfig.stylegan2(
        z_dim=_need(args, "z_dim"),
        w_dim=_need(args, "w_dim"),
        mapping_layers=_take(mapping, "num_layers", 8),
        conv_clamp=int(clamp or 0),
        **_network_size(args),
    )
    _refuse_rest(mapping, FIXED_MAPPING | _widths(config))
    _refuse_rest(args, FIXED_STYLEGAN2)
    G = _made(Generator, config, {n: x for n, x in state.items() if not n.endswith("_filter")})
    _check_filters(G, state)
    return G


def _widths(config: GeneratorConfig) -> dict[str, int]:
    """Of the mapping's layers."""
    return dict(embed_features=config.w_dim, layer_features=config.w_dim)


def discriminator_from_reference(state: dict[str, Tensor], args: dict) -> Discriminator:
    """A residual discriminator with the given weights, in eval mode.

    Raises: ValueError naming the argument or tensor that does not fit.
    """
    args = dict(args)
    args |= _nested(args, "block_kwargs")
    mapping, epilogue = _nested(args, "mapping_kwargs"), _nested(args, "epilogue_kwargs")
    config = DiscriminatorConfig(
        mapping_layers=_take(mapping, "num_layers", 8),
        mbstd_group_size=_take(epilogue, "mbstd_group_size", 4),
        **_network_size(args),
    )
    _check_clamp(args)
    cmap_dim = args.pop("cmap_dim", None)
    if config.c_dim and cmap_dim not in (None, config.channels(4)):
        raise ValueError(f"cmap_dim={short(cmap_dim)} is not supported, only {config.channels(4)}")
    _refuse_rest(args, FIXED_DISCRIMINATOR)
    if config.c_dim:  # without labels there is no mapping
        _refuse_rest(mapping, FIXED_MAPPING)
    _refuse_rest(epilogue, dict(mbstd_num_channels=1, activation="lrelu"))
    state = {n: t for n, t in state.items() if not n.endswith("resample_filter")}
    if config.c_dim:  # official networks have no part that ignores the label
        state["b4.unlabelled.weight"] = torch.zeros(1, config.channels(4))
        state["b4.unlabelled.bias"] = torch.zeros(1)
    return _made(Discriminator, config, state)
