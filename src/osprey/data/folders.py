"""Folders of photos, as users have them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from osprey.errors import DataError, UserError, nearest
from osprey.imaging import IMAGE_SUFFIXES


def existing_folder(root: str, setting: str = "data.root") -> Path:
    """Check that a folder exists.

    Args:
        root: Path, ``~`` allowed.
        setting: Name of the setting in errors.

    Returns:
        The path, expanded.

    Raises:
        DataError: There is none; the line names the nearest folder that exists.
    """
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
    """Yield photos under ``root`` in a fixed order; symbolic links are followed, cycles are not.

    Hidden files and folders are skipped.

    Args:
        root: The folder.
        skipped: Paths of other files are appended here, if given.

    Yields:
        Paths with a suffix of `IMAGE_SUFFIXES`.
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


def folder_to_write(name: str, option: str) -> Path:
    """Check that a folder can be written to, or created.

    Args:
        name: Path, ``~`` allowed.
        option: Name of the option in errors.

    Returns:
        The path, expanded; nothing is created.

    Raises:
        UserError: It is a file, or permissions are missing.
    """
    path = Path(name).expanduser()
    if path.exists() and not path.is_dir():
        raise UserError(f"{option}: '{name}' is a file; name a folder")
    there = next(p for p in (path, *path.absolute().parents) if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{option}: cannot write to '{name}'")
    return path


def outside(targets: Iterable[Path], folder: Path, photos: Sequence[Path], option: str) -> None:
    """Check that nothing is written among the photos of ``folder``, symbolic links resolved.

    Args:
        targets: Folders to write to.
        folder: The folder of the photos.
        photos: All of them.
        option: Name of the option in errors.

    Raises:
        UserError: A target is that folder, lies in it, or is where a linked photo lies.
    """
    parents = {photo.parent for photo in photos}
    walked = {above for parent in parents for above in (parent, *parent.parents)}
    read = {above.resolve() for above in walked if above.is_relative_to(folder)}
    linked = {photo.resolve().parent for photo in photos if photo.is_symlink()}
    for target in targets:
        written = target.resolve()
        if written in linked or not read.isdisjoint((written, *written.parents)):
            raise UserError(
                f"{option}: '{target}' lies in '{folder}', which is only read; name another folder"
            )
