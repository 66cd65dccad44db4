"""Read every file once before training: which cannot be decoded, and what their bytes are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.data.stamps import file_stamps
from osprey.data.value_range import Deep, SetLevels, photo_levels
from osprey.errors import UnreadableImage
from osprey.imaging import decode
from osprey.imaging.decode import read_file
from osprey.imaging.deep import Range
from osprey.imaging.formats import FORMATS, reads_heic
from osprey.system.files import atomic_path
from osprey.system.memory import cores

_VERSION = "5"  # raise it when the decoder's idea of readable changes, or the file's form
_PIECE = 64  # files a thread takes at once


@dataclass(frozen=True)
class Checked:
    """What one look at N files found.

    Attributes:
        unreadable: ``{path: reason}`` of those that cannot be decoded.
        digests: SHA-256 of each file's bytes, uint8 [N, 32]: 32 MB for a million. Zeros where the
            file is unreadable.
        levels: Of those with more than 8 bits a sample.
    """

    unreadable: dict[str, str]
    digests: NDArray[np.uint8]
    levels: SetLevels = field(default_factory=SetLevels)


def fingerprint(root: Path, paths: Sequence[str]) -> str:
    """A digest of files that changes when one of them does.

    Args:
        root: Folder the paths are relative to.
        paths: The files; they are not opened.

    Returns:
        SHA-256 (hex) over each file's name, size and modification time.
    """
    return hashlib.sha256(file_stamps(root, paths).tobytes()).hexdigest()


def check_files(
    root: Path, paths: Sequence[str], cache: Path, value_range: Range | None = None
) -> Checked:
    """Decode every file once, and take the digest of its bytes while they are at hand.

    The result is stored under ``cache`` until a file's name, size or time changes.

    Args:
        root: Folder the paths are relative to.
        paths: The files.
        cache: Folder of stored results.
        value_range: Of samples of more than 8 bits, see `decode`; without it floats are unreadable.

    Returns:
        Those that cannot be decoded, and every file's digest.
    """
    means = f"{value_range is not None} {reads_heic()} {len(FORMATS)}"
    key = f"{_VERSION} {means}\n{root.resolve()}\n{fingerprint(root, paths)}"
    remembered = cache / "checked" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
    found = _recall(remembered, len(paths))
    if found is not None:
        return found
    digests = np.zeros((len(paths), 32), dtype=np.uint8)
    starts = range(0, len(paths), _PIECE)
    # Decoders and digests release the interpreter's lock, so threads use every core.
    with ThreadPoolExecutor(cores()) as pool:
        pieces = list(
            pool.map(lambda start: _check_piece(root, paths, start, digests, value_range), starts)
        )
    bad = {path: reason for piece, _ in pieces for path, reason in piece.items()}
    levels = SetLevels().join(found for _, found in pieces)
    _remember(remembered, checked := Checked(bad, digests, levels))
    return checked


def _check_piece(
    root: Path,
    paths: Sequence[str],
    start: int,
    digests: NDArray[np.uint8],
    value_range: Range | None,
) -> tuple[dict[str, str], SetLevels]:
    """Look at a few files from ``start`` on; fills in their digests, and names the unreadable."""
    bad, levels = {}, SetLevels()
    for row, path in enumerate(paths[start : start + _PIECE], start):
        try:
            data = read_file(root / path)
            if (deep := photo_levels(data)) is not None:
                levels.add(deep, path)
            digests[row] = np.frombuffer(_look_at(data, root / path, value_range), dtype=np.uint8)
        except UnreadableImage as error:
            bad[path] = str(error)
    return bad, levels


def _look_at(data: bytes, path: Path, value_range: Range | None) -> bytes:
    """The digest of a file that can be decoded."""
    # An eighth of the pixels, yet all of the file.
    decode(data, min_side=64, name=str(path), value_range=value_range)
    return hashlib.sha256(data).digest()


def _recall(file: Path, count: int) -> Checked | None:
    try:
        with np.load(file, allow_pickle=False) as kept:
            digests, bad = kept["digests"], json.loads(kept["unreadable"].tobytes())
            levels = _levels(json.loads(kept["levels"].tobytes()))
    except Exception:  # not there, or damaged in one of the dozen ways that zip and NumPy know
        return None
    fits = digests.shape == (count, 32) and digests.dtype == np.uint8 and isinstance(bad, dict)
    return Checked(bad, digests, levels) if fits else None


def _levels(kept: dict[str, Any]) -> SetLevels:
    return SetLevels(Deep(**kept["whole"]), Deep(**kept["unknown"]))


def _remember(file: Path, checked: Checked) -> None:
    bad, levels = (_as_bytes(part) for part in (checked.unreadable, asdict(checked.levels)))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as partial, partial.open("wb") as target:
            np.savez(target, digests=checked.digests, unreadable=bad, levels=levels)
    except OSError:
        pass  # a read-only cache costs a second look next time, nothing else


def _as_bytes(content: dict[str, Any]) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(content).encode(), dtype=np.uint8)
