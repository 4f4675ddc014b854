"""The layer schedule: sizes, sampling rates, cutoffs and paddings of every synthesis layer.

Frequencies are in cycles per image width, sampling rates in samples per image width, sizes in
samples. Plain numbers only; the modules that hold weights are built from them.

Reference: Karras et al. 2021 (arXiv:2106.12423), App. C, "flexible layer specifications".
"""

import math
from dataclasses import dataclass

from stylegan.config import GeneratorConfig

NUM_CRITICAL = 2  # last layers that are critically sampled
FIRST_CUTOFF = 2.0
FIRST_STOPBAND = 2.0**2.1
LAST_STOPBAND_REL = 2.0**0.3  # last stopband relative to the last cutoff
MARGIN = 10  # samples kept around the image on each side
FILTER_SIZE = 6  # taps per unit of resampling factor
BANDS = {"shape": 5.1, "features": 13.0, "texture and colour": math.inf}  # cycles per image
RESOLUTIONS = dict(zip(BANDS, (8, 32, math.inf), strict=True))  # of StyleGAN2, in pixels


@dataclass(frozen=True)
class LayerSpec:
    """One synthesis layer; `in_` describes the signal it reads, `out_` the one it writes."""

    name: str
    in_channels: int
    out_channels: int
    in_size: int
    out_size: int
    in_rate: int
    out_rate: int
    tmp_rate: int  # at which the nonlinearity runs
    in_cutoff: float
    out_cutoff: float
    in_half_width: float
    out_half_width: float
    kernel: int
    up: int
    down: int
    up_taps: int
    down_taps: int
    down_radial: bool
    padding: tuple[int, int]  # zeros before and after the zero-stuffed signal; negative: crop
    is_torgb: bool
    is_critical: bool


@dataclass(frozen=True)
class _Signal:
    """Features between two layers."""

    cutoff: float
    half_width: float
    rate: int
    size: int
    channels: int


def _signals(config: GeneratorConfig) -> list[_Signal]:
    """The signal written by layer i, for i = 0 ... num_layers (ToRGB)."""
    resolution, last = config.img_resolution, config.num_layers
    last_cutoff = resolution / 2
    last_stopband = last_cutoff * LAST_STOPBAND_REL
    signals = []
    for i in range(last + 1):
        exponent = min(i / (last - NUM_CRITICAL), 1.0)
        cutoff = FIRST_CUTOFF * (last_cutoff / FIRST_CUTOFF) ** exponent
        stopband = FIRST_STOPBAND * (last_stopband / FIRST_STOPBAND) ** exponent
        rate = 2 ** math.ceil(math.log2(min(2 * stopband, resolution)))
        half_width = max(stopband, rate / 2) - cutoff
        size = resolution if i >= last - 1 else rate + 2 * MARGIN
        channels = round(min(config.channel_base / (2 * cutoff), config.channel_max))
        signals.append(_Signal(cutoff, half_width, rate, size, max(channels, 1)))
    return signals


def _layer(i: int, config: GeneratorConfig, source: _Signal, target: _Signal) -> LayerSpec:
    is_torgb = i == config.num_layers
    kernel = 1 if is_torgb else config.conv_kernel
    tmp_rate = max(source.rate, target.rate) * (1 if is_torgb else 2)
    up, down = tmp_rate // source.rate, tmp_rate // target.rate
    up_taps = FILTER_SIZE * up if up > 1 else 1
    down_taps = FILTER_SIZE * down if down > 1 else 1
    total = (target.size - 1) * down + 1 - (source.size + kernel - 1) * up + up_taps + down_taps - 2
    before = (total + up) // 2
    out_channels = config.img_channels if is_torgb else target.channels
    is_critical = i >= config.num_layers - NUM_CRITICAL
    return LayerSpec(
        name=f"L{i}_{target.size}_{out_channels}",
        in_channels=source.channels,
        out_channels=out_channels,
        in_size=source.size,
        out_size=target.size,
        in_rate=source.rate,
        out_rate=target.rate,
        tmp_rate=tmp_rate,
        in_cutoff=source.cutoff,
        out_cutoff=target.cutoff,
        in_half_width=source.half_width,
        out_half_width=target.half_width,
        kernel=kernel,
        up=up,
        down=down,
        up_taps=up_taps,
        down_taps=down_taps,
        down_radial=config.radial_filters and not is_critical,
        padding=(before, total - before),
        is_torgb=is_torgb,
        is_critical=is_critical,
    )


def layer_specs(config: GeneratorConfig) -> list[LayerSpec]:
    """All synthesis layers in order, ToRGB last: `config.num_layers + 1` of them."""
    signals = _signals(config)
    sources = [signals[0], *signals[:-1]]
    return [_layer(i, config, s, t) for i, (s, t) in enumerate(zip(sources, signals, strict=True))]


def style_bands(config: GeneratorConfig) -> dict[str, list[int]]:
    """Which styles, places in ws, decide what of a face.

    A layer belongs to the band of the finest detail that it writes, in cycles per image; place 0,
    the input's pose, to the first. A small network may have an empty band. StyleGAN2's go by
    resolution (Karras et al. 2019, arXiv:1812.04948, Sec. 3.1).
    """
    bands = {name: [] for name in BANDS}
    if config.generation == 2:
        for place in range(config.num_ws):
            resolution = 4 * 2 ** ((place + 1) // 2)  # of the convolution with that style
            bands[next(name for name, most in RESOLUTIONS.items() if resolution <= most)].append(
                place
            )
        return bands
    bands[next(iter(BANDS))].append(0)
    for place, spec in enumerate(layer_specs(config), start=1):
        name = next(name for name, most in BANDS.items() if spec.out_cutoff <= most)
        bands[name].append(place)
    return bands
