"""Folders of photos, as users have them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.data.passed_over import PassedOver, printable
from osprey.errors import DataError, UserError, nearest
from osprey.imaging import IMAGE_SUFFIXES
from osprey.system.own_files import foreign_among
from osprey.system.paths import home_path

if TYPE_CHECKING:
    from osprey.data.manifest import Manifest


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
    path = home_path(root)
    if setting == "data.root" and not _is_text(path.absolute()):
        # Manifests, configurations and reports are text.
        raise DataError(f"{setting}: '{printable(root)}' is not UTF-8: rename the folder")
    if path.is_dir():
        return path
    if path.exists():
        if kind := _packed(path):
            raise DataError(
                f"{setting}: '{root}' is packed ({kind}): unpack it and name the folder"
            )
        raise DataError(f"{setting}: '{root}' is a file, not a folder")
    parent = path.parent
    beside = [p.name for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
    where = "" if parent.is_dir() else f" (nor is there a folder '{parent}')"
    raise DataError(f"{setting}: there is no folder '{root}'{where}{nearest(path.name, beside)}")


_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


def _packed(file: Path) -> str:
    """The kind of archive that a file is; "" where it is none."""
    from osprey.data.text_encoding import packed_as

    try:
        with file.open("rb") as content:
            kind = packed_as(content.read(8))
    except OSError:
        return ""
    return kind or (file.suffix[1:] if is_archive(file) else "")


def is_archive(file: Path) -> bool:
    """Whether a file is called like an archive."""
    return file.suffix.lower() in _ARCHIVES


def walk_photos(root: Path, passed: PassedOver | None = None) -> Iterator[Path]:
    """Yield photos under ``root`` in a fixed order, links followed but never in a circle.

    Args:
        root: The folder.
        passed: Takes what is met and not used; hidden files and folders are nobody's concern.
    """
    return (root / name for name in photo_names(root, passed))


def photo_names(root: Path, passed: PassedOver | None = None) -> Iterator[str]:
    """The photos of `walk_photos` by their POSIX paths relative to ``root``; much faster.

    Args:
        root: The folder.
        passed: As for `walk_photos`.
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
        folders[:] = sorted(f for f in folders if not is_hidden_folder(f))
        drawn = [Path(folder, name) for name in files if name.endswith(DRAWN)]
        ours = {path.name for path in set(drawn) - set(foreign_among(drawn))}
        below = "" if folder == str(root) else f"{Path(folder).relative_to(root).as_posix()}/"
        for name in sorted(f for f in files if not _is_hidden(f)):
            if name in ours:
                passed.drawn.append(os.path.join(folder, name))
            elif is_photo_name(name):
                yield below + name
            else:
                passed.add(os.path.join(folder, name))


_ENDINGS = tuple(IMAGE_SUFFIXES)


def is_photo_name(name: str) -> bool:
    """Whether a file that is not hidden is called like a photo."""
    return name.lower().endswith(_ENDINGS)


def is_hidden_folder(name: str) -> bool:
    """Whether a folder is of the system, or hidden: nobody's photos are in it."""
    return name.startswith((".", "__MACOSX", "@ea"))


_OF_TOP, _OF_ONE_BELOW = 20_000, 2_000  # entries of a folder that a look goes through


def some_files(root: Path, ending: str | tuple[str, ...]) -> Iterator[Path]:
    """Files with an ending under ``root``, in no order: enough to know what the folder holds.

    Of each folder the first 2,000 entries are looked at (of the top one 20,000), so that a million
    photos take no time.

    Args:
        root: The folder.
        ending: Such as ``.xml``, or several.
    """
    seen: set[str] = set()
    waiting = [str(root)]
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(folder) as entries:
                for entry in islice(entries, _OF_TOP if folder == str(root) else _OF_ONE_BELOW):
                    if entry.name.lower().endswith(ending) and not entry.name.startswith("."):
                        yield Path(entry.path)
                    elif entry.is_dir():
                        waiting += [] if is_hidden_folder(entry.name) else [entry.path]
        except OSError:
            continue


def _is_text(path: Path) -> bool:
    return not any("\udc80" <= letter <= "\udcff" for letter in str(path))


# Hidden where they come from.
_OF_THE_SYSTEM = ("thumbs.db", "desktop.ini")


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _OF_THE_SYSTEM


DRAWN = "_boxes.jpg"  # the end of a picture's name that is drawn beside its photo
_LOOKED_FOR = 200  # photos of a run, spread over its table: a folder that moved shows at once


def check_photos(manifest: Manifest) -> None:
    """Refuse a run whose photos are no longer where they were.

    Args:
        manifest: The run's.

    Raises:
        DataError: The folder or some of the photos are gone.
    """
    paths = manifest.table["path"].iloc[:: max(1, len(manifest.table) // _LOOKED_FOR)]
    gone = next((path for path in paths if not (manifest.root / path).is_file()), None)
    if gone is not None:
        raise DataError(
            f"the run's photos are not in '{manifest.root}' any more (no '{gone}'): name the "
            "folder they are in with data.root=FOLDER"
        )


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
    path = home_path(name)
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
            same = written == folder.resolve()
            where = "is the folder of the photos" if same else f"lies in '{folder}'"
            raise UserError(
                f"{option}: '{target}' {where}, which is only read; name another folder"
            )
