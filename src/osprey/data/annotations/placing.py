"""Folders that hold annotations and photos side by side, as VOC and YOLO want them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from osprey.errors import DataError


def place_photo(photo: Path, target: Path) -> None:
    """Let a photo stand at ``target`` too: as a link, or a copy where links cannot be made.

    Raises:
        DataError: There is no such photo.
    """
    if not photo.is_file():
        raise DataError(f"there is no photo '{photo}': name the folder of photos with --images")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.symlink_to(photo.resolve())
    except OSError:
        shutil.copy2(photo, target)


def check_stems(files: Iterable[str]) -> None:
    """Refuse photos that would share one annotation file.

    Raises:
        DataError: Two differ in nothing but their ending.
    """
    seen: dict[PurePosixPath, str] = {}
    for file in files:
        stem = PurePosixPath(file).with_suffix("")
        if stem in seen:
            raise DataError(f"'{seen[stem]}' and '{file}' would share one annotation file")
        seen[stem] = file
