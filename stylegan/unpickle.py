"""Checkpoints that are pickles, read as data: nothing that a file names is imported or called.

    read_pickle   what a file holds, as plain values, tensors and `Stored` objects
    tensors_of    parameters and buffers of a network that it holds

What a file may ask for is in ALLOWED, whose functions are written here. All else is refused by
name.

Tensors are stored as the official checkpoints have them: the numbers are a pickle within the
pickle, in the older of the two formats of `torch.save`.
"""

import math
import struct
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor

from stylegan.machine import MOST_STEPS, Budget, Global, Machine, Stored, as_key, plain

MOST_BYTES = 2**31  # of a file; the largest official one has 0.4 GB
MOST_DEPTH, MOST_TENSORS = 32, 10_000  # of modules within modules; of a network
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of torch.save
STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "ShortStorage": torch.int16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "BoolStorage": torch.bool,
}
SCALARS = {"f2": "e", "f4": "f", "f8": "d", "b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q"}
SCALARS |= {"u1": "B", "u2": "H", "u4": "I", "u8": "Q"}  # NumPy's types, as struct has them


def encode(budget: Budget, text: str, encoding: str) -> bytes:
    """How older pickles hold bytes."""
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise TypeError
    budget.spend(len(text))
    return text.encode("latin1")


def dict_of(budget: Budget, pairs: Iterable = ()) -> dict:
    """An OrderedDict or a dict with attributes."""
    if type(pairs) not in (list, tuple):
        raise TypeError
    budget.spend(16 * len(pairs))
    if any(type(pair) not in (list, tuple) or len(pair) != 2 for pair in pairs):
        raise TypeError
    return {as_key(key): value for key, value in pairs}


def set_of(budget: Budget, items: list) -> set:
    """How older pickles hold sets."""
    if type(items) is not list:
        raise TypeError
    budget.spend(16 * len(items))
    return set(map(as_key, items))


def empty_bytes(budget: Budget) -> bytes:
    """How older pickles hold no bytes."""
    return b""


def word(budget: Budget, *arguments: object) -> None:
    """A device, which does not matter here."""


def size(budget: Budget, sides: tuple) -> tuple:
    """Of a tensor."""
    return sides


def persistent_object(budget: Budget, meta: dict) -> Stored:
    """An object with the source of its class, which is left aside."""
    class_name, state = meta.get("class_name"), meta.get("state")
    if type(class_name) is not str or type(state) not in (dict, type(None)):
        raise TypeError
    return Stored(class_name, state or {})


def numpy_type(budget: Budget, code: str, *flags: object) -> Stored:
    """Its state says in which order bytes come."""
    return Stored("numpy.dtype", {"code": code})


def numpy_array(budget: Budget, *arguments: object) -> Stored:
    """Not needed: weights are tensors. What it was made of goes."""
    return Stored("numpy.ndarray")


def numpy_scalar(budget: Budget, dtype: Stored, data: bytes) -> object:
    """A number."""
    code, state = dtype.state.get("code"), dtype.state.get("state", (3, "<"))
    try:
        return struct.unpack(("<" if state[1] == "|" else state[1]) + SCALARS[code], data)[0]
    except (struct.error, KeyError, IndexError) as e:
        raise TypeError from e


def storage(budget: Budget, data: bytes) -> Tensor:
    """The numbers of a tensor, in one row; `data` is what `torch.save` wrote of them."""
    if not isinstance(data, bytes | bytearray):
        raise TypeError
    budget.spend(2 * len(data))
    stream, found = BytesIO(data), []

    def persistent(identifier: object) -> object:
        found.append(identifier)

    names = dict.fromkeys(f"torch.{name}" for name in STORAGES)
    try:
        parts = [Machine(stream, names, budget, persistent).run() for _ in range(5)]
    except ValueError as e:
        raise ValueError(f"in the numbers of a tensor, {e}") from e
    if parts[:2] != [MAGIC, PROTOCOL] or len(found) != 1 or type(found[0]) is not tuple:
        raise ValueError("it holds the numbers of a tensor in a format that is not read here")
    kind, of, key, _, count, *view = found[0]
    fits = kind == "storage" and isinstance(of, Global) and type(key) is str
    if not fits or parts[4] != [key] or any(x is not None for x in view):
        raise ValueError("it holds the numbers of a tensor in a format that is not read here")
    dtype, rest = STORAGES[of.name.removeprefix("torch.")], data[stream.tell() :]
    if type(count) is not int or len(rest) != 8 + count * dtype.itemsize:
        raise ValueError("it holds fewer numbers of a tensor than it says")
    if not count:
        return torch.empty(0, dtype=dtype)
    return torch.frombuffer(bytearray(rest), dtype=dtype, offset=8)


def tensor(
    budget: Budget, numbers: Tensor, offset: int, sides: tuple, strides: tuple, *rest: object
) -> Tensor:
    """A part of the numbers, of no more than there are."""
    if not isinstance(numbers, Tensor) or numbers.ndim != 1 or len(sides) != len(strides):
        raise TypeError
    if len(sides) > 8 or any(type(x) is not int or x < 0 for x in (offset, *sides, *strides)):
        raise TypeError
    count = math.prod(sides)
    last = offset + sum((side - 1) * by for side, by in zip(sides, strides, strict=True))
    if count > len(numbers) or count and last >= len(numbers):
        raise ValueError("it has a tensor that asks for more numbers than there are")
    steps = [by if side > 1 else 1 for side, by in zip(sides, strides, strict=True)]
    return numbers.as_strided(sides, steps, offset) if count else numbers.new_empty(sides)


def parameter(budget: Budget, numbers: Tensor, *rest: object) -> Tensor:
    """As plain as other tensors."""
    if not isinstance(numbers, Tensor):
        raise TypeError
    return numbers


ALLOWED = {
    "collections.OrderedDict": dict_of,
    "dnnlib.util.EasyDict": dict_of,
    "dnnlib.EasyDict": dict_of,
    "torch_utils.persistence._reconstruct_persistent_obj": persistent_object,
    "torch._utils._rebuild_parameter": parameter,
    "torch._utils._rebuild_tensor_v2": tensor,
    "torch._utils._rebuild_tensor": tensor,
    "torch.storage._load_from_bytes": storage,
    "torch.device": word,
    "torch.Size": size,
    **{f"torch.{name}": None for name in ("float16", "float32", "float64", "bfloat16", "int64")},
    "numpy.ndarray": None,
    "numpy.dtype": numpy_type,
    **{f"numpy.{core}.multiarray._reconstruct": numpy_array for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray.scalar": numpy_scalar for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": numpy_array for core in ("core", "_core")},
    "_codecs.encode": encode,
    **{f"{builtins}.set": set_of for builtins in ("builtins", "__builtin__")},
    **{f"{builtins}.bytes": empty_bytes for builtins in ("builtins", "__builtin__")},
}


def read_pickle(path: Path) -> object:
    """What a file holds, without anything of it being run.

    Raises: ValueError naming the file and why it is not read; OSError if it cannot be opened.
    """
    if (length := path.stat().st_size) > MOST_BYTES:
        raise ValueError(
            f"{path} has {length} bytes; checkpoints of faces have at most {MOST_BYTES}"
        )
    data = path.read_bytes()
    if data[:2] == b"PK":
        raise ValueError(f"{path} is of torch.save or another archive, no pickle")
    try:
        return Machine(BytesIO(data), ALLOWED, Budget(MOST_STEPS, 4 * length)).run()
    except ValueError as e:
        raise ValueError(f"{path} is not read: {short_line(e)}") from e


def short_line(error: Exception) -> str:
    """One line of what may be many, with nothing that a terminal would obey."""
    line = " ".join(str(error)[:10_000].split())
    line = line if len(line) < 300 else line[:300] + "..."
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def tensors_of(network: Stored) -> dict[str, Tensor]:
    """Parameters and buffers of a network and its parts, by names joined with dots.

    Raises: ValueError for parts that are none, or too many.
    """
    found, waiting, parts = {}, [("", network, 0)], 0
    while waiting:
        prefix, part, depth = waiting.pop()
        parts += 1
        if not isinstance(part, Stored) or depth > MOST_DEPTH:
            raise ValueError(f"{plain(prefix)} is no part of a network")
        for kind in ("_parameters", "_buffers"):
            for name, value in items_of(part, kind):
                if not isinstance(value, Tensor):
                    raise ValueError(f"{plain(prefix + name)} is no tensor")
                found[prefix + name] = value
        inner = items_of(part, "_modules")
        waiting += [(f"{prefix}{name}.", module, depth + 1) for name, module in inner]
        if len(found) + len(waiting) + parts > MOST_TENSORS:
            raise ValueError(f"it has more than {MOST_TENSORS} tensors and parts")
    return found


def items_of(part: Stored, kind: str) -> list[tuple[str, object]]:
    """Those of a module that are not None; none if it has no such kind."""
    values = part.state.get(kind, {})
    if type(values) is not dict or not all(type(x) is str and len(x) < 100 for x in values):
        raise ValueError(f"{kind} of {plain(part.class_name)} has other keys than names")
    return [(name, value) for name, value in values.items() if value is not None]
