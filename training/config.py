"""The command line of a run: one frozen dataclass is the parser, the help and the record."""

import argparse
import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args, get_type_hints

from evaluation.source import on_hub
from preprocessing.hub import HUB_NAME
from stylegan import DiscriminatorConfig, GeneratorConfig

PROGRAM = "python training/train.py"
PLAIN = dict(mirror=False, balance=False, ada_max=0.0)
SMALL = dict(  # networks that two cores train, and how often one looks at them
    channel_base=2048,
    channel_max=64,
    z_dim=64,
    d_channel_base=4096,
    d_channel_max=128,
    batch=8,
    snapshot_kimg=5.0,
    eval_kimg=5.0,
)

PRESETS = {
    # the published widths and no help for small data, as the first team ran it at 64 px
    "seed": dict(num_layers=14, channel_base=32768, channel_max=512, gamma=0.025, **PLAIN),
    # a laptop without a GPU: a night on two cores, 8 hours at 87 s per kimg, half an hour of them
    # for measuring. Networks as small as these bear twice the rates at first, augmentation from the
    # beginning costs a part of the night, and with a small z people differ: see docs/training.md
    "tiny": dict(
        g_lr=0.005,
        d_lr=0.004,
        rate_kimg=20.0,
        ada_start=0.0,
        total_kimg=300.0,
        **SMALL,
    ),
    # what `tiny` has learnt goes on, and draws every real face again; at low rates that stay
    "redraw": dict(
        g_lr=0.00117,
        d_lr=0.00156,
        gamma=5.0,
        critic="both",
        mirror=False,
        ada_max=0.0,
        redraw=3.0,
        total_kimg=60.0,
        **SMALL,
    ),
    # what a Space on a CPU draws in real time; trained on a GPU
    "space": dict(),
    # for a long run on a GPU
    "quality": dict(channel_base=16384, channel_max=256, batch=64, total_kimg=5000.0),
}


LEAST = {  # values that flags may have
    1: (
        *("num_layers", "channel_base", "channel_max", "d_channel_base", "d_channel_max"),
        *("z_dim", "batch", "accumulate", "r1_interval", "keep"),
    ),
    0: ("gamma", "path_length", "redraw", "freeze_d", "eval_kimg", "hub_every", "rate_kimg"),
}


def option(
    help: str, default: object = dataclasses.MISSING, choices: Sequence[str] | None = None
) -> dataclasses.Field:
    """A field that is also a flag; without a default the flag is required."""
    return field(default=default, metadata={"help": help, "choices": choices})


def usual_gamma(img_resolution: int, batch: int) -> float:
    """The R1 weight that most sets bear."""
    return 0.125 * (img_resolution / 64) ** 2 * 32 / batch


@dataclass(frozen=True)
class TrainConfig:
    """Train StyleGAN3 on a folder of faces. The same command again goes on where it stopped.

    The defaults are those of `--preset space`; a preset changes defaults, flags come on top.

    Raises: ValueError naming the flag and its value.
    """

    data: str = option(
        "square pictures: a folder, as preprocessing.prepare makes, a zip, or a data set of the Hub"
    )
    out: str = option("folder of the run; its README.md says what it holds")
    preset: str = option("sizes and recipe to start from", "space", tuple(PRESETS))
    critic: str = option(
        "what is judged: pixels, features that a network which knows pictures finds, or both",
        "pixels",
        ("pixels", "features", "both"),
    )
    config: str = option("t: equivariant to translation; r: to rotation as well", "t", ("t", "r"))
    num_layers: int = option("synthesis layers without ToRGB", 10)
    channel_base: int = option("width of the generator: features x resolution", 8192)
    channel_max: int = option("most features in a layer of the generator", 128)
    d_channel_base: int | None = option(
        "width of the discriminator; left out: --channel-base", None
    )
    d_channel_max: int | None = option(
        "most features in a layer of the discriminator; left out: --channel-max", None
    )
    z_dim: int | None = option("size of z and w; left out: that of --init-from", 512)
    total_kimg: float = option("length of the run, in thousands of real images shown", 1000.0)
    batch: int = option("images per step, all processes together", 32)
    accumulate: int = option("parts that a process makes of its share of a batch, for memory", 1)
    gamma: float | None = option(
        "R1 weight; left out: 0.125 x (resolution / 64)^2 x 32 / batch", None
    )
    r1_interval: int = option("apply R1 every so many steps", 16)
    path_length: float = option("weight of path length regularization; 2 is usual, 0 is off", 0.0)
    redraw: float = option(
        "weight of drawing every real face again, each from a z of its own; 0 is off", 0.0
    )
    g_lr: float = option("learning rate of the generator", 0.0025)
    d_lr: float = option("learning rate of the discriminator", 0.002)
    rate_kimg: float = option(
        "kimg after which both rates fall, with the square root of the images shown; 0: they stay",
        0.0,
    )
    mirror: bool = option("show every second picture mirrored", True)
    balance: bool = option("show every sub-folder equally often", True)
    conditional: bool = option("learn the sub-folders as labels, brought in gradually", False)
    ada_target: float = option("sign of D on reals that the augmentation holds", 0.6)
    ada_kimg: float = option("images that take its probability from 0 to 1, in thousands", 100.0)
    ada_start: float = option("its probability at the beginning, if --ada-max allows", 0.2)
    ada_max: float = option("its largest probability; 0: no augmentation", 0.8)
    init_from: str | None = option("folder or Hub repository of weights to begin with", None)
    partial: bool = option("begin also with weights of which only some fit", False)
    freeze_d: int = option("first blocks of the loaded discriminator that stay as they are", 0)
    mixed_precision: str = option("auto: the faster one", "auto", ("auto", "no", "bf16"))
    cuda_graphs: bool = option("record steps on the GPU once, then replay them", False)
    snapshot_kimg: float = option("save weights, samples and state this often", 20.0)
    eval_kimg: float = option("measure the faces, and keep the best, this often; 0 is never", 20.0)
    keep: int = option("older states kept beside the newest", 1)
    seed: int = option("seed of all random numbers", 0)
    log_with: str | None = option(
        "log to one of these too", None, ("trackio", "tensorboard", "wandb")
    )
    push_to_hub: str | None = option("Hub repository that gets the snapshots", None)
    hub_every: float = option("push a snapshot this often, in kimg; 0 is every one", 0.0)
    hub_private: bool = option("make that repository for yourself only", False)
    license: str | None = option(
        "what others may do with the weights, as the Hub names it: cc-by-4.0, ...", None
    )

    def __post_init__(self):
        for f in dataclasses.fields(self):
            choices, value = f.metadata["choices"], getattr(self, f.name)
            self._check(f.name, not choices or value in (*choices, f.default), f"one of {choices}")
        for minimum, names in LEAST.items():
            for name in names:
                value = getattr(self, name)
                holds = value is None or minimum <= value < math.inf
                self._check(name, holds, f"at least {minimum}")
        for name in ("total_kimg", "snapshot_kimg", "g_lr", "d_lr", "ada_kimg"):
            self._check(name, 0 < getattr(self, name) < math.inf, "more than 0")
        for name in ("ada_target", "ada_start", "ada_max"):
            self._check(name, 0 <= getattr(self, name) <= 1, "between 0 and 1")
        self._check("seed", 0 <= self.seed < 2**31, "0 to 2147483647")
        for name in ("gamma", "freeze_d"):
            if self.critic == "features" and getattr(self, name):
                raise ValueError(f"--{name.replace('_', '-')} is for --critic pixels or both")
        if self.critic == "both" and not self.redraw:
            raise ValueError(
                "--critic both judges the features by which --redraw compares faces: add --redraw, "
                "or choose pixels or features"
            )
        if self.redraw and self.conditional:
            raise ValueError(
                "--redraw gives all faces z that are normal together, whatever their labels: "
                "leave out --redraw or --conditional"
            )
        if self.redraw and self.init_from is None:
            raise ValueError(
                "--redraw looks for faces that G can draw already: train without it first, then "
                "give the weights as --init-from"
            )
        if self.redraw and self.mirror:
            raise ValueError(
                "--redraw draws every face as it is, and D must not take its mirror image for "
                "real: add --no-mirror"
            )
        if self.redraw and self.ada_max and self.critic != "features":
            raise ValueError(
                "--redraw lets D judge pairs, and it is sure of most: that says nothing about how "
                "much augmentation it needs: add --ada-max 0"
            )
        if self.push_to_hub and not HUB_NAME.fullmatch(self.push_to_hub):
            raise ValueError(
                f"--push-to-hub must look like user/repository, got {self.push_to_hub}"
            )
        on_hub(self.data)  # refuses what can be no pictures
        if self.init_from is None and (self.partial or self.freeze_d):
            flag = "--partial" if self.partial else "--freeze-d"
            raise ValueError(f"{flag} needs --init-from, the weights to begin with")

    def _check(self, name: str, holds: bool, wanted: str) -> None:
        if not holds:
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} must be {wanted}, got {getattr(self, name)}")

    def r1_gamma(self, img_resolution: int) -> float:
        """The R1 weight: quadratic in the resolution, inverse in the batch, unless given; 0 for a
        critic on features, which does without."""
        if self.critic == "features":
            return 0.0
        usual = usual_gamma(img_resolution, self.batch)
        return usual if self.gamma is None else self.gamma

    def rate(self, nimg: int) -> float:
        """Share of the learning rates after `nimg` images."""
        kept = 1000 * self.rate_kimg
        return math.sqrt(kept / nimg) if 0 < kept < nimg else 1.0

    def ema_half_life(self, nimg: int) -> float:
        """Half-life of G_ema, in images, after `nimg`: 10 kimg at batch 32, as many steps at any
        other; early on 5 % of the images seen, unless the run began with an average."""
        half_life = 10_000 * self.batch / 32
        return half_life if self.init_from else min(half_life, 0.05 * nimg)

    def label_weight(self, nimg: int) -> float:
        """Weight of the labels after `nimg` images: 0 for a fifth of the run, 1 after two fifths.

        1 from the beginning on weights that know them.

        Reference: Shahbazi et al. 2022 (arXiv:2201.06578), Sec. 4.
        """
        if self.init_from and not self.partial:
            return 1.0
        return min(max(nimg / (1000 * self.total_kimg) / 0.2 - 1, 0.0), 1.0)

    def generator(
        self, img_resolution: int, num_labels: int, img_channels: int = 3
    ) -> GeneratorConfig:
        """The generator that the flags describe."""
        preset = {"t": GeneratorConfig.stylegan3_t, "r": GeneratorConfig.stylegan3_r}[self.config]
        return preset(
            img_resolution,
            img_channels=img_channels,
            **({} if self.z_dim is None else {"z_dim": self.z_dim, "w_dim": self.z_dim}),
            c_dim=num_labels if self.conditional else 0,
            num_layers=self.num_layers,
            channel_base=self.channel_base,
            channel_max=self.channel_max,
        )

    def discriminator(
        self, img_resolution: int, num_labels: int, img_channels: int = 3
    ) -> DiscriminatorConfig:
        """The discriminator that the flags describe."""
        return DiscriminatorConfig(
            img_resolution,
            img_channels=img_channels,
            c_dim=num_labels if self.conditional else 0,
            channel_base=self.d_channel_base or self.channel_base,
            channel_max=self.d_channel_max or self.channel_max,
        )


def flags_of(
    kind: type, program: str, defaults: dict[str, object] | None = None
) -> argparse.ArgumentParser:
    """All fields of a dataclass of options as flags; `defaults` come before its own."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=kind.__doc__.splitlines()[0],
        allow_abbrev=False,
    )
    types = get_type_hints(kind)
    for f in dataclasses.fields(kind):
        flag = "--" + f.name.replace("_", "-")
        hint = next(t for t in (*get_args(types[f.name]), types[f.name]) if t is not type(None))
        required = f.default is dataclasses.MISSING
        default = (defaults or {}).get(f.name, f.default)
        text = f.metadata["help"]
        text += "" if required or default in (None, "") else f" (default: {default})"
        arguments = {"help": text, "required": required}
        if not required:
            arguments["default"] = default
        if hint is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, **arguments)
        elif f.metadata["choices"]:
            parser.add_argument(flag, choices=f.metadata["choices"], **arguments)
        else:
            parser.add_argument(flag, type=hint, metavar=hint.__name__.upper(), **arguments)
    return parser


def parse_args(argv: Sequence[str] | None = None) -> TrainConfig:
    """Flags to a TrainConfig; prints what is wrong and exits with 2 if a value is refused."""
    chosen = argparse.ArgumentParser(prog=PROGRAM, add_help=False, allow_abbrev=False)
    chosen.add_argument("--preset", choices=PRESETS, default="space")
    chosen.add_argument("--init-from")
    known = chosen.parse_known_args(argv)[0]
    size = {"z_dim": None} if known.init_from else {}  # not the preset's
    parser = flags_of(TrainConfig, PROGRAM, PRESETS[known.preset] | size)
    try:
        return TrainConfig(**vars(parser.parse_args(argv)))
    except ValueError as e:
        parser.error(str(e))
