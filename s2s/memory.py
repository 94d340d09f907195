"""How the process holds its memory, and how much there is."""

import ctypes
import os

__all__ = ["keep_freed_memory", "machine_memory"]

# From glibc's malloc.h: parameters of mallopt.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
# What libraries read when they first need it: torch puts blocks of 2 MB and more on huge pages, and oneDNN keeps the
# code of so many products, each of which is written for one shape (1,024 take 300 MB of a training run).
SETTINGS = {"THP_MEM_ALLOC_ENABLE": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32"}


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, where it is glibc, and libraries waste less; what a user has set stays.

    By default blocks go back to the system when they are freed, and come again as pages that have to be cleared one by
    one: a fifth of the time of a training step, whose blocks are the same each time. The largest go back all the same,
    as they would leave holes.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    mallopt(M_MMAP_THRESHOLD, 32 << 20)
    mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
    mallopt(M_TOP_PAD, 1 << 26)


def machine_memory() -> int | None:
    """Bytes of memory that the machine has; None where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # another system
        return None
