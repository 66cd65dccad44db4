"""What the machine has: memory and disk left, and cores, as far as the system tells."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sys
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_VERSION_2 = ("memory.max", "memory.current", "inactive_file")


def free_disk(folder: Path) -> int:
    """Bytes that may still be written below ``folder``, which exists."""
    return shutil.disk_usage(folder).free


def free_memory() -> int | None:
    """Bytes of memory that may still be taken, by the machine's and by the container's count.

    Returns:
        The smaller of the two, or None where neither is known (such as on Windows).
    """
    known = [x for x in (_of_machine(), _of_container()) if x is not None]
    return min(known) if known else None


def total_memory() -> int | None:
    """Bytes of memory the machine has, or None where that is not known (such as on Windows)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return None


def peak_memory() -> int | None:
    """Most bytes of memory this process ever held, or None where that is not known (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, others KiB


def _of_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def _of_container() -> int | None:
    """What the limits of this process's control groups leave, version 2 or 1."""
    left: list[int] = []
    try:
        lines = _MEMBERSHIP.read_text().splitlines()
    except OSError:
        return None
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if "memory" in controllers.split(","):
            base, files = _CGROUP / "memory", _VERSION_1
        elif not controllers:
            base, files = _CGROUP, _VERSION_2
        else:
            continue
        # A limit may stand at any level; inside a container the path is often the host's.
        own = base / path.lstrip("/")
        folders = [own, *(p for p in own.parents if p.is_relative_to(base))]
        left += [x for folder in folders if (x := _left_in(folder, *files)) is not None]
    return min(left, default=None)


def _left_in(folder: Path, limit: str, usage: str, droppable: str) -> int | None:
    """What one group leaves; files kept in memory that it can drop count as free."""
    try:
        most = int((folder / limit).read_text())  # "max", no number, where there is no limit
        used = int((folder / usage).read_text())
        lines = (folder / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return None
    cached = next((int(x.split()[1]) for x in lines if x.split()[0] == droppable), 0)
    return max(0, most - used + cached)


def cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def auto_workers() -> int:
    """Loader processes to start: one core is left to the trainer, and more than 8 seldom help."""
    return max(0, min(8, cores() - 1))


def give_back() -> None:
    """Hand freed memory back to the system, where the C library can be asked to (glibc).

    It keeps what lies below anything still in use: 130 MB after reading a million rows.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
