"""Folders of photos, as users have them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from osprey.errors import DataError, nearest
from osprey.imaging import IMAGE_SUFFIXES


def existing_folder(root: str, setting: str = "data.root") -> Path:
    """``root`` as a path, or one line with the nearest folder that exists."""
    path = Path(root).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise DataError(f"{setting}: '{root}' is a file, not a folder")
    parent = path.parent
    beside = [p.name for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
    where = "" if parent.is_dir() else f" (nor is there a folder '{parent}')"
    raise DataError(f"{setting}: there is no folder '{root}'{where}{nearest(path.name, beside)}")


def walk_photos(root: Path, skipped: list[str] | None = None) -> Iterator[Path]:
    """Yield photos under ``root`` in a fixed order, links followed but never in a circle.

    Files of other kinds are collected in ``skipped``; hidden files and folders are passed over.
    """
    # A link back to where the walk came from would bring in one split's photos by another's name.
    seen = {str(parent) for parent in Path(os.path.realpath(root)).parents}
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__MACOSX", "@ea")))
        for name in sorted(f for f in files if not f.startswith(".")):
            if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES:
                yield Path(folder, name)
            elif skipped is not None:
                skipped.append(os.path.join(folder, name))
