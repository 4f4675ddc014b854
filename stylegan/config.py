"""What a network is: frozen dataclasses of flat JSON scalars that check themselves.

GeneratorConfig      the generator; its presets are StyleGAN3's configs T and R, and StyleGAN2
DiscriminatorConfig  the residual discriminator that trains it
EncoderConfig        the encoder, which answers a picture with latents
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


def _num_convolutions(img_resolution: int) -> int:
    """Of StyleGAN2: one at 4 pixels, two at every further power of 2."""
    return 2 * int(img_resolution).bit_length() - 5


def _check_image(config: object) -> None:
    """Raise ValueError if the image has a size or a number of channels that is not supported."""
    _check_choice(config, "img_resolution", RESOLUTIONS)
    _check_choice(config, "img_channels", (1, 3))


@dataclass(frozen=True)
class GeneratorConfig:
    """Shape of a generator; `stylegan3_t`, `stylegan3_r` and `stylegan2` give published presets.

    In StyleGAN3 layer i has round(min(channel_base / (2 cutoff_i), channel_max)) channels, where
    cutoff_i, in cycles per image width, grows from 2 to half the resolution over `num_layers`
    layers. In StyleGAN2 there are min(channel_base / r, channel_max) at r pixels, and the number of
    layers follows from the resolution.

    Raises: ValueError naming the field and its value.
    Reference: Karras et al. 2021 (arXiv:2106.12423), Sec. 3 and App. C; Karras et al. 2020
    (arXiv:1912.04958), Sec. 4.1.
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
    generation: int = 3  # StyleGAN3 or StyleGAN2
    conv_clamp: int = 256  # bound of the activations; StyleGAN2 may have another, or 0: none

    def __post_init__(self):
        _check_image(self)
        bounds = {name: (1, WIDEST) for name in ("z_dim", "w_dim", "channel_max")}
        bounds |= dict(c_dim=(0, WIDEST), channel_base=(1, WIDEST))
        _check_integers(self, bounds | dict(mapping_layers=(1, DEEPEST), num_layers=(3, DEEPEST)))
        _check_choice(self, "conv_kernel", (1, 3))
        if type(self.radial_filters) is not bool:
            value = short(self.radial_filters)
            raise ValueError(f"radial_filters must be true or false, got {value}")
        _check_choice(self, "generation", (2, 3))
        if self.generation == 3:
            _check_choice(self, "conv_clamp", (256,))
            return
        lowest = dict(channel_base=(self.img_resolution, WIDEST), conv_clamp=(0, WIDEST))
        _check_integers(self, lowest)
        _check_choice(self, "num_layers", (_num_convolutions(self.img_resolution),))
        _check_choice(self, "conv_kernel", (3,))
        if self.radial_filters:
            raise ValueError("radial_filters must be false in StyleGAN2")

    @property
    def kind(self) -> str:
        """What people call it."""
        letter = "R" if self.conv_kernel == 1 else "T"
        return f"StyleGAN3 {letter}" if self.generation == 3 else "StyleGAN2"

    @property
    def num_ws(self) -> int:
        """Number of styles: one per layer, one for ToRGB and, in StyleGAN3, one for the input."""
        return self.num_layers + (2 if self.generation == 3 else 1)

    def channels(self, resolution: int) -> int:
        """Width of StyleGAN2's features at `resolution` pixels."""
        return min(self.channel_base // resolution, self.channel_max)

    @classmethod
    def stylegan3_t(cls, img_resolution: int = 64, **shape) -> "GeneratorConfig":
        """Config T, equivariant to translation; any field can be given by keyword."""
        return cls(img_resolution=img_resolution, **shape)

    @classmethod
    def stylegan3_r(cls, img_resolution: int = 64, **shape) -> "GeneratorConfig":
        """Config R, equivariant to rotation as well; any field can be given by keyword."""
        preset = dict(channel_base=65536, channel_max=1024, conv_kernel=1, radial_filters=True)
        return cls(img_resolution=img_resolution, **preset | shape)

    @classmethod
    def stylegan2(cls, img_resolution: int = 256, **shape) -> "GeneratorConfig":
        """StyleGAN2, config F; any field can be given by keyword."""
        num_layers = _num_convolutions(img_resolution)
        preset = dict(generation=2, mapping_layers=8, num_layers=num_layers)
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


@dataclass(frozen=True)
class EncoderConfig:
    """Shape of the encoder of a generator, whose `num_ws`, `w_dim` and `img_channels` it shares.

    Raises: ValueError naming the field and its value.
    """

    num_ws: int
    w_dim: int
    img_channels: int = 3
    width: int = 32  # channels at half the resolution; each halving has twice as many
    features: int = 384  # what a picture becomes before it becomes latents
    directions: int = 128  # of W, in which the layers' latents may differ

    def __post_init__(self):
        _check_choice(self, "img_channels", (1, 3))
        bounds = {name: (1, WIDEST) for name in ("w_dim", "features", "directions")}
        _check_integers(self, bounds | dict(num_ws=(1, DEEPEST), width=(8, WIDEST)))
        if self.width % 8:
            raise ValueError(f"width must be a multiple of 8, got {self.width}")
        if self.directions > self.w_dim:
            raise ValueError(f"directions must be at most w_dim, got {self.directions}")

    def check_fit(self, generator: GeneratorConfig) -> None:
        """Raise ValueError if its answers are latents of a generator of another shape."""
        for name in ("num_ws", "w_dim", "img_channels"):
            if getattr(self, name) != getattr(generator, name):
                raise ValueError("the encoder belongs to a generator of another shape")
