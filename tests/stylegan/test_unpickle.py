"""Pickles that want to run something, to fill the memory or never to end: nothing is executed, and
each ends with a sentence. What has no bound would keep these tests from ending."""

import io
import os
import pickle
import pickletools
import re
import struct

import pytest
import torch

from stylegan import unpickle
from stylegan.machine import Stored
from stylegan.unpickle import read_pickle, tensors_of

CODES = {opcode.name: opcode.code.encode("latin1") for opcode in pickletools.opcodes}


def text(words: str) -> bytes:
    return CODES["BINUNICODE"] + struct.pack("<I", len(words)) + words.encode()


def data(content: bytes) -> bytes:
    return CODES["BINBYTES"] + struct.pack("<I", len(content)) + content


def integer(value: int) -> bytes:
    return CODES["BININT"] + struct.pack("<i", value)


def called(name: str, *arguments: bytes, by: str = "REDUCE") -> bytes:
    module, _, name = name.rpartition(".")
    found = CODES["GLOBAL"] + f"{module}\n{name}\n".encode()
    return found + CODES["MARK"] + b"".join(arguments) + CODES["TUPLE"] + CODES[by]


def put(place: int) -> bytes:
    return CODES["LONG_BINPUT"] + struct.pack("<I", place)


def get(place: int) -> bytes:
    return CODES["LONG_BINGET"] + struct.pack("<I", place)


def codes(names: str) -> bytes:
    return b"".join(CODES[name] for name in names.split())


def whole(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + CODES["STOP"]


def saved(numbers: torch.Tensor) -> bytes:
    """As tensors of the official files have their numbers."""
    file = io.BytesIO()
    torch.save(numbers.storage(), file, _use_new_zipfile_serialization=False)
    return file.getvalue()


NUMBERS = called("torch.storage._load_from_bytes", data(saved(torch.arange(6.0))))
PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"


def view(offset: int, sides: bytes, strides: bytes) -> bytes:
    places = integer(offset), sides, strides, CODES["NEWFALSE"]
    return called(
        "torch._utils._rebuild_tensor_v2", NUMBERS, *places, called("collections.OrderedDict")
    )


def numbers(*values: int) -> bytes:
    return CODES["MARK"] + b"".join(map(integer, values)) + CODES["TUPLE"]


@pytest.fixture
def read(tmp_path):
    def read(content: bytes) -> object:
        (tmp_path / "it.pkl").write_bytes(content)
        return read_pickle(tmp_path / "it.pkl")

    return read


@pytest.fixture
def sprung(tmp_path, monkeypatch):
    """The command of every trap makes this file."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "sprung"


RUN = text("touch sprung")
CODE = text("open('sprung', 'w')")
OS = called("builtins.__import__", text("os"))
CALLS = {
    "os.system": called("os.system", RUN),
    "posix.system": called("posix.system", RUN),
    "os.popen": called("os.popen", RUN),
    "subprocess.Popen": called("subprocess.Popen", RUN),
    "builtins.eval": called("builtins.eval", CODE),
    "builtins.exec": called("builtins.exec", CODE),
    "__builtin__.eval": called("__builtin__.eval", CODE),
    "builtins.open": called("builtins.open", text("sprung"), text("w")),
    "builtins.compile": called("builtins.compile", CODE, text(""), text("exec")),
    "builtins.getattr": called("builtins.getattr", OS, text("system")),
    "builtins.__import__": OS,
    "builtins.map": called("builtins.map", CODES["NONE"]),
    "operator.attrgetter": called("operator.attrgetter", text("system")),
    "operator.methodcaller": called("operator.methodcaller", text("system"), RUN),
    "functools.partial": called("functools.partial", CODES["NONE"], RUN),
    "importlib.import_module": called("importlib.import_module", text("antigravity")),
    "runpy.run_path": called("runpy.run_path", text("it.pkl")),
    "pickle.loads": called("pickle.loads", data(whole(called("os.system", RUN)))),
    "marshal.loads": called("marshal.loads", data(b"c")),
    "shutil.rmtree": called("shutil.rmtree", text("/nowhere")),
    "copyreg._reconstructor": called("copyreg._reconstructor", CODES["NONE"]),
    "copyreg.__newobj__": called("copyreg.__newobj__", CODES["NONE"]),
    "copyreg.add_extension": called(
        "copyreg.add_extension", text("os"), text("system"), integer(1)
    ),
    "copy_reg._reconstructor": called("copy_reg._reconstructor", CODES["NONE"]),
    "torch.load": called("torch.load", text("it.pkl")),
    "torch.hub.load": called("torch.hub.load", text("a/b"), text("c")),
    "torch.jit.load": called("torch.jit.load", text("it.pkl")),
    "torch.serialization.load": called("torch.serialization.load", text("it.pkl")),
    "torch._utils._import_dotted_name": called(
        "torch._utils._import_dotted_name", text("os.system")
    ),
    "torch._utils._rebuild_wrapper_subclass": called(
        "torch._utils._rebuild_wrapper_subclass", CODES["NONE"]
    ),
    "torch._tensor._rebuild_from_type_v2": called(
        "torch._tensor._rebuild_from_type_v2", CODES["NONE"], CODES["NONE"], CODES["NONE"]
    ),
    "torch.storage._load_from_bytes.__globals__": called(
        "torch.storage._load_from_bytes.__globals__"
    ),
    "torch.nn.modules.linear.Linear": called("torch.nn.modules.linear.Linear", by="NEWOBJ"),
    "numpy.load": called("numpy.load", text("it.pkl")),
    "numpy.core.multiarray.fromfile": called("numpy.core.multiarray.fromfile", text("it.pkl")),
    "numpy.testing._private.utils.runstring": called(
        "numpy.testing._private.utils.runstring", CODE, CODES["EMPTY_DICT"]
    ),
    "dnnlib.util.construct_class_by_name": called(
        "dnnlib.util.construct_class_by_name", text("os.system"), RUN
    ),
    "torch_utils.persistence._src_to_module": called(
        "torch_utils.persistence._src_to_module", CODE
    ),
    "collections.OrderedDict.__init__.__globals__": called(
        "collections.OrderedDict.__init__.__globals__"
    ),
}


def hidden(trap: bytes) -> dict[str, bytes]:
    """The same trap in all the places of a checkpoint."""
    meta = codes("EMPTY_DICT MARK") + text("class_name") + text("G") + text("state")
    inner = codes("EMPTY_DICT") + text("_modules") + trap + codes("SETITEM")
    magic = pickle.dumps(unpickle.MAGIC, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)
    parts = whole(trap), pickle.dumps(unpickle.MAGIC, 2) + whole(trap)
    parts += magic + whole(trap), magic + whole(trap, codes("BINPERSID"))
    storages = (called("torch.storage._load_from_bytes", data(part)) for part in parts)
    places = {
        "alone": trap,
        "a value": codes("EMPTY_DICT") + text("G_ema") + trap + codes("SETITEM"),
        "a key": codes("EMPTY_DICT") + trap + text("G_ema") + codes("SETITEM"),
        "an argument": called("collections.OrderedDict", trap),
        "a state": called(PERSISTENT, meta + inner + codes("SETITEMS")),
        "fields": called("dnnlib.util.EasyDict", by="NEWOBJ") + trap + codes("BUILD"),
        "thrown away": trap + codes("POP NONE"),
    }
    return places | {f"storage {i}": part for i, part in enumerate(storages)}


@pytest.mark.parametrize("name", CALLS)
def test_what_a_file_asks_for_is_refused_by_name_wherever_it_hides(name, read, sprung):
    for place, content in hidden(CALLS[name]).items():
        with pytest.raises(ValueError, match=f"it asks for {re.escape(name)}, which is not") as e:
            read(whole(content))
        assert str(e.value).count("\n") == 0, place
    assert not sprung.exists()


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_python_itself_are_refused_in_every_protocol(protocol, read, sprung):
    class Trap:
        def __reduce__(self):
            return os.system, ("touch sprung",)

    with pytest.raises(ValueError, match="it asks for (posix|nt).system, which is not"):
        read(pickle.dumps({"G_ema": [Trap()]}, protocol))
    assert not sprung.exists()


def test_the_source_that_a_file_brings_along_is_not_run(official, tmp_path, sprung):
    official.source = "open('sprung', 'w')"
    file = official.write(tmp_path / "it.pkl", {"G_ema": official.network({}, {})})
    content = read_pickle(file)
    assert content["G_ema"].class_name == "Generator" and not sprung.exists()


NONE, PAIR = CODES["NONE"], codes("NONE NONE TUPLE2")
ODD = {
    "INST": (codes("MARK") + b"ios\nsystem\n", "it uses the command INST"),
    "OBJ": (codes("MARK NONE OBJ"), "it uses the command OBJ"),
    "EXT1": (CODES["EXT1"] + b"\x01", "it uses the command EXT1"),
    "NEXT_BUFFER": (codes("NEXT_BUFFER"), "it uses the command NEXT_BUFFER"),
    "NEWOBJ_EX": (codes("NONE EMPTY_TUPLE EMPTY_DICT NEWOBJ_EX"), "it uses the command NEWOBJ_EX"),
    "call a word": (text("os.system") + codes("EMPTY_TUPLE REDUCE"), "it calls str, which is noth"),
    "call a type": (called("numpy.ndarray"), "it calls numpy.ndarray, which is nothing to call"),
    "no list": (CODES["GLOBAL"] + b"torch\nSize\n" + codes("NONE REDUCE"), "without a list of arg"),
    "no text": (codes("NONE NONE STACK_GLOBAL"), "it names a class by something else"),
    "class of a class": (
        called("dnnlib.util.EasyDict") + text("__class__") + codes("BUILD"),
        "it gives fields to a dict",
    ),
    "set up a function": (
        CODES["GLOBAL"] + b"torch\nSize\n" + codes("EMPTY_DICT BUILD"),
        "it gives fields to a Global",
    ),
    "other memory": (text("1") + codes("BINPERSID"), "it points to objects outside of itself"),
    "older other memory": (CODES["PERSID"] + b"1\n", "it points to objects outside of itself"),
    "nothing there": (codes("REDUCE"), "its commands do not fit together"),
    "no mark": (codes("APPENDS"), "its commands do not fit together"),
    "no memory": (get(3), "its commands do not fit together"),
    "append to a tuple": (codes("EMPTY_TUPLE NONE APPEND"), "it appends to what is no list"),
    "set in a list": (codes("EMPTY_LIST NONE NONE SETITEM"), "it sets items of what is no dict"),
    "add to a list": (codes("EMPTY_LIST MARK NONE ADDITEMS"), "it adds to what is no set"),
    "odd items": (codes("EMPTY_DICT MARK NONE SETITEMS"), "its commands do not fit together"),
    "unknown command": (b"\xff", "is not read"),
    "no storage": (called("torch.storage._load_from_bytes", text("x")), "of another kind"),
    "zip storage": (called("torch.storage._load_from_bytes", data(b"PK\3\4")), "in the numbers of"),
    "short storage": (
        called("torch.storage._load_from_bytes", data(saved(torch.ones(3))[:-1])),
        "it holds fewer numbers of a tensor than it says",
    ),
    "tensor of words": (
        called("torch._utils._rebuild_tensor_v2", text("x"), NONE, NONE, NONE),
        "it gives torch._utils._rebuild_tensor_v2 arguments of another kind",
    ),
    "too few": (called("torch._utils._rebuild_tensor_v2"), "arguments of another kind"),
    "beyond the end": (view(5, numbers(2), numbers(1)), "more numbers than there are"),
    "before the start": (view(-1, numbers(2), numbers(1)), "arguments of another kind"),
    "backwards": (view(5, numbers(2), numbers(-1)), "arguments of another kind"),
    "one for all": (view(0, numbers(2**30, 2**30), numbers(0, 0)), "more numbers than there are"),
    "wide nothing": (
        view(
            0,
            CODES["MARK"] + integer(0) + CODES["LONG1"] + b"\x0f" + b"\x7f" * 15 + CODES["TUPLE"],
            numbers(1, 1),
        ),
        "arguments of another kind",
    ),
    "uneven": (view(0, numbers(2, 3), numbers(1)), "arguments of another kind"),
    "parameter of words": (called("torch._utils._rebuild_parameter", RUN), "of another kind"),
    "words as bytes": (called("_codecs.encode", RUN, text("utf-8")), "of another kind"),
    "bytes of a number": (called("builtins.bytes", integer(2**30)), "of another kind"),
    "no persistent object": (called(PERSISTENT, NONE), "of another kind"),
    "nameless": (called(PERSISTENT, codes("EMPTY_DICT")), "of another kind"),
    "scalar of words": (called("numpy.core.multiarray.scalar", RUN, RUN), "of another kind"),
    "objects in an array": (
        called(
            "numpy.core.multiarray.scalar", called("numpy.dtype", text("O8")), data(b"12345678")
        ),
        "of another kind",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_what_does_not_fit_is_a_sentence(name, read):
    content, sentence = ODD[name]
    with pytest.raises(ValueError, match=sentence):
        read(whole(content))


def twice_as_deep(levels: int, pair: str) -> bytes:
    level = get(0) + get(0) + codes(pair) + put(0) + codes("POP")
    return NONE + put(0) + codes("POP") + level * levels + get(0)


MEGABYTE = data(bytes(2**20))
MANY = 20_000
BOMBS = {
    "bytes that are not there": (CODES["BINBYTES8"] + b"\xff" * 7 + b"\x0f", "is not read"),
    "an array of them": (CODES["BYTEARRAY8"] + b"\xff" * 7 + b"\x0f", "is not read"),
    "text that is not there": (CODES["BINUNICODE8"] + b"\xff" * 7 + b"\x0f", "is not read"),
    "a frame that is not there": (
        CODES["FRAME"] + b"\xff" * 7 + b"\x0f" + NONE,
        "networks by name",
    ),
    "a far place of the memory": (NONE + put(2**32 - 1), "networks by name"),
    "a long number": (
        CODES["LONG4"] + struct.pack("<i", 2**20) + bytes(2**20 - 1) + b"\1",
        "a whole number that is too long",
    ),
    "many digits": (CODES["LONG"] + b"1" * 10**6 + b"L\n", "is not read"),
    "steps": (codes("NONE POP") * 600_000, "more than 1000000 steps"),
    "steps of the numbers of a tensor": (
        called("torch.storage._load_from_bytes", data(codes("NONE POP") * 600_000)),
        "more than 1000000 steps",
    ),
    "text made bytes again and again": (
        text("x" * 2**20)
        + put(0)
        + b"".join(called("_codecs.encode", get(0), text("latin1")) for _ in range(MANY)),
        "far more memory",
    ),
    "numbers read again and again": (
        data(saved(torch.zeros(2**18)))
        + put(0)
        + called("torch.storage._load_from_bytes", get(0)) * MANY,
        "far more memory",
    ),
    "a state set again and again": (
        codes("EMPTY_DICT MARK")
        + b"".join(integer(i) + NONE for i in range(MANY))
        + codes("SETITEMS")
        + put(0)
        + called("numpy.dtype", text("f4"))
        + (get(0) + codes("BUILD")) * MANY,
        "far more memory",
    ),
    "a dict made again and again": (
        codes("EMPTY_LIST MARK")
        + (NONE + NONE + codes("TUPLE2")) * MANY
        + codes("APPENDS")
        + put(0)
        + called("collections.OrderedDict", get(0)) * MANY,
        "far more memory",
    ),
    "a key that is looked at for ever": (
        codes("EMPTY_DICT") + twice_as_deep(200, "TUPLE2") + NONE + codes("SETITEM"),
        "it uses a tuple as a key",
    ),
    "keys that all collide": (
        codes("EMPTY_DICT MARK")
        + b"".join(
            CODES["LONG1"] + b"\x10" + ((2**61 - 1) * i).to_bytes(16, "little") + NONE
            for i in range(1, MANY)
        )
        + codes("SETITEMS"),
        "it uses a int as a key",
    ),
    "a set that is looked at for ever": (
        codes("EMPTY_SET MARK") + twice_as_deep(200, "TUPLE2") + codes("ADDITEMS"),
        "it uses a tuple as a key",
    ),
    "two names of a storage that are compared for ever": (
        called(
            "torch.storage._load_from_bytes",
            data(
                pickle.dumps(unpickle.MAGIC, 2)
                + pickle.dumps(1001, 2)
                + pickle.dumps({}, 2)
                + whole(
                    codes("MARK")
                    + text("storage")
                    + CODES["GLOBAL"]
                    + b"torch\nByteStorage\n"
                    + twice_as_deep(200, "TUPLE2")
                    + text("cpu")
                    + integer(0)
                    + codes("TUPLE BINPERSID")
                )
                + whole(codes("EMPTY_LIST"), twice_as_deep(200, "TUPLE2"), codes("APPEND"))
                + bytes(8)
            ),
        ),
        "in a format that is not read here",
    ),
    "depth": (codes("EMPTY_LIST") * 400_000 + codes("APPEND") * 399_999, "networks by name"),
    "a list of itself": (codes("EMPTY_LIST DUP APPEND"), "networks by name"),
    "a call on what is shared for ever": (
        called("torch.Size", twice_as_deep(200, "TUPLE2")),
        "networks by name",
    ),
    "a name without end": (CODES["GLOBAL"] + b"os\n" + b"x" * 10**6 + b"\n", "it asks for os.xxx"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_end_with_a_sentence(name, tmp_path):
    """As the command says it, for those that are harmless and no checkpoint."""
    from stylegan.convert import convert

    content, sentence = BOMBS[name]
    (tmp_path / "it.pkl").write_bytes(whole(content))
    with pytest.raises(ValueError, match=sentence) as e:
        convert(tmp_path / "it.pkl", tmp_path / "out")
    assert len(str(e.value)) < 700 and not (tmp_path / "out").exists()


def test_modules_within_themselves_and_shared_ones_end():
    """The second has as many names as a network of 2 to the 25th parts."""
    cycle = Stored("G")
    cycle.state["_modules"] = {"again": cycle}
    with pytest.raises(ValueError, match="is no part of a network"):
        tensors_of(cycle)
    shared = Stored("G")
    for _ in range(25):
        shared = Stored("G", {"_modules": {"a": shared, "b": shared}})
    with pytest.raises(ValueError, match="more than 10000 tensors and parts"):
        tensors_of(shared)


@pytest.mark.parametrize(
    "state",
    [
        {"_parameters": []},
        {"_parameters": {0: torch.ones(1)}},
        {"_parameters": {"x" * 10**6: torch.ones(1)}},
        {"_parameters": {"x": "x"}},
        {"_modules": {"x": {}}},
    ],
)
def test_what_is_no_network_is_a_sentence(state):
    with pytest.raises(
        ValueError, match="other keys than names|no tensor|no part of a network"
    ) as e:
        tensors_of(Stored("G", state))
    assert len(str(e.value)) < 100


@pytest.mark.parametrize("protocol", range(2, 6))
def test_tensors_of_every_type_and_layout_are_read(protocol, read):
    expected = [torch.randn(3, 4).to(dtype) for dtype in unpickle.STORAGES.values()]
    expected += [torch.randn(3, 4).T, torch.randn(4)[2:], torch.ones(()), torch.empty(0, 3)]
    expected += [torch.randn(5)[2], torch.randn(2, 1, 3)[:, :, ::2]]
    parameters = [torch.nn.Parameter(x) for x in expected if x.is_floating_point()]
    found = read(pickle.dumps(expected + parameters, protocol))
    for actual, wanted in zip(found, expected + parameters, strict=True):
        assert actual.dtype == wanted.dtype and torch.equal(actual, wanted)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_plain_values_and_numbers_of_numpy_are_read(protocol, read):
    import numpy as np

    plain = {
        "a": [1, -2.5, None, True, "ü", b"\xff", (), (1, 2, 3, 4)],
        "b": {"c": {1, 2}},
        3: 2**70,
    }
    scalars = [np.float64(2.5), np.int64(-3), np.float32(0.5), np.bool_(True), np.uint8(200)]
    found = read(pickle.dumps([plain, scalars, b""], protocol))
    assert found == [plain, [2.5, -3, 0.5, True, 200], b""]
    array = read(pickle.dumps(np.arange(3), protocol))
    assert isinstance(array, Stored) and array.class_name == "numpy.ndarray"


def test_a_file_too_large_is_not_opened(tmp_path):
    with (tmp_path / "it.pkl").open("wb") as file:
        file.truncate(2**31 + 1)  # takes no room on the disk
    with pytest.raises(ValueError, match="has 2147483649 bytes; checkpoints of faces have at most"):
        read_pickle(tmp_path / "it.pkl")
