"""Pickles read as data: a file names classes and functions, and none of them is imported or called.

    read_pickle   what a file holds, as plain values, tensors and `Stored` objects
    Stored        an object of a class that the file brings along: its class's name and its fields

A pickle is a list of commands for a machine with a stack. Python's own machine imports whatever a
file names and calls it; this one looks names up in ALLOWED, whose functions are written here, and
refuses the others by name. Steps, bytes made and depth are bounded, so that reading ends soon.

Tensors are stored as the official checkpoints have them: the numbers are a pickle within the
pickle, in the older of the two formats of `torch.save`.
"""

import math
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from pickletools import genops

import torch
from torch import Tensor

MOST_BYTES = 2**31  # of a file; the largest official one has 0.4 GB
MOST_STEPS = 1_000_000  # of a file; the largest official one takes a tenth
MOST_DIGITS = 128  # bits of a whole number
LONGEST = 80  # name that is shown whole
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


@dataclass(eq=False, repr=False)  # what holds itself, or one thing many times, has no end
class Stored:
    """An object that cannot be made here, because its class is not here."""

    class_name: str
    state: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Global:
    """What a file names; `make` is what stands for a call of it, None if it is no function."""

    name: str
    make: Callable | None = None


@dataclass
class Budget:
    """What the reading of one file may still use."""

    steps: int
    bytes: int

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise ValueError(f"it takes more than {MOST_STEPS} steps to read")

    def spend(self, count: int) -> None:
        self.bytes -= count
        if self.bytes < 0:
            raise ValueError("it asks for far more memory than it has bytes")


class Machine:
    """Runs one pickle of a stream; `allowed` says by name what it may ask for.

    Raises: ValueError with the reason, for what is broken or not allowed.
    """

    def __init__(
        self,
        stream: BytesIO,
        allowed: dict[str, Callable | None],
        budget: Budget,
        persistent: Callable[[object], object] | None = None,
    ):
        self.stream, self.allowed, self.budget = stream, allowed, budget
        self.persistent = persistent
        self.stack, self.marked, self.memo = [], [], {}

    def run(self) -> object:
        try:
            for opcode, value, _ in genops(self.stream):
                self.budget.step()
                if opcode.name in PUSHED:
                    self.stack.append(PUSHED[opcode.name](value))
                elif opcode.name == "STOP":
                    return self.stack.pop()
                elif opcode.name not in IGNORED:
                    if opcode.name not in COMMANDS:
                        raise ValueError(f"it uses the command {opcode.name}")
                    COMMANDS[opcode.name](self, value)
        except (IndexError, KeyError) as e:
            raise ValueError("its commands do not fit together") from e
        except UnicodeDecodeError as e:
            raise ValueError("it holds words that are no text") from e
        raise ValueError("it has no end")

    def since_mark(self) -> list:
        items, self.stack = self.stack, self.marked.pop()
        return items

    def push(self, value: object) -> None:
        self.stack.append(value)

    def mark(self, _: None) -> None:
        self.marked.append(self.stack)
        self.stack = []

    def remember(self, place: int | None) -> None:
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]

    def recall(self, place: int) -> None:
        self.stack.append(self.memo[place])

    def drop(self, _: None) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.since_mark()

    def named(self, name: object) -> None:
        """Push what a name stands for here."""
        if name.startswith("dnnlib.tflib."):
            raise ValueError("it is of the TensorFlow version, and only PyTorch's is read here")
        if name not in self.allowed:
            raise ValueError(f"it asks for {plain(name)}, which is not among what is read here")
        self.stack.append(Global(name, self.allowed[name]))

    def named_on_stack(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (type(name) is type(module) is str):
            raise ValueError("it names a class by something else than words")
        self.named(f"{module}.{name}")

    def call(self, _: None) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Global) or function.make is None:
            called = function.name if isinstance(function, Global) else type(function).__name__
            raise ValueError(f"it calls {plain(called)}, which is nothing to call here")
        if type(arguments) is not tuple:
            raise ValueError(f"it calls {plain(function.name)} without a list of arguments")
        try:
            self.stack.append(function.make(self.budget, *arguments))
        except (TypeError, AttributeError, RuntimeError, OverflowError) as e:
            raise ValueError(f"it gives {plain(function.name)} arguments of another kind") from e

    def update(self, _: None) -> None:
        """Give the object below its fields."""
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, Stored):
            raise ValueError(f"it gives fields to a {type(target).__name__}")
        state = state if type(state) is dict else {"state": state}
        self.budget.spend(16 * len(state))
        target.state.update(state)

    def persist(self, identifier: object) -> None:
        if self.persistent is None:
            raise ValueError("it points to objects outside of itself")
        self.stack.append(self.persistent(identifier))

    def extend(self, items: list) -> None:
        if type(self.stack[-1]) is not list:
            raise ValueError("it appends to what is no list")
        self.stack[-1].extend(items)

    def set_items(self, items: list) -> None:
        if type(self.stack[-1]) is not dict:
            raise ValueError("it sets items of what is no dict")
        self.stack[-1].update(as_dict(items))

    def add_items(self, items: list) -> None:
        if type(self.stack[-1]) is not set:
            raise ValueError("it adds to what is no set")
        self.stack[-1].update(map(as_key, items))

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise IndexError
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def pair(self) -> list:
        return [self.stack.pop(-2), self.stack.pop()]


def plain(name: str) -> str:
    """As it can be shown: a file may name something with a thousand letters, or with none."""
    shown = name if len(name) <= LONGEST else name[:LONGEST] + "..."
    return shown if shown.isprintable() else ascii(shown)


def as_number(value: int) -> int:
    """Long whole numbers are slow to compare and to show."""
    if value.bit_length() > MOST_DIGITS:
        raise ValueError("it holds a whole number that is too long")
    return value


def as_key(value: object) -> object:
    """Only what is quick to look up: tuples within tuples can take for ever."""
    if type(value) is int and abs(value) < 2**31 or type(value) in (str, bool, type(None)):
        return value
    raise ValueError(f"it uses a {type(value).__name__} as a key")


def as_dict(items: list) -> dict:
    """Of keys and values in turn."""
    if len(items) % 2:
        raise IndexError
    return {as_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def same(value: object) -> object:
    return value


NUMBERS, CONTAINERS = "INT BININT BININT1 BININT2 LONG LONG1 LONG4", "EMPTY_LIST EMPTY_DICT"
TEXTS = "STRING BINSTRING SHORT_BINSTRING UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8"
BYTES = "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8"
IGNORED = {"PROTO", "FRAME"}
PUSHED = {
    **dict.fromkeys(NUMBERS.split(), as_number),
    **dict.fromkeys(f"{TEXTS} {BYTES} FLOAT BINFLOAT".split(), same),
    **dict(NONE=same, NEWTRUE=lambda _: True, NEWFALSE=lambda _: False),
    **dict(EMPTY_LIST=lambda _: [], EMPTY_DICT=lambda _: {}, EMPTY_TUPLE=lambda _: ()),
    "EMPTY_SET": lambda _: set(),
}
COMMANDS = {
    "MARK": Machine.mark,
    "POP": Machine.drop,
    "POP_MARK": lambda m, _: m.since_mark(),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), Machine.remember),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Machine.recall),
    "GLOBAL": lambda m, name: m.named(name.replace(" ", ".", 1)),
    "STACK_GLOBAL": Machine.named_on_stack,
    "REDUCE": Machine.call,
    "NEWOBJ": Machine.call,
    "BUILD": Machine.update,
    "PERSID": Machine.persist,
    "BINPERSID": lambda m, _: m.persist(m.stack.pop()),
    "APPEND": lambda m, _: m.extend([m.stack.pop()]),
    "APPENDS": lambda m, _: m.extend(m.since_mark()),
    "LIST": lambda m, _: m.push(m.since_mark()),
    "DICT": lambda m, _: m.push(as_dict(m.since_mark())),
    "SETITEM": lambda m, _: m.set_items(m.pair()),
    "SETITEMS": lambda m, _: m.set_items(m.since_mark()),
    "ADDITEMS": lambda m, _: m.add_items(m.since_mark()),
    "FROZENSET": lambda m, _: m.push(set(map(as_key, m.since_mark()))),
    "TUPLE": lambda m, _: m.push(tuple(m.since_mark())),
    "TUPLE1": lambda m, _: m.tuple_of(1),
    "TUPLE2": lambda m, _: m.tuple_of(2),
    "TUPLE3": lambda m, _: m.tuple_of(3),
}


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
