"""What a generator costs, counted from its config alone: nothing is built or drawn."""

from dataclasses import dataclass
from itertools import pairwise

from stylegan.config import GeneratorConfig
from stylegan.specs import LayerSpec, layer_specs


@dataclass(frozen=True)
class GeneratorCost:
    """Parameters; values of the largest map and multiply-adds, both of one image.

    Every convolution is counted as the plain sum that it is, also where a CPU does it in fewer.
    The largest map is most often the signal between the filters of a layer; a CPU makes it in
    parts, a fused kernel not at all.
    """

    parameters: int
    largest_map: int
    multiply_adds: int


def _linear(in_dim: int, out_dim: int) -> GeneratorCost:
    """An affine map of one vector."""
    return GeneratorCost((in_dim + 1) * out_dim, out_dim, in_dim * out_dim)


def _filters(spec: LayerSpec, size: int, mid: int) -> int:
    """Multiply-adds a channel: from `size` samples to `mid` between the filters and back."""
    up = (size + mid) * size * spec.up_taps
    if spec.down_radial:
        return up + spec.out_size**2 * spec.down_taps**2
    return up + (mid + spec.out_size) * spec.out_size * spec.down_taps


def _layer(spec: LayerSpec) -> GeneratorCost:
    """A synthesis layer, without the affine map that makes its style."""
    weights = spec.in_channels * spec.out_channels * spec.kernel**2
    size = spec.in_size + spec.kernel - 1  # of what is convolved
    parameters, multiply_adds = weights + spec.out_channels, weights * size**2
    if spec.is_torgb:
        return GeneratorCost(parameters, spec.out_channels * size**2, multiply_adds)
    mid = (spec.out_size - 1) * spec.down + spec.down_taps
    multiply_adds += spec.out_channels * _filters(spec, size, mid)
    return GeneratorCost(parameters, spec.out_channels * mid**2, multiply_adds)


def _stylegan2_layer(
    config: GeneratorConfig, before: int, size: int, up: int
) -> list[GeneratorCost]:
    """A convolution of StyleGAN2 from `before` channels, with its style and demodulation."""
    channels, made = config.channels(size), size + up  # before it is blurred
    convolved = before * channels * 9 * (size // (1 + up)) ** 2
    blurred = channels * 16 * size**2 * up
    layer = GeneratorCost(
        before * channels * 9 + channels + 1,
        channels * made**2,
        convolved + blurred + before * channels,
    )
    return [_linear(config.w_dim, before), layer]


def _stylegan2(config: GeneratorConfig) -> list[GeneratorCost]:
    """The synthesis network of StyleGAN2."""
    first, size = config.channels(4), 4
    parts = [GeneratorCost(first * 16, first * 16, 0)]
    while size <= config.img_resolution:
        channels, colours = config.channels(size), config.img_channels
        if size > 4:
            parts += _stylegan2_layer(config, config.channels(size // 2), size, 1)
            parts.append(GeneratorCost(0, 0, colours * 16 * (size // 2) ** 2))
        parts += _stylegan2_layer(config, channels, size, 0)
        shown = channels * colours
        parts.append(GeneratorCost(shown + colours, colours * size**2, shown * size**2))
        parts.append(_linear(config.w_dim, channels))
        size *= 2
    return parts


def _stylegan3(config: GeneratorConfig) -> list[GeneratorCost]:
    """The synthesis network of StyleGAN3."""
    specs = layer_specs(config)
    channels, size = specs[0].in_channels, specs[0].in_size
    moves = 6 * channels  # of each frequency, by a 2x2 matrix and a shift
    waves = GeneratorCost(channels**2, channels * size**2, channels**2 * size**2 + moves)
    styles = [4] + [spec.in_channels for spec in specs]
    return [waves, *(_linear(config.w_dim, width) for width in styles), *map(_layer, specs)]


def generator_cost(config: GeneratorConfig) -> GeneratorCost:
    """Of mapping and synthesis; resampling filters are no parameters."""
    widths = [config.z_dim] + [config.w_dim] * config.mapping_layers
    parts = _stylegan3(config) if config.generation == 3 else _stylegan2(config)
    if config.c_dim:
        parts.append(_linear(config.c_dim, config.w_dim))
        widths[0] += config.w_dim
    parts += [_linear(n_in, n_out) for n_in, n_out in pairwise(widths)]
    return GeneratorCost(
        parameters=sum(part.parameters for part in parts),
        largest_map=max(part.largest_map for part in parts),
        multiply_adds=sum(part.multiply_adds for part in parts),
    )
