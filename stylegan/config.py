"""What a network is: frozen dataclasses of flat JSON scalars that check themselves.

GeneratorConfig      the generator; its two presets are StyleGAN3's configs T and R
DiscriminatorConfig  the residual discriminator that trains it
"""

from dataclasses import dataclass
from reprlib import repr as short  # a file may hold a number of a thousand digits

RESOLUTIONS = (32, 64, 128, 256, 512, 1024)
WIDEST, DEEPEST = 2**30, 256  # bounds of what can be counted in no time, not of what fits memory


def _check_integers(config: object, bounds: dict[str, tuple[int, int]]) -> None:
    """Raise ValueError if a named field is no whole number or lies outside its bounds."""
    for name, (low, high) in bounds.items():
        value = getattr(config, name)
        if type(value) is not int or not low <= value <= high:
            raise ValueError(
                f"{name} must be a whole number from {low} to {high}, got {short(value)}"
            )


def _check_choice(config: object, name: str, choices: tuple[int, ...]) -> None:
    """Raise ValueError if a field is none of some whole numbers."""
    value = getattr(config, name)
    if type(value) is not int or value not in choices:
        numbers = " or ".join(", ".join(map(str, choices)).rsplit(", ", 1))
        raise ValueError(f"{name} must be {numbers}, got {short(value)}")


def _check_image(config: object) -> None:
    """Raise ValueError if the image has a size or a number of channels that is not supported."""
    _check_choice(config, "img_resolution", RESOLUTIONS)
    _check_choice(config, "img_channels", (1, 3))


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
        bounds = {name: (1, WIDEST) for name in ("z_dim", "w_dim", "channel_max")}
        bounds |= dict(c_dim=(0, WIDEST), channel_base=(1, WIDEST))
        _check_integers(self, bounds | dict(mapping_layers=(1, DEEPEST), num_layers=(3, DEEPEST)))
        _check_choice(self, "conv_kernel", (1, 3))
        if type(self.radial_filters) is not bool:
            value = short(self.radial_filters)
            raise ValueError(f"radial_filters must be true or false, got {value}")

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
        bounds = dict(c_dim=(0, WIDEST), channel_max=(1, WIDEST), mapping_layers=(0, DEEPEST))
        bounds |= dict(channel_base=(self.img_resolution, WIDEST))
        _check_integers(self, bounds | dict(mbstd_group_size=(1, WIDEST)))

    def channels(self, resolution: int) -> int:
        """Width of the features at `resolution` pixels."""
        return min(self.channel_base // resolution, self.channel_max)
