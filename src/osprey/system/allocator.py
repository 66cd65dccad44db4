"""The C library's memory allocator, set for networks on a CPU."""

from __future__ import annotations

import ctypes
import os
from functools import cache

# Parameters of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_LARGEST = 1 << 30  # bytes; more than any one layer's output


@cache
def keep_freed_memory() -> bool:
    """Let this process keep memory that is freed, for the next batch.

    By default glibc takes every block above 32 MB from the system and gives it back when it is
    freed. A layer's output is such a block: the system clears its pages anew in each step, which
    costs from a quarter to two thirds of the time. Peak memory stays about what it was.

    Returns:
        Whether it was set: not by another C library, nor over settings of the user's own.
    """
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # Windows, macOS, musl
        return False
    # Releases before 2.35 or so take no threshold above 32 MB; there no block at all is mapped.
    large = mallopt(_MMAP_THRESHOLD, _LARGEST) or mallopt(_MMAP_MAX, 0)
    return bool(large and mallopt(_TRIM_THRESHOLD, 2**31 - 1))
