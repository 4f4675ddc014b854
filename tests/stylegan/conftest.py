"""Pickles in the layout of the official checkpoints, whose classes are not here."""

import json
import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors import safe_open

GOLDENS = Path(__file__).parents[1] / "goldens"


def golden(name: str) -> tuple[dict, dict, dict]:
    """Constructor's arguments, weights and the other tensors of a file."""
    with safe_open(GOLDENS / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        args = json.loads(file.metadata()["args"])
    weights = {k[2:]: v for k, v in tensors.items() if k.startswith("w.")}
    return args, weights, {k: v for k, v in tensors.items() if not k.startswith("w.")}


class Official:
    """Writes pickles that name the official classes; `source` is what their modules hold."""

    BUFFERS = "filter", "freqs", "phases", "transform", "w_avg", "magnitude_ema", "noise_const"

    def __init__(self, source: str = ""):
        self.source = source

        class EasyDict(dict):
            __module__ = "dnnlib.util"

        def _reconstruct_persistent_obj(meta):
            raise AssertionError("this is never called")

        EasyDict.__qualname__ = "EasyDict"
        _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
        _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
        self.EasyDict, self.function = EasyDict, _reconstruct_persistent_obj

    def modules(self) -> dict[str, ModuleType]:
        """For sys.modules, while a pickle is written."""
        modules = {}
        for name in ("dnnlib", "dnnlib.util", "torch_utils", "torch_utils.persistence"):
            modules[name] = ModuleType(name)
        modules["dnnlib.util"].EasyDict = self.EasyDict
        modules["torch_utils.persistence"]._reconstruct_persistent_obj = self.function
        return modules

    def stored(self, class_name: str, state: dict) -> object:
        """An object that is pickled as the official ones are."""
        meta = dict(type="class", version=6, module_src=self.source, class_name=class_name)
        meta, function = self.EasyDict(meta | {"state": state}), self.function

        class Persistent:
            def __reduce__(self):
                return function, (meta,)

        return Persistent()

    def network(self, weights: dict, args: dict, class_name: str = "Generator", **more) -> object:
        """A tree of modules with these tensors."""
        parameters, buffers, inner = OrderedDict(), OrderedDict(), {}
        for name, tensor in weights.items():
            first, dot, rest = name.partition(".")
            if dot:
                inner.setdefault(first, {})[rest] = tensor
            elif name.endswith(self.BUFFERS):
                buffers[name] = tensor
            else:
                parameters[name] = torch.nn.Parameter(tensor)
        modules = {name: self.network(w, {}, "Layer") for name, w in inner.items()}
        hooks = {name: OrderedDict() for name in ("_backward_hooks", "_forward_hooks")}
        sizes = dict(in_size=np.broadcast_to(np.asarray(36), [2]), rate=np.float64(16.0))
        state = dict(training=False, _parameters=parameters, _buffers=buffers, **hooks, **sizes)
        state |= dict(_non_persistent_buffers_set=set(), _modules=OrderedDict(modules))
        state |= dict(_init_args=(), _init_kwargs=self.EasyDict(args), bias=None)
        return self.stored(class_name, state | more)

    def write(self, path: Path, content: object, protocol: int = 4) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            for name, module in self.modules().items():
                patch.setitem(sys.modules, name, module)
            path.write_bytes(pickle.dumps(content, protocol=protocol))
        return path


@pytest.fixture
def official() -> Official:
    return Official()


@pytest.fixture
def goldens() -> Callable[[str], tuple[dict, dict, dict]]:
    return golden


@pytest.fixture
def checkpoint(official, tmp_path) -> Callable[..., Path]:
    """A file with the networks of the goldens: `checkpoint("t", protocol=2)`."""

    def make(preset: str = "t", protocol: int = 4, change: Callable = lambda content: None) -> Path:
        args, weights, _ = golden(f"generator_{preset}_64")
        d_args, d_weights, _ = golden("discriminator_64")
        content = {
            "G": official.network({name: x + 1 for name, x in weights.items()}, args),
            "D": official.network(d_weights, d_args, "Discriminator"),
            "G_ema": official.network(weights, args),
            "augment_pipe": official.stored("AugmentPipe", {"p": torch.zeros([])}),
            "training_set_kwargs": official.EasyDict(path="/data/ffhq.zip", use_labels=False),
        }
        change(content)
        return official.write(tmp_path / f"{preset}.pkl", content, protocol)

    return make
