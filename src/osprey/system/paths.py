"""Paths as they are typed."""

from __future__ import annotations

import os
from pathlib import Path

from osprey.errors import UserError, nearest


def home_path(typed: str | Path) -> Path:
    """A path with ``~`` in front as the home folder; one of nobody's, such as ``~x``, as it is.

    `Path.expanduser` raises RuntimeError there.
    """
    return Path(os.path.expanduser(typed))


def existing_photo(name: str) -> Path:
    """The photo of ``--image``.

    Raises:
        UserError: There is no such file, or it is a folder.
    """
    if not name:
        raise UserError("--image: it is empty")
    path = Path(name)
    if path.is_dir():
        raise UserError(f"--image: '{name}' is a folder; use --folder")
    if path.exists() and not path.is_file():
        raise UserError(f"--image: '{name}' is no regular file: name a photo")
    if not path.is_file():
        raise UserError(f"--image: there is no file '{name}'{nearest_beside(path)}")
    return path


def nearest_beside(path: Path) -> str:
    """``"; did you mean 'FOLDER/x'?"`` for what lies where ``path`` should and is called alike."""
    beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    return nearest(path.name, beside, path.with_name)
