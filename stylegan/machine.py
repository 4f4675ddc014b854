"""A machine for pickles that makes plain values and calls nothing but what it is allowed.

    Machine   runs the commands of one pickle
    Budget    what the reading of one file may still use
    Global    a class or function that a file names; it stands for what is written here
    Stored    an object of a class that the file brings along: its class's name and its fields

A pickle is a list of commands for a machine with a stack. Python's own machine imports whatever a
file names and calls it; this one looks names up and refuses those that it is not given. Steps,
bytes made and keys are bounded, so that reading ends soon.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pickletools import genops

MOST_STEPS = 1_000_000  # of a file; the largest official one takes a tenth
MOST_DIGITS = 128  # bits of a whole number
LONGEST = 80  # name that is shown whole


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

    def named(self, name: str) -> None:
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


NUMBERS = "INT BININT BININT1 BININT2 LONG LONG1 LONG4"
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
