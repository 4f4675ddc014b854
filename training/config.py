"""The command line of a run: one frozen dataclass is the parser, the help and the record."""

import argparse
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args, get_type_hints

from stylegan import DiscriminatorConfig, GeneratorConfig


def option(help: str, default: object = dataclasses.MISSING) -> dataclasses.Field:
    """A field that is also a flag; without a default the flag is required."""
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class TrainConfig:
    """Train StyleGAN3 on a folder of faces. The same command again goes on from the last snapshot.

    Raises: ValueError naming the flag and its value.
    """

    data: str = option("folder written by preprocessing.prepare: sub-folders of square pictures")
    out: str = option("folder of the run: weights/, samples/, log.jsonl, state.pt")
    config: str = option("t: equivariant to translation; r: to rotation as well", "t")
    num_layers: int = option("synthesis layers without ToRGB", 14)
    channel_base: int = option("width of the generator: features x resolution", 16384)
    channel_max: int = option("most features in a layer of the generator", 256)
    d_channel_base: int | None = option("the discriminator's; left out: as the generator's", None)
    d_channel_max: int | None = option("the discriminator's; left out: as the generator's", None)
    z_dim: int = option("size of z and w", 512)
    total_kimg: float = option("length of the run, in thousands of real images shown", 1000.0)
    batch: int = option("images per step, all processes together", 32)
    r1_gamma: float | None = option("R1 weight; left out: 0.125 at 64 px and batch 32", None)
    r1_interval: int = option("apply R1 every so many steps", 16)
    g_lr: float = option("learning rate of the generator", 0.0025)
    d_lr: float = option("learning rate of the discriminator", 0.002)
    mirror: bool = option("show every second picture mirrored", True)
    snapshot_kimg: float = option("save weights, samples and state this often", 20.0)
    seed: int = option("of everything random", 0)
    push_to_hub: str | None = option("Hub repository that gets every snapshot", None)

    def __post_init__(self):
        if self.config not in ("t", "r"):
            raise ValueError(f"--config must be t or r, got {self.config}")
        at_least_one = (
            "num_layers",
            "channel_base",
            "channel_max",
            "z_dim",
            "batch",
            "r1_interval",
        )
        for name in at_least_one:
            self._check(name, getattr(self, name) >= 1, "at least 1")
        for name in ("total_kimg", "snapshot_kimg", "g_lr", "d_lr"):
            self._check(name, 0 < getattr(self, name) < float("inf"), "more than 0")
        for name in ("d_channel_base", "d_channel_max"):
            value = getattr(self, name)
            self._check(name, value is None or value >= 1, "at least 1")
        self._check("r1_gamma", 0 <= (self.r1_gamma or 0) < float("inf"), "0 or more")
        self._check("seed", 0 <= self.seed < 2**31, "0 to 2147483647")
        if not Path(self.data).is_dir():
            raise ValueError(f"--data {self.data} is not a folder")

    def _check(self, name: str, holds: bool, wanted: str) -> None:
        if not holds:
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} must be {wanted}, got {getattr(self, name)}")

    def gamma(self, img_resolution: int) -> float:
        """The R1 weight: quadratic in the resolution, inverse in the batch, unless given."""
        if self.r1_gamma is not None:
            return self.r1_gamma
        return 0.125 * (img_resolution / 64) ** 2 * 32 / self.batch

    def ema_half_life(self) -> float:
        """Half-life of G_ema in images: 10 kimg at batch 32, as many steps at any other."""
        return 10_000 * self.batch / 32

    def generator(self, img_resolution: int) -> GeneratorConfig:
        """The generator that the flags describe."""
        preset = {"t": GeneratorConfig.stylegan3_t, "r": GeneratorConfig.stylegan3_r}[self.config]
        return preset(
            img_resolution,
            z_dim=self.z_dim,
            w_dim=self.z_dim,
            num_layers=self.num_layers,
            channel_base=self.channel_base,
            channel_max=self.channel_max,
        )

    def discriminator(self, img_resolution: int) -> DiscriminatorConfig:
        """The discriminator that the flags describe."""
        return DiscriminatorConfig(
            img_resolution,
            channel_base=self.d_channel_base or self.channel_base,
            channel_max=self.d_channel_max or self.channel_max,
        )


def parse_args(argv: Sequence[str] | None = None) -> TrainConfig:
    """Flags to a TrainConfig; prints what is wrong and exits with 2 if a value is refused."""
    parser = argparse.ArgumentParser(
        prog="accelerate launch training/train.py",
        description=TrainConfig.__doc__.splitlines()[0],
        allow_abbrev=False,
    )
    types = get_type_hints(TrainConfig)
    for f in dataclasses.fields(TrainConfig):
        flag = "--" + f.name.replace("_", "-")
        kind = next(t for t in (*get_args(types[f.name]), types[f.name]) if t is not type(None))
        required = f.default is dataclasses.MISSING
        text = f.metadata["help"]
        text += "" if required or f.default is None else f" (default: {f.default})"
        arguments = {"help": text, "required": required}
        if not required:
            arguments["default"] = f.default
        if kind is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, **arguments)
        else:
            parser.add_argument(flag, type=kind, metavar=kind.__name__.upper(), **arguments)
    try:
        return TrainConfig(**vars(parser.parse_args(argv)))
    except ValueError as e:
        parser.error(str(e))
