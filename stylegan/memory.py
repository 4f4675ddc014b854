"""Memory: kept by the process between steps, and used a part at a time."""

import ctypes
import sys
from collections.abc import Callable

import torch
from torch import Tensor

MMAP_THRESHOLD, TRIM_THRESHOLD, ARENA_MAX = -3, -1, -8  # names of glibc's malloc.h
ARENAS = 2  # each keeps what was freed in it, and by default there are eight for each core


def glibc() -> ctypes.CDLL | None:
    """The C library, if it is that one."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "gnu_get_libc_version") else None


def keep_freed_memory() -> None:
    """Let freed memory stay with the process, so that the next large tensor needs no new pages.

    By default glibc returns every large block to the system at once; the pages of the next one
    then have to be cleared again, which on a CPU costs more than the filters that fill them. For
    programs to call once, early; does nothing where the C library is not glibc.
    """
    if libc := glibc():
        libc.mallopt(MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(TRIM_THRESHOLD, (1 << 31) - 1)
        libc.mallopt(ARENA_MAX, ARENAS)


def give_back_memory() -> None:
    """Return to the system what is free just now, after work that needed much more than usual."""
    if libc := glibc():
        libc.malloc_trim(0)


def in_parts(f: Callable[[Tensor], Tensor], x: Tensor, size: int, dim: int = 0) -> Tensor:
    """f(x), of at most `size` slices along `dim` at once, so that what f makes stays in the cache.

    A single part is not copied.
    """
    parts = [f(part) for part in x.split(size, dim)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim)
