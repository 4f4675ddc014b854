"""Loops over vectors of numbers, compiled by LLVM for the processor at hand.

Python writes the program. Its own loops and ifs run while it writes, so what they repeat is
unrolled; `loop`, `when` and `either` belong to the program. A `Value` is what the program computes:
a whole number (64 bits), a truth, a pointer, or a vector of float32 or of truths.

    f = Program("x y", "count")
    with f.loop(0, f.count) as i:
        f.store(f.load(f.x, i * f.lanes) * 2.0, f.y, i * f.lanes)
    double = f.compiled()  # takes the addresses of x and y, and the number of vectors
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from llvmlite import binding, ir

BIT, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 16, 32, 64))
F32, POINTER = ir.FloatType(), ir.PointerType()
ROUND_ONCE = ("contract",)  # a product and the sum it goes to may become one operation


def machine() -> binding.TargetMachine:
    """What a program is compiled for, which then belongs to it.

    Raises: RuntimeError where LLVM does not know the processor.
    """
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target, features = binding.Target.from_default_triple(), binding.get_host_cpu_features()
    return target.create_target_machine(binding.get_host_cpu_name(), features.flatten(), opt=3)


@cache
def num_lanes() -> int:
    """Numbers in a vector."""
    return 16 if binding.get_host_cpu_features().get("avx512f") else 8


class Value:
    """Something that a program computes, used as numbers are in Python; `//` rounds towards 0."""

    def __init__(self, b: ir.IRBuilder, raw: ir.Value):
        self.b, self.raw = b, raw
        self.is_vector = isinstance(raw.type, ir.VectorType)

    def _raw(self, other: "Value | float") -> ir.Value:
        """A number of Python becomes one of this value's type."""
        if isinstance(other, Value):
            return other.raw
        return ir.Constant(
            self.raw.type, [other] * self.raw.type.count if self.is_vector else other
        )

    def _do(self, whole: str, vector: str, other: "Value | float") -> "Value":
        raw, name = self._raw(other), vector if self.is_vector else whole
        flags = dict(flags=ROUND_ONCE) if name.startswith("f") else {}
        return Value(self.b, getattr(self.b, name)(self.raw, raw, **flags))

    def __add__(self, other: "Value | float") -> "Value":
        return self._do("add", "fadd", other)

    def __sub__(self, other: "Value | float") -> "Value":
        return self._do("sub", "fsub", other)

    def __mul__(self, other: "Value | float") -> "Value":
        return self._do("mul", "fmul", other)

    def __floordiv__(self, other: "Value | int") -> "Value":
        return self._do("sdiv", "sdiv", other)

    def __and__(self, other: "Value | int") -> "Value":
        return self._do("and_", "and_", other)

    def __or__(self, other: "Value | int") -> "Value":
        return self._do("or_", "or_", other)

    def _compare(self, sign: str, other: "Value | float") -> "Value":
        compare = self.b.fcmp_ordered if self.is_vector else self.b.icmp_signed
        return Value(self.b, compare(sign, self.raw, self._raw(other)))

    def __lt__(self, other: "Value | float") -> "Value":
        return self._compare("<", other)

    def __le__(self, other: "Value | float") -> "Value":
        return self._compare("<=", other)

    def __gt__(self, other: "Value | float") -> "Value":
        return self._compare(">", other)

    def __ge__(self, other: "Value | float") -> "Value":
        return self._compare(">=", other)

    def within(self, size: "Value") -> "Value":
        """0 <= self < size"""
        return Value(self.b, self.b.icmp_unsigned("<", self.raw, size.raw))

    def where(self, truth: "Value", other: "Value | float") -> "Value":
        """This where the truth holds, else the other."""
        return Value(self.b, self.b.select(truth.raw, self.raw, self._raw(other)))

    def least(self, other: "Value | float") -> "Value":
        """The smaller one; self if it is not a number."""
        return Value(self.b, self._raw(other)).where(self > other, self)

    def most(self, other: "Value | float") -> "Value":
        """The larger one; self if it is not a number."""
        return Value(self.b, self._raw(other)).where(self < other, self)


class Program:
    """A function of pointers and whole numbers, its attributes by their names.

    No two of the pointers may lead to the same place, if the program writes there.
    """

    def __init__(self, pointers: str, numbers: str):
        names = pointers.split(), numbers.split()
        counts = [len(part) for part in names]
        kind = ir.FunctionType(ir.VoidType(), [POINTER] * counts[0] + [I64] * counts[1])
        self._types = [ctypes.c_void_p] * counts[0] + [ctypes.c_int64] * counts[1]
        self._module, self.lanes = ir.Module(), num_lanes()
        self._function = ir.Function(self._module, kind, "run")
        self._variables = self._function.append_basic_block()
        self._begin = self._function.append_basic_block()
        self.b = ir.IRBuilder(self._begin)
        for name, argument in zip([*names[0], *names[1]], self._function.args, strict=True):
            if argument.type is POINTER:
                argument.add_attribute("noalias")
            setattr(self, name, Value(self.b, argument))

    def _vector(self, kind: ir.Type) -> ir.VectorType:
        return ir.VectorType(kind, self.lanes)

    def _every(self, number: float, kind: ir.Type) -> ir.Constant:
        return ir.Constant(self._vector(kind), [number] * self.lanes)

    def _whole(self, number: "Value | int") -> ir.Value:
        return number.raw if isinstance(number, Value) else I64(number)

    @contextmanager
    def loop(self, start: "Value | int", stop: "Value | int") -> Iterator[Value]:
        """for i in range(start, stop)"""
        b, before = self.b, self.b.block
        head, body, after = (b.append_basic_block() for _ in range(3))
        b.branch(head)
        b.position_at_end(head)
        i = b.phi(I64)
        i.add_incoming(self._whole(start), before)
        b.cbranch(b.icmp_signed("<", i, self._whole(stop)), body, after)
        b.position_at_end(body)
        yield Value(b, i)
        i.add_incoming(b.add(i, I64(1)), b.block)
        b.branch(head)
        b.position_at_end(after)

    @contextmanager
    def when(self, truth: Value) -> Iterator[None]:
        """if truth"""
        with self.b.if_then(truth.raw):
            yield

    def either(self, truth: Value):
        """if truth, else: gives a context for each"""
        return self.b.if_else(truth.raw)

    def variables(self, count: int) -> list[ir.Value]:
        """Vectors for `get` and `set`, which loops carry from one round to the next."""
        with self.b.goto_block(self._variables):
            return [self.b.alloca(self._vector(F32)) for _ in range(count)]

    def get(self, variable: ir.Value) -> Value:
        return Value(self.b, self.b.load(variable, typ=self._vector(F32)))

    def set(self, variable: ir.Value, value: Value) -> None:
        self.b.store(value.raw, variable)

    def zeros(self) -> Value:
        return Value(self.b, self._every(0.0, F32))

    def at(self, pointer: Value, index: "Value | int", kind: ir.Type = F32) -> Value:
        """The pointer so many numbers further."""
        return Value(self.b, self.b.gep(pointer.raw, [self._whole(index)], source_etype=kind))

    def load(self, pointer: Value, index: "Value | int" = 0, *, half: bool = False) -> Value:
        """A vector of numbers that lie side by side in float32 or, `half`, in bfloat16."""
        b = self.b
        if not half:
            place = self.at(pointer, index).raw
            return Value(b, b.load(place, typ=self._vector(F32), align=4))
        raw = b.load(self.at(pointer, index, I16).raw, typ=self._vector(I16), align=2)
        raw = b.shl(b.zext(raw, self._vector(I32)), self._every(16, I32))
        return Value(b, b.bitcast(raw, self._vector(F32)))

    def store(
        self, value: Value, pointer: Value, index: "Value | int" = 0, *, half: bool = False
    ) -> None:
        """The opposite; to bfloat16 it rounds to the nearest, and to even between two."""
        b = self.b
        if not half:
            b.store(value.raw, self.at(pointer, index).raw, align=4)
            return
        raw = b.bitcast(value.raw, self._vector(I32))
        odd = b.and_(b.lshr(raw, self._every(16, I32)), self._every(1, I32))
        raw = b.add(b.add(raw, odd), self._every(0x7FFF, I32))
        raw = b.trunc(b.lshr(raw, self._every(16, I32)), self._vector(I16))
        b.store(raw, self.at(pointer, index, I16).raw, align=2)

    def load_same(self, pointer: Value, index: int) -> Value:
        """A vector that has one number many times."""
        number = self.b.load(self.at(pointer, index).raw, typ=F32)
        nothing, first = ir.Constant(self._vector(F32), ir.Undefined), self._every(0, I32)
        one = self.b.insert_element(nothing, number, I32(0))
        return Value(self.b, self.b.shuffle_vector(one, nothing, first))

    def load_truths(self, pointer: Value, index: Value) -> tuple[Value, Value]:
        """Two vectors of truths from one word of 32 bits."""
        b, word = self.b, self.b.load(self.at(pointer, index).raw, typ=I32)
        halves = (b.trunc(x, ir.IntType(self.lanes)) for x in (word, b.lshr(word, I32(16))))
        low, high = (Value(b, b.bitcast(x, self._vector(BIT))) for x in halves)
        return low, high

    def store_truths(self, low: Value, high: Value, pointer: Value, index: Value) -> None:
        """The opposite."""
        b = self.b
        low, high = (b.zext(b.bitcast(x.raw, ir.IntType(self.lanes)), I32) for x in (low, high))
        b.store(b.or_(low, b.shl(high, I32(16))), self.at(pointer, index).raw)

    def clear(self, pointer: Value, count: Value) -> None:
        """Zeros in place of so many words of 32 bits."""
        kind = ir.FunctionType(ir.VoidType(), [POINTER, ir.IntType(8), I64, BIT])
        clear = self._intrinsic("llvm.memset.p0.i64", kind)
        self.b.call(clear, [pointer.raw, ir.IntType(8)(0), (count * 4).raw, BIT(0)])

    def copy(self, target: Value, source: Value, count: Value) -> None:
        """So many words of 32 bits."""
        kind = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, I64, BIT])
        copy = self._intrinsic("llvm.memcpy.p0.p0.i64", kind)
        self.b.call(copy, [target.raw, source.raw, (count * 4).raw, BIT(0)])

    def _intrinsic(self, name: str, kind: ir.FunctionType) -> ir.Function:
        return self._module.globals.get(name) or ir.Function(self._module, kind, name)

    def compiled(self) -> Callable[..., None]:
        """Takes addresses and numbers; other threads of Python run meanwhile."""
        self.b.ret_void()
        ir.IRBuilder(self._variables).branch(self._begin)
        module = binding.parse_assembly(str(self._module))
        options = binding.create_pipeline_tuning_options(speed_level=2)
        options.loop_unrolling = False
        target = machine()
        passes = binding.create_pass_builder(target, options)
        passes.getModulePassManager().run(module, passes)
        engine = binding.create_mcjit_compiler(module, target)
        engine.finalize_object()
        run = ctypes.CFUNCTYPE(None, *self._types)(engine.get_function_address("run"))
        run.engine = engine  # the code lives as long as that
        return run
