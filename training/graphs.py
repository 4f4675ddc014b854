"""A training step recorded as a CUDA graph: its kernels are launched at once, without Python.

A graph does again exactly what it was recorded doing, on the same memory. So whatever a step is
given is copied to where its recording reads it, and steps of another kind (with R1, without a
blur, ...) get a recording of their own. Networks, optimizers and averages change in place, as they
do without a graph; random numbers are among what a step is given.

Reference: the PyTorch manual, "CUDA semantics", Graph memory management.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from training.draws import Share
from training.run import Recipe
from training.steps import Stats

WARM_UP = 2  # steps of a kind that run as usual first: kernels are chosen, Adam gets its state

Work = Callable[[], Stats]


def map_tensors(change: Callable[[Tensor], Any], value: Any) -> Any:
    """`value` with every tensor in its lists and dataclasses changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, list):
        return [map_tensors(change, x) for x in value]
    if dataclasses.is_dataclass(value):
        names = [f.name for f in dataclasses.fields(value)]
        parts = {name: map_tensors(change, getattr(value, name)) for name in names}
        return dataclasses.replace(value, **parts)
    return value


def tensors_of(value: Any) -> list[Tensor]:
    """All of them, in a fixed order."""
    found = []
    map_tensors(found.append, value)
    return found


def kind_of(value: Any) -> str:
    """Equal for values that differ in nothing but the numbers in their tensors."""
    return repr(map_tensors(lambda x: (*x.shape, x.dtype), value))


class Recorder(Protocol):
    """What runs work before it is recorded, and what records it."""

    def run(self, work: Work) -> Stats: ...

    def record(self, work: Work) -> tuple[Callable[[], object], Stats]: ...


class CudaRecorder:
    """Records CUDA graphs, which share the memory for what lives only within a replay."""

    def __init__(self):
        self.stream, self.pool = torch.cuda.Stream(), torch.cuda.graph_pool_handle()

    def run(self, work: Work) -> Stats:
        """Do the work now, on the stream that recordings use."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            stats = work()
        torch.cuda.current_stream().wait_stream(self.stream)
        return stats

    def record(self, work: Work) -> tuple[Callable[[], object], Stats]:
        """What does the work, which is not done yet, and where its results will lie."""
        graph = torch.cuda.CUDAGraph()
        # thread_local: other threads, such as those that load pictures, may do as they like
        mode = dict(capture_error_mode="thread_local")
        with torch.cuda.graph(graph, pool=self.pool, stream=self.stream, **mode):
            stats = work()
        return graph.replay, stats


class Graphed:
    """Takes steps as `step` does, each kind of step from a recording once it was warmed up.

    `step` must follow from its arguments, wait for no result and keep nothing in Python that
    changes from one step to the next.
    """

    def __init__(
        self, step: Callable[[list[Share], Recipe], Stats], recorder: Recorder | None = None
    ):
        self.step, self.recorder = step, recorder or CudaRecorder()
        self.taken = Counter()  # steps of each kind before its recording
        self.recordings = {}  # by kind: tensors to fill, what takes the step, its results

    def __call__(self, shares: list[Share], recipe: Recipe) -> Stats:
        given = [shares, recipe]
        kind = kind_of(given)
        if kind not in self.recordings:
            if self.taken[kind] < WARM_UP:
                self.taken[kind] += 1
                return self.recorder.run(lambda: self.step(*given))
            own = map_tensors(torch.clone, given)
            recording = self.recorder.record(lambda: self.step(*own))
            self.recordings[kind] = (tensors_of(own), *recording)
        targets, replay, stats = self.recordings[kind]
        for target, source in zip(targets, tensors_of(given), strict=True):
            target.copy_(source)
        replay()
        return {name: x.clone() for name, x in stats.items()}  # the next replay writes over it
