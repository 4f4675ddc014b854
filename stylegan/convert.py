"""Networks from tensors of the official PyTorch implementation.

`state` maps official tensor names to tensors; `args` is the official constructor's arguments, a
dict that JSON could hold. Only arguments that change the network are read; one that this
implementation does not follow is refused.
"""

import torch
from torch import Tensor, nn

from stylegan.activation import CLAMP
from stylegan.config import DiscriminatorConfig, GeneratorConfig
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator
from stylegan.pretrained import check_fit, check_numbers

FILTER_TOLERANCE = 1e-6

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
SPEED_AND_TRAINING = {"num_fp16_res", "magnitude_ema_beta"}  # the picture does not depend on them


def _take(args: dict, name: str, default: object) -> object:
    """Remove a name from `args`; None or absence give the default."""
    value = args.pop(name, None)
    return default if value is None else value


def _need(args: dict, name: str) -> object:
    """Remove a name from `args`; ValueError if it is not there."""
    if name not in args:
        raise ValueError(f"the constructor's argument {name} is missing")
    return args.pop(name)


def _refuse_rest(args: dict, fixed: dict) -> None:
    for name, value in args.items():
        if name in SPEED_AND_TRAINING or value in (None, {}):
            continue
        if name not in fixed:
            raise ValueError(f"the constructor's argument {name}={value!r} is not supported")
        if value != fixed[name]:
            raise ValueError(f"{name}={value!r} is not supported, only {fixed[name]!r}")


def _network_size(args: dict) -> dict:
    """The arguments that both networks share."""
    shared = dict(
        img_resolution=_need(args, "img_resolution"),
        img_channels=_need(args, "img_channels"),
        c_dim=_take(args, "c_dim", 0),
        channel_base=_take(args, "channel_base", 32768),
        channel_max=_take(args, "channel_max", 512),
    )
    clamp = args.pop("conv_clamp", None)
    if clamp not in (None, CLAMP):
        raise ValueError(f"conv_clamp={clamp!r} is not supported, only {CLAMP:g}")
    return shared


def _check_filters(G: Generator, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state without its filters, which must equal the ones designed here."""
    filters = {name: b for name, b in G.named_buffers() if name.endswith("_filter")}
    for name, own in filters.items():
        theirs = state.get(name)
        if theirs is None or theirs.shape != own.shape:
            raise ValueError(
                f"the filter {name} is missing or has another shape than designed here"
            )
        difference = (theirs - own).abs().max().item()
        if difference > FILTER_TOLERANCE:
            raise ValueError(f"the filter {name} differs by {difference:.2g} from the design here")
    return {name: tensor for name, tensor in state.items() if name not in filters}


def _load(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Raises ValueError naming a tensor that does not fit."""
    check_numbers(state, "the checkpoint")
    check_fit(network, state, "the checkpoint")
    network.load_state_dict(state)


def generator_from_reference(state: dict[str, Tensor], args: dict) -> Generator:
    """A StyleGAN3 generator (config T or R, any size) with the given weights, in eval mode.

    Raises: ValueError naming the argument or tensor that does not fit.
    """
    args = dict(args) | dict(args.get("synthesis_kwargs") or {})  # older files nest them
    args.pop("synthesis_kwargs", None)
    mapping = dict(args.pop("mapping_kwargs", None) or {})
    config = GeneratorConfig(
        z_dim=_need(args, "z_dim"),
        w_dim=_need(args, "w_dim"),
        mapping_layers=_take(mapping, "num_layers", 2),
        num_layers=_take(args, "num_layers", 14),
        conv_kernel=_take(args, "conv_kernel", 3),
        radial_filters=_take(args, "use_radial_filters", False),
        **_network_size(args),
    )
    _refuse_rest(mapping, dict(lr_multiplier=0.01, w_avg_beta=0.998))
    _refuse_rest(args, FIXED_GENERATOR)
    G = Generator(config)
    state = _check_filters(G, state)
    transform = state.pop("synthesis.input.transform", None)
    if transform is not None and not torch.equal(transform.float(), torch.eye(3)):
        raise ValueError(
            "synthesis.input.transform is not the identity; give it to G.synthesis instead"
        )
    _load(G, state)
    return G.eval()


def discriminator_from_reference(state: dict[str, Tensor], args: dict) -> Discriminator:
    """A residual discriminator with the given weights, in eval mode.

    Raises: ValueError naming the argument or tensor that does not fit.
    """
    args = dict(args)
    mapping = dict(args.pop("mapping_kwargs", None) or {})
    epilogue = dict(args.pop("epilogue_kwargs", None) or {})
    config = DiscriminatorConfig(
        mapping_layers=_take(mapping, "num_layers", 8),
        mbstd_group_size=_take(epilogue, "mbstd_group_size", 4),
        **_network_size(args),
    )
    cmap_dim = args.pop("cmap_dim", None)
    if config.c_dim and cmap_dim not in (None, config.channels(4)):
        raise ValueError(f"cmap_dim={cmap_dim!r} is not supported, only {config.channels(4)}")
    _refuse_rest(args, dict(architecture="resnet"))
    _refuse_rest(mapping, dict(lr_multiplier=0.01))
    _refuse_rest(epilogue, dict(mbstd_num_channels=1))
    D = Discriminator(config)
    state = {n: t for n, t in state.items() if not n.endswith("resample_filter")}
    if D.b4.unlabelled is not None:  # official networks have no part that ignores the label
        names = (f"b4.unlabelled.{name}" for name, _ in D.b4.unlabelled.named_parameters())
        state |= {name: torch.zeros_like(D.get_parameter(name)) for name in names}
    _load(D, state)
    return D.eval()
