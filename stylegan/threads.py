"""Work for as many threads as PyTorch uses, of programs that let Python go on meanwhile."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch


@cache
def _others(_process: int, count: int) -> ThreadPoolExecutor:
    """Threads beside the caller's; a process that was forked has its own."""
    return ThreadPoolExecutor(count)


def share(work: Callable[[int, int], object], jobs: int) -> None:
    """Do `work(first, last)`, jobs first ... last - 1, for parts that make up all jobs."""
    count = max(1, min(torch.get_num_threads(), jobs))
    parts = [(jobs * i // count, jobs * (i + 1) // count) for i in range(count)]
    others = [_others(os.getpid(), count - 1).submit(work, *part) for part in parts[1:]]
    work(*parts[0])
    for other in others:
        other.result()
