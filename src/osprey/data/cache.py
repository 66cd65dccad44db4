"""Decoded photos in one buffer that all processes of a run share: ``data.cache=ram|disk``."""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from osprey.system.memory import cores

Check = Callable[[], None]


@dataclass(frozen=True)
class Source:
    """Photos to be cached.

    Attributes:
        name: Distinguishes the caches of one data set, such as ``train``.
        count: Number of photos.
        read: From a row to pixels, uint8 [H, W, 3]; called from many threads.
        stamps: uint64 [count], one per file: they change when the files do.
        recipe: What determines the pixels besides the files' content: which files, how prepared.
    """

    name: str
    count: int
    read: Callable[[int], NDArray[np.uint8]]
    stamps: NDArray[np.uint64]
    recipe: str


class PhotoCache:
    """Photos concatenated in a memory-mapped file.

    Pickled as the file's name and two small arrays; each process maps the file when it first reads
    a photo. The file is kept open, so deleting or replacing it does no harm.

    Args:
        file: The pixels, uint8, open for reading.
        offsets: int64 [N + 1], byte offset of each photo and the end of the last one.
        shapes: int32 [N, 2], each photo's height and width.
    """

    def __init__(
        self, file: IO[bytes], offsets: NDArray[np.int64], shapes: NDArray[np.int32]
    ) -> None:
        self._file: IO[bytes] | None = file
        # The system's own name for an open file serves for files without one, and for deleted ones.
        handle = f"/proc/{os.getpid()}/fd/{file.fileno()}"
        self._path = handle if os.path.exists(handle) else str(file.name)
        self.offsets = offsets
        self.shapes = shapes
        self._pixels: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.shapes)

    @property
    def size(self) -> int:
        """Size of all photos in bytes."""
        return int(self.offsets[-1])

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        """One photo, uint8 [H, W, 3], read-only: a view of what other processes see too."""
        if self._pixels is None:
            self._pixels = self._map()
        height, width = self.shapes[row]
        start, end = self.offsets[row], self.offsets[row + 1]
        return self._pixels[start:end].reshape(height, width, 3)

    def _map(self) -> NDArray[np.uint8]:
        with contextlib.ExitStack() as stack:
            file = self._file or stack.enter_context(open(self._path, "rb"))
            return np.frombuffer(
                mmap.mmap(file.fileno(), self.size, access=mmap.ACCESS_READ), dtype=np.uint8
            )

    def __getstate__(self) -> dict[str, Any]:
        """Name and arrays only: the receiving process maps the file itself."""
        return {**self.__dict__, "_file": None, "_pixels": None}


def fill(source: Source, file: IO[bytes], check: Check) -> PhotoCache:
    """Decode every photo into ``file``, in order, with one thread per core.

    Args:
        source: The photos.
        file: Empty, open for writing and reading.
        check: Called between groups of photos; raises where memory or disk runs low.

    Returns:
        The cache on ``file``.

    Raises:
        UnreadableImage: A file cannot be decoded.
        OSError: ``file`` cannot be written.
    """
    shapes = np.empty((source.count, 2), dtype=np.int32)
    at_once = 16 * cores()  # decoded photos that may wait to be written
    # The decoders release the interpreter's lock, so threads use every core.
    with ThreadPoolExecutor(cores()) as pool:
        for first in range(0, source.count, at_once):
            check()
            rows = range(first, min(first + at_once, source.count))
            for row, photo in zip(rows, pool.map(source.read, rows), strict=True):
                shapes[row] = photo.shape[:2]
                file.write(np.ascontiguousarray(photo).data)
    file.flush()
    offsets = np.zeros(source.count + 1, dtype=np.int64)
    np.cumsum(3 * shapes.prod(axis=1, dtype=np.int64), out=offsets[1:])
    return PhotoCache(file, offsets, shapes)


def memory_file() -> IO[bytes]:
    """An anonymous file in memory (``memfd_create``); a temporary file where there is none.

    Not POSIX shared memory: containers often have 64 MB of that.
    """
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("osprey-photos"), "w+b")
    descriptor, name = tempfile.mkstemp(prefix="osprey-photos-")
    file = open(name, "w+b")  # noqa: SIM115  # as long as the cache lives
    os.close(descriptor)
    weakref.finalize(file, _remove, Path(name))
    return file


def _remove(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink()
