"""A network's shape as `config.json`.

The file tells its `format_version`. This code reads its own and every older one, and refuses a
newer one; a file without the number is of version 1. The number rises when code that knows only the
last one would refuse the file or draw something else from it.
"""

import json
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from reprlib import repr as short
from typing import TypeVar

from stylegan.config import EncoderConfig, GeneratorConfig
from stylegan.files import read_object, write_whole
from stylegan.layout import CONFIG

FORMAT, FORMAT_FIELD = 2, "format_version"

Config = TypeVar("Config", GeneratorConfig, EncoderConfig)


def save_config(config: GeneratorConfig | EncoderConfig, folder: Path) -> None:
    """Write a folder's config.json; raises OSError naming the file."""
    values = {FORMAT_FIELD: FORMAT} | asdict(config)
    write_whole(folder / CONFIG, json.dumps(values, indent=2, sort_keys=True) + "\n")


def read_config(path: Path, kind: type[Config] = GeneratorConfig) -> Config:
    """Parse a config.json; ValueError names the file and the field that is wrong."""
    values = read_object(path)
    version = values.pop(FORMAT_FIELD, 1)
    if type(version) is not int or version < 1:
        raise ValueError(f"{path}: {FORMAT_FIELD} must be a whole number, got {short(version)}")
    if version > FORMAT:
        raise ValueError(
            f"{path} is of {FORMAT_FIELD} {short(version)}, and this StyleGAN PlayGround reads up "
            f"to {FORMAT}: take a newer one"
        )
    unknown = sorted(values.keys() - {field.name for field in fields(kind)})
    if unknown:
        name = kind.__name__.removesuffix("Config").lower()
        raise ValueError(f"{path} has the field {short(unknown[0])}, which no {name} here has")
    missing = [f.name for f in fields(kind) if f.default is MISSING and f.name not in values]
    if missing:
        raise ValueError(f"{path} lacks the field {missing[0]}")
    try:
        return kind(**values)
    except ValueError as e:
        raise ValueError(f"{path}: {e}") from e
