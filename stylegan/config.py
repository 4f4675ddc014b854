"""What a network is: frozen dataclasses of flat JSON scalars that check themselves.

GeneratorConfig      the generator; its two presets are StyleGAN3's configs T and R
DiscriminatorConfig  the residual discriminator that trains it
"""

from dataclasses import dataclass

RESOLUTIONS = (32, 64, 128, 256, 512, 1024)


def _check_integers(config: object, minima: dict[str, int]) -> None:
    """Raise ValueError if a named field is no whole number or lies below its minimum."""
    for name, minimum in minima.items():
        value = getattr(config, name)
        if type(value) is not int or value < minimum:
            raise ValueError(f"{name} must be a whole number of at least {minimum}, got {value!r}")


def _check_image(config: object) -> None:
    """Raise ValueError if the image has a size or a number of channels that is not supported."""
    _check_integers(config, {"img_resolution": 1, "img_channels": 1})
    if config.img_resolution not in RESOLUTIONS:
        sizes = ", ".join(map(str, RESOLUTIONS))
        raise ValueError(f"img_resolution must be one of {sizes}, got {config.img_resolution!r}")
    if config.img_channels not in (1, 3):
        raise ValueError(f"img_channels must be 1 or 3, got {config.img_channels!r}")


@dataclass(frozen=True)
class GeneratorConfig:
    """Shape of a generator; `stylegan3_t` and `stylegan3_r` give the published presets.

    Layer i has round(min(channel_base / (2 cutoff_i), channel_max)) channels, where cutoff_i, in
    cycles per image width, grows from 2 to half the resolution over `num_layers` layers.

    Raises: ValueError naming the field and its value.
    Reference: Karras et al. 2021 (arXiv:2106.12423), Sec. 3 and App. C.
    """

    img_resolution: int = 64  # pixels
    img_channels: int = 3  # RGB or grey
    z_dim: int = 512
    w_dim: int = 512
    c_dim: int = 0  # number of labels; 0: unconditional
    mapping_layers: int = 2
    num_layers: int = 14  # synthesis layers without ToRGB
    channel_base: int = 32768
    channel_max: int = 512
    conv_kernel: int = 3  # 3: translation only (T), 1: rotation too (R)
    radial_filters: bool = False  # radially symmetric down-sampling (R)

    def __post_init__(self):
        _check_image(self)
        minima = {"z_dim": 1, "w_dim": 1, "c_dim": 0, "mapping_layers": 1, "num_layers": 3}
        _check_integers(self, minima | {"channel_base": 1, "channel_max": 1})
        if self.conv_kernel not in (1, 3) or type(self.conv_kernel) is not int:
            raise ValueError(f"conv_kernel must be 1 or 3, got {self.conv_kernel!r}")
        if type(self.radial_filters) is not bool:
            raise ValueError(f"radial_filters must be true or false, got {self.radial_filters!r}")

    @property
    def num_ws(self) -> int:
        """Number of styles: one for the input, one per layer, one for ToRGB."""
        return self.num_layers + 2

    @classmethod
    def stylegan3_t(cls, img_resolution: int = 64, **shape) -> "GeneratorConfig":
        """Config T, equivariant to translation; any field can be given by keyword."""
        return cls(img_resolution=img_resolution, **shape)

    @classmethod
    def stylegan3_r(cls, img_resolution: int = 64, **shape) -> "GeneratorConfig":
        """Config R, equivariant to rotation as well; any field can be given by keyword."""
        preset = dict(channel_base=65536, channel_max=1024, conv_kernel=1, radial_filters=True)
        return cls(img_resolution=img_resolution, **preset | shape)


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Shape of the residual discriminator: min(channel_base / r, channel_max) channels at r pixels.

    Raises: ValueError naming the field and its value.
    Reference: Karras et al. 2020 (arXiv:1912.04958), Sec. 4.1 and App. B.
    """

    img_resolution: int = 64  # pixels
    img_channels: int = 3
    c_dim: int = 0
    channel_base: int = 32768
    channel_max: int = 512
    mapping_layers: int = 8  # of the label's embedding; used when c_dim > 0
    mbstd_group_size: int = 4  # images compared by the minibatch statistics

    def __post_init__(self):
        _check_image(self)
        minima = {"c_dim": 0, "channel_max": 1, "mapping_layers": 0, "mbstd_group_size": 1}
        _check_integers(self, minima | {"channel_base": self.img_resolution})

    def channels(self, resolution: int) -> int:
        """Width of the features at `resolution` pixels."""
        return min(self.channel_base // resolution, self.channel_max)
