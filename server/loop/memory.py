"""How the C library keeps memory between pictures."""

import ctypes

__all__ = ["MMAP_THRESHOLD_BYTES", "TRIM_THRESHOLD_BYTES", "keep_freed_memory"]

# By default glibc gives a freed picture back to the kernel and takes it anew for the next one:
# 1,400 page faults a picture at 720p, which can cost more than encoding it.
MMAP_THRESHOLD_BYTES = 32 << 20
TRIM_THRESHOLD_BYTES = 256 << 20

# Each native thread would keep pictures of its own. With two pools they share, and memory stays
# flat however many cameras come and go.
ARENAS = 2

# malloc.h
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8


def keep_freed_memory() -> None:
    """Have the C library keep what is freed for the next picture; does nothing without glibc.

    Before any native thread runs. A process that is started can be told by ``MALLOC_*`` in its
    environment, mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
        mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)
        mallopt(M_ARENA_MAX, ARENAS)
