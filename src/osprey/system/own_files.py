"""Which files Osprey wrote where a user said, known by size and time in a table of its cache."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

_SECONDS = 10  # to wait for another process that writes the table
_TABLE = (
    "CREATE TABLE IF NOT EXISTS written "
    "(path BLOB, size INTEGER, changed INTEGER, PRIMARY KEY (path, size, changed)) WITHOUT ROWID"
)


def cache_folder() -> Path:
    """Osprey's cache: ``OSPREY_CACHE``, or ``.cache/osprey`` in the home folder."""
    named = os.environ.get("OSPREY_CACHE")
    return Path(named) if named else Path(os.environ.get("HOME", "."), ".cache", "osprey")


def remember(target: Path, written: Path) -> None:
    """Remember a file as Osprey's own; without a cache to write to, none is.

    Args:
        target: Where it will be.
        written: Where it lies now, to be renamed: size and time stay.
    """
    key, stamp = _key(target), _stamp(written)
    with suppress(OSError, sqlite3.Error):
        # A kill may come before the file is renamed: what it is to replace stays ours until then.
        there = _stamp(target) if os.path.lexists(target) else stamp
        cache_folder().mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(_database(), timeout=_SECONDS)) as table, table:
            table.execute("PRAGMA synchronous=OFF")  # after a power cut it may know less
            table.execute(_TABLE)
            other = "DELETE FROM written WHERE path = ? AND NOT (size = ? AND changed = ?)"
            table.execute(other, (key, *there))
            table.execute("INSERT OR REPLACE INTO written VALUES (?, ?, ?)", (key, *stamp))


def foreign_among(paths: Sequence[Path]) -> list[Path]:
    """Those of the paths that are not as Osprey wrote them; folders and links always.

    Args:
        paths: Of things that are there.

    Returns:
        The foreign ones, in order.
    """
    known: dict[Path, list[tuple[int, int]]] = {}
    if paths and _database().is_file():
        with suppress(sqlite3.Error), closing(sqlite3.connect(_database())) as table:
            for path in paths:
                query = "SELECT size, changed FROM written WHERE path = ?"
                known[path] = table.execute(query, (_key(path),)).fetchall()
    return [
        path
        for path in paths
        if not stat.S_ISREG(path.lstat().st_mode) or _stamp(path) not in known.get(path, [])
    ]


def _database() -> Path:
    return cache_folder() / "outputs.sqlite"


def _key(path: Path) -> bytes:
    """The path with the links of its folder followed, also where it is no text."""
    return os.fsencode(Path(os.path.realpath(path.parent), path.name))


def _stamp(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds."""
    found = path.lstat()
    return found.st_size, found.st_mtime_ns
