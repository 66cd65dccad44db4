"""Find files that cannot be decoded, before training rather than in the middle of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from osprey.data.stamps import file_stamps
from osprey.errors import UnreadableImage
from osprey.imaging import read_image
from osprey.system.files import write_json
from osprey.system.memory import cores

_VERSION = "2"  # raise it when the decoder's idea of readable changes


def fingerprint(root: Path, paths: Sequence[str]) -> str:
    """A digest of files that changes when one of them does.

    Args:
        root: Folder the paths are relative to.
        paths: The files; they are not opened.

    Returns:
        SHA-256 (hex) over each file's name, size and modification time.
    """
    return hashlib.sha256(file_stamps(root, paths).tobytes()).hexdigest()


def find_unreadable(root: Path, paths: Sequence[str], cache: Path) -> dict[str, str]:
    """Decode every file once, with one thread per core.

    The result is stored under ``cache`` until a file's name, size or time changes.

    Args:
        root: Folder the paths are relative to.
        paths: The files.
        cache: Folder of stored results.

    Returns:
        ``{path: reason}`` of the files that cannot be decoded.
    """
    key = f"{_VERSION}\n{root.resolve()}\n{fingerprint(root, paths)}"
    remembered = cache / "checked" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    try:
        return dict(json.loads(remembered.read_text()))
    except (OSError, ValueError):
        pass
    # The decoders release the interpreter's lock, so threads use every core.
    with ThreadPoolExecutor(cores()) as pool:
        reasons = pool.map(lambda path: _reason(root / path), paths, chunksize=16)
        bad = {path: reason for path, reason in zip(paths, reasons, strict=True) if reason}
    _remember(remembered, bad)
    return bad


def _reason(path: Path) -> str | None:
    try:
        read_image(path, min_side=64)  # an eighth of the pixels, yet all of the file
    except UnreadableImage as error:
        return str(error)
    return None


def _remember(file: Path, bad: dict[str, str]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, bad)
    except OSError:
        pass  # a read-only cache costs a second look next time, nothing else
