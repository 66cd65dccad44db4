"""Folders of photos, as users have them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
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
    if setting == "data.root" and not _is_text(path.absolute()):
        # Manifests, configurations and reports are text.
        raise DataError(f"{setting}: '{printable(root)}' is not UTF-8: rename the folder")
    if path.is_dir():
        return path
    if path.exists():
        raise DataError(f"{setting}: '{root}' is a file, not a folder")
    parent = path.parent
    beside = [p.name for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
    where = "" if parent.is_dir() else f" (nor is there a folder '{parent}')"
    raise DataError(f"{setting}: there is no folder '{root}'{where}{nearest(path.name, beside)}")


# Photos that no decoder here reads. Left out in silence they would pass for photos of nothing.
_OTHER_PHOTOS = {
    *(".heic", ".heif", ".avif", ".jxl", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2"),
    *(".raf", ".psd", ".gif", ".svg"),
}
_OF_THE_SYSTEM = ("thumbs.db", "desktop.ini")  # hidden where they come from


@dataclass
class PassedOver:
    """What a walk met and did not use, each as a path.

    Attributes:
        photos: Photos of a form that cannot be read, such as HEIC.
        others: Files that are no photos.
        closed: Folders that cannot be opened, with the reason.
    """

    photos: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    closed: list[tuple[str, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.photos or self.others or self.closed)

    def add(self, path: str) -> None:
        """Take up a file."""
        ending = os.path.splitext(path)[1].lower()
        (self.photos if ending in _OTHER_PHOTOS else self.others).append(path)

    def lines(self) -> list[str]:
        """A line for each kind, with a count and an example."""
        lines = []
        if self.closed:
            path, why = self.closed[0]
            count = counted(len(self.closed), "folder")
            lines.append(f"left out, cannot be opened: {count} such as '{printable(path)}' ({why})")
        if self.photos:
            count = counted(len(self.photos), "photo")
            form = os.path.splitext(self.photos[0])[1][1:].upper()
            lines.append(
                f"left out, {form} cannot be read: {count} such as '{printable(self.photos[0])}'; "
                "save them as JPEG"
            )
        if self.others:
            count = counted(len(self.others), "file")
            lines.append(f"left out, not photos: {count} such as '{printable(self.others[0])}'")
        return lines


def counted(count: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def printable(path: str | Path) -> str:
    """A path as text, whatever bytes it has."""
    return os.fsencode(path).decode("utf-8", "replace")


def walk_photos(root: Path, passed: PassedOver | None = None) -> Iterator[Path]:
    """Yield photos under ``root`` in a fixed order, links followed but never in a circle.

    Args:
        root: The folder.
        passed: Takes what is met and not used; hidden files and folders are nobody's concern.
    """
    passed = PassedOver() if passed is None else passed

    def closed(error: OSError) -> None:
        passed.closed.append((str(error.filename), error.strerror or str(error)))

    # A link back to where the walk came from would bring in one split's photos by another's name.
    seen = {str(parent) for parent in Path(os.path.realpath(root)).parents}
    for folder, folders, files in os.walk(root, onerror=closed, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__MACOSX", "@ea")))
        for name in sorted(f for f in files if not _is_hidden(f)):
            if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES:
                yield Path(folder, name)
            else:
                passed.add(os.path.join(folder, name))


def _is_text(path: Path) -> bool:
    return not any("\udc80" <= letter <= "\udcff" for letter in str(path))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _OF_THE_SYSTEM


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
