"""How the process keeps memory between steps."""

import ctypes
import sys

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # names of glibc's malloc.h


def keep_freed_memory() -> None:
    """Let freed memory stay with the process, so that the next large tensor needs no new pages.

    By default glibc returns every large block to the system at once; the pages of the next one
    then have to be cleared again, which on a CPU costs more than the filters that fill them. For
    programs to call once, early; does nothing where the C library is not glibc.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "gnu_get_libc_version"):
            libc.mallopt(MMAP_THRESHOLD, 1 << 30)
            libc.mallopt(TRIM_THRESHOLD, (1 << 31) - 1)
