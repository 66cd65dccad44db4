"""Folders that hold annotations and photos side by side, as VOC and YOLO want them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from osprey.errors import DataError


def place_photo(photo: Path, target: Path) -> None:
    """Link a photo to ``target``, or copy it where links cannot be created.

    Args:
        photo: The photo.
        target: Where to; its folder is created.

    Raises:
        DataError: There is no such photo, or ``target`` exists: writing there could go through a
            link to another photo.
    """
    if not photo.is_file():
        raise DataError(
            f"there is no photo {str(photo)!r}: name the folder of photos with --images"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        raise DataError(f"'{target}' is there already")
    try:
        target.symlink_to(photo.resolve())
    except FileExistsError:
        raise DataError(f"'{target}' is there already") from None
    except OSError:  # no links on this file system
        shutil.copy2(photo, target)


def check_places(places: Iterable[tuple[str, Sequence[PurePosixPath]]]) -> None:
    """Check that no two photos need the same place, before anything is written.

    Args:
        places: Each photo's name and all paths to be written for it.

    Raises:
        DataError: Two photos need the same file, or one's file is another's folder.
    """
    taken: dict[PurePosixPath, str] = {}
    for file, targets in places:
        for target in targets:
            if target in taken:
                raise DataError(
                    f"'{taken[target]}' and '{file}' would both be written to '{target}': "
                    "rename one of them"
                )
            taken[target] = file
    for target, file in taken.items():
        for above in target.parents:
            if above in taken:
                raise DataError(
                    f"'{taken[above]}' would be written to '{above}', which is a folder for "
                    f"'{file}': rename one of them"
                )


def check_stems(files: Iterable[str]) -> None:
    """Check that no two photos share one annotation file.

    Args:
        files: POSIX names of the photos.

    Raises:
        DataError: Two differ in nothing but their suffix.
    """
    seen: dict[PurePosixPath, str] = {}
    for file in files:
        stem = PurePosixPath(file).with_suffix("")
        if stem in seen:
            raise DataError(f"'{seen[stem]}' and '{file}' would share one annotation file")
        seen[stem] = file


def below(photo: str | Path, root: Path) -> str:
    """A photo's path relative to a folder; links are not resolved.

    Args:
        photo: The photo.
        root: The folder.

    Returns:
        POSIX path.

    Raises:
        DataError: It is not under ``root``.
    """
    absolute, top = os.path.abspath(photo), os.path.abspath(root)
    if not absolute.startswith(top.rstrip(os.sep) + os.sep):
        raise DataError(
            f"'{photo}' does not lie under '{root}': set data.root (osprey convert: --images) to a "
            "folder above"
        )
    return Path(absolute).relative_to(top).as_posix()


def boxes_of(photo: str) -> Path:
    """Path of a photo's YOLO text file: ``labels`` for the last ``images`` in it, else beside it.

    Args:
        photo: Its path; the first part is never replaced.
    """
    parts = list(Path(photo).parts)
    for place in range(len(parts) - 2, 0, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts).with_suffix(".txt")
