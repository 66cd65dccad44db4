"""Paths as they are typed."""

from __future__ import annotations

import os
from pathlib import Path


def home_path(typed: str | Path) -> Path:
    """A path with ``~`` in front as the home folder; one of nobody's, such as ``~x``, as it is.

    `Path.expanduser` raises RuntimeError there.
    """
    return Path(os.path.expanduser(typed))
