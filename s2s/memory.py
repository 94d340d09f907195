"""How the process holds its memory."""

import ctypes
import os

__all__ = ["keep_freed_memory"]

# From glibc's malloc.h: parameters of mallopt, and the greatest value of the third.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
LARGEST_MMAP_THRESHOLD = 1 << 25


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, where it is glibc.

    By default blocks above some size go back to the system when they are freed, and come again as pages that have to
    be cleared one by one: a tenth of the time of a training step, whose blocks are the same each time.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
    mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
    mallopt(M_TOP_PAD, 1 << 26)
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
