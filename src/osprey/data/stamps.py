"""Whether files have changed since they were last read: a stamp of each, without opening any."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def file_stamps(root: Path, paths: Iterable[str]) -> NDArray[np.uint64]:
    """One 64-bit hash per file of its name, size and modification time; no file is opened.

    Args:
        root: Folder the paths are relative to.
        paths: Of N files, which need not exist.

    Returns:
        uint64 [N].
    """
    return np.fromiter((_stamp(root, path) for path in paths), dtype=np.uint64)


def list_digest(paths: Iterable[str]) -> str:
    """A digest of a list of paths, whatever the files contain.

    Args:
        paths: The paths, in order.

    Returns:
        SHA-256 (hex).
    """
    names = "\0".join(paths)
    return hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()


def _stamp(root: Path, path: str) -> int:
    try:
        stat = os.stat(os.path.join(root, path))
        facts = f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}"
    except OSError:
        facts = f"{path}\0missing"
    digest = hashlib.blake2b(facts.encode("utf-8", "surrogateescape"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")
