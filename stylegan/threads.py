"""Work for as many threads as PyTorch uses, of programs that let Python go on meanwhile."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import torch

_mine = threading.local()


def _others(count: int) -> ThreadPoolExecutor:
    """Threads beside this one, as nice to others as it is; a process that was forked has its own.

    On Linux a thread is as nice as the one that begins it, so no two of them share theirs.
    """
    key = os.getpid(), count
    if getattr(_mine, "key", None) != key:
        _mine.key, _mine.pool = key, ThreadPoolExecutor(count)
    return _mine.pool


def share(work: Callable[[int, int], object], jobs: int) -> None:
    """Do `work(first, last)`, jobs first ... last - 1, for parts that make up all jobs.

    Raises: what the work raises, once all parts have ended.
    """
    count = max(1, min(torch.get_num_threads(), jobs))
    parts = [(jobs * i // count, jobs * (i + 1) // count) for i in range(count)]
    others = [_others(count - 1).submit(work, *part) for part in parts[1:]]
    try:
        work(*parts[0])
    finally:
        wait(others)
    for other in others:
        other.result()
