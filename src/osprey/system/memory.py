"""What the machine has: memory and disk left, and cores, as far as the system tells."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import math
import os
import shutil
import sys
from collections.abc import Iterator
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
    left = [
        _left_in(folder, *(_VERSION_1 if version == 1 else _VERSION_2))
        for version, folder in _control_groups("memory")
    ]
    return min((x for x in left if x is not None), default=None)


def _control_groups(controller: str) -> Iterator[tuple[int, Path]]:
    """Version, 1 or 2, and folder of each control group that may limit this process."""
    try:
        lines = _MEMBERSHIP.read_text().splitlines()
    except OSError:
        return
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controller in controllers.split(","):
            version, base = 1, _CGROUP / controller
        elif not controllers:
            version, base = 2, _CGROUP
        else:
            continue
        # A limit may stand at any level; inside a container the path is often the host's.
        own = base / path.lstrip("/")
        yield from ((version, p) for p in (own, *own.parents) if p.is_relative_to(base))


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
    """Processor cores this process may use: more threads than a container's share only wait."""
    affine = hasattr(os, "sched_getaffinity")
    allowed = len(os.sched_getaffinity(0)) if affine else os.cpu_count() or 1
    shares = [_share_in(folder, version) for version, folder in _control_groups("cpu")]
    return min([allowed, *(math.ceil(share) for share in shares if share)])


def _share_in(folder: Path, version: int) -> float | None:
    """The processors that one group may use, or None where it has no limit."""
    try:
        if version == 2:
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{x}_us").read_text() for x in ("quota", "period"))
        share = int(quota) / int(period)  # "max", no number, or -1 where there is no limit
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return share if share > 0 else None


def auto_workers() -> int:
    """Loader processes to start: one core is left to the trainer, and more than 8 seldom help."""
    return max(0, min(8, cores() - 1))


def give_back() -> None:
    """Hand freed memory back to the system, where the C library can be asked to (glibc).

    It keeps what lies below anything still in use: 130 MB after reading a million rows.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Keep Python's search for circles away while millions of objects without any are made.

    It would look through all of them again and again.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
