"""Tunes memory: the C library keeps freed pictures, and the collector skips imported objects."""

import ctypes
import gc

__all__ = ["MMAP_THRESHOLD_BYTES", "TRIM_THRESHOLD_BYTES", "keep_freed_memory", "settle"]

# By default glibc returns a freed picture to the kernel and allocates the next one again: 1,400
# page faults per picture at 720p, which can cost more than encoding it.
MMAP_THRESHOLD_BYTES = 32 << 20
TRIM_THRESHOLD_BYTES = 256 << 20

# By default each native thread keeps its own freed pictures. With two shared arenas, memory use
# stays flat, however many cameras come and go.
ARENAS = 2

# malloc.h
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8


def keep_freed_memory() -> None:
    """Make the C library keep freed memory for the next picture; do nothing without glibc.

    Call it before any native thread runs. Child processes get the same settings from ``MALLOC_*``
    in their environment, mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
        mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)
        mallopt(M_ARENA_MAX, ARENAS)


def settle() -> None:
    """Release the memory that only the start needed, and turn the garbage collector on.

    The collector skips all objects that exist now, such as imported modules. Memory is only
    released with glibc.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    gc.freeze()
    gc.enable()
