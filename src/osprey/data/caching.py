"""Caches photos in memory or on disk: reuses earlier caches, and checks for space first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from osprey.data.cache import PhotoCache, Source, fill, memory_file
from osprey.data.disk_cache import DiskCache, usable_folder
from osprey.errors import DataError
from osprey.system.memory import free_disk, free_memory

_SAMPLE = 64  # photos decoded to learn how large all of them will be
_MOST = 0.8  # of the free space; the rest is left to training and to other programs
_LEAST = 256 << 20  # bytes that must stay free while building


def cache_photos(
    sources: Sequence[Source],
    kind: str,
    root: Path,
    folder: Path,
    say: Callable[[str], None],
    read: Sequence[Path] = (),
) -> list[PhotoCache]:
    """Decode the photos of every source once, or reuse those an earlier run kept on disk.

    Args:
        sources: What to cache.
        kind: ``ram`` or ``disk``.
        root: Folder of the photos; nothing is written there.
        folder: ``paths.cache``.
        say: Takes lines for the user.
        read: Where nothing is written, if that is not all of ``root``.

    Returns:
        One cache per source.

    Raises:
        DataError: There is not enough memory or disk space, or nothing can be written.
        UnreadableImage: A file cannot be decoded.
    """
    read = read or [root]
    places = [DiskCache(usable_folder(folder, read), root, s) for s in sources if kind == "disk"]
    found = [place.open() for place in places] or [""] * len(sources)
    missing = [s for s, cache in zip(sources, found, strict=True) if isinstance(cache, str)]
    for why in dict.fromkeys(x for x in found if isinstance(x, str) and x):
        say(f"cache   built anew: {why}")
    room = partial(free_disk, places[0].folder) if places else free_memory
    started = time.monotonic()
    _check_room(missing, kind, room)
    check = partial(_check_left, kind, room)
    caches = []
    for number, (source, cache) in enumerate(zip(sources, found, strict=True)):
        if not isinstance(cache, str):
            caches.append(cache)
        elif places:
            caches.append(places[number].build(check))
        else:
            caches.append(_in_memory(source, check))
    where = f"in '{places[0].folder}'" if places else "in memory"
    done = f"decoded in {time.monotonic() - started:.1f} s" if missing else "decoded earlier"
    size = _in_words(sum(cache.size for cache in caches))
    say(f"cache   {sum(map(len, caches))} photos {done}, {size} {where}")
    return caches


def _in_memory(source: Source, check: Callable[[], None]) -> PhotoCache:
    try:
        return fill(source, memory_file(), check)
    except OSError as error:
        raise DataError(f"data.cache=ram: {error.strerror}; use data.cache=disk or none") from None


def _check_room(sources: Sequence[Source], kind: str, room: Callable[[], int | None]) -> None:
    count = sum(source.count for source in sources)
    free = room()
    if free is None or not count:
        return
    needed = sum(_estimate(source) for source in sources)
    if needed > _MOST * free:
        raise DataError(
            f"data.cache={kind}: {count} photos need about {_in_words(needed)} and "
            f"{_in_words(free)} are free: {_way_out(kind)}"
        )


def _check_left(kind: str, room: Callable[[], int | None]) -> None:
    free = room()
    if free is not None and free < _LEAST:
        raise DataError(
            f"data.cache={kind}: only {_in_words(free)} were left while the photos were decoded: "
            f"{_way_out(kind)}"
        )


def _way_out(kind: str) -> str:
    other = "data.cache=disk or none" if kind == "ram" else "data.cache=none, another paths.cache"
    return f"use {other}, or a smaller data.size"


def _estimate(source: Source) -> int:
    """Bytes all photos will take, from a sample: its mean and twice that mean's error."""
    count = min(_SAMPLE, source.count)
    rows = np.random.default_rng(0).choice(source.count, count, replace=False)
    sizes = np.array([source.read(int(row)).nbytes for row in rows])
    margin = 0.0 if count == source.count else 2 * sizes.std() / np.sqrt(count)
    return int(source.count * (sizes.mean() + margin))


def _in_words(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
