"""Names of photos as other machines wrote them, and the files on this one that they mean."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from osprey.data.folders import is_photo_name, photo_names
from osprey.data.notices import Guess
from osprey.data.split_names import SPLIT_NAMES
from osprey.system.console import counted

_DRIVE = re.compile(r"^([A-Za-z]:)?/+")
_MANY = 3  # files of one end that are remembered: more than a file and its copy


class PhotoPaths:
    """Finds the file under a folder that a name means.

    A name that is a file there is taken as it is. Any other, with backslashes, from the root of
    another machine's disk or with letters composed differently, is the file that shares the
    longest end with it (whole parts of the path), if that is one file alone; capitals count
    unless nothing fits. A folder that is there, and the name of a split, say where the photo is:
    they are not passed over.

    Args:
        root: Folder of the photos.
        photos: Their POSIX paths below it; read from the disk if not given.
    """

    def __init__(self, root: Path, photos: Iterable[str] | None = None) -> None:
        self.root = root
        self._top = f"{root}/"
        self.guessed: dict[str, str] = {}  # each name that had to be looked for, and its file
        self.photos = None if photos is None else frozenset(photos)
        self._ends: dict[tuple[bool, bool], dict[str, tuple[str, ...]]] = {}
        self._folders: dict[str, bool] = {}
        self._drops: dict[tuple[tuple[str, ...], int, str], bool] = {}
        self._tops = {photo.partition("/")[0] for photo in self.photos or () if "/" in photo}

    def find(self, name: str) -> str | None:
        """The file that a name means.

        Args:
            name: As an annotation gives it.

        Returns:
            Its POSIX path under the root; None if there is none, or more than one equally near.
        """
        found = self.choices(name)
        if len(found) != 1:
            return None
        return self.taken(name, found[0])

    def taken(self, name: str, found: str) -> str:
        """Take a name for a file, and note it where that is more than another spelling."""
        if found != as_posix(name):
            self.guessed[name] = found
        return found

    def choices(self, name: str, *, bare: bool = False) -> list[str]:
        """The files that a name may mean.

        Args:
            name: A path or a file's name.
            bare: The name may lack the file's suffix.

        Returns:
            One where it is clear; several where it is not; none.
        """
        if "\0" in name:
            return []
        # Mostly a name as it is on this disk: looked at as such before anything costs time.
        # One without "./" and "//", so that a file has one name.
        if "\\" not in name and name[:1] != "/" and name[1:2] != ":":
            own = self._without_detour(as_posix(name))
            if self._is_photo(own):
                return [own]
        plain = _DRIVE.sub("", name.replace("\\", "/"))
        if name[1:2] == ":" and plain == name and self._is_photo(name):
            return [name]
        below = self._below_root(name)
        if below is not None:
            return [below]
        bare = bare and not is_photo_name(plain)
        return self._by_end(plain, bare) or self._by_end(plain, bare, folded=True)

    def notice(self) -> list[str]:
        """A line that says how many names were matched otherwise than as they stand."""
        if not self.guessed:
            return []
        name, file = next(iter(self.guessed.items()))
        count = counted(len(self.guessed), "photo")
        line = f"found by the end of their path: {count} such as '{name}', taken for '{file}'"
        return [Guess(line)]

    def _is_photo(self, name: str) -> bool:
        if self.photos is not None:
            return name in self.photos
        return os.path.isfile(f"{self._top}{name}")

    def _without_detour(self, name: str) -> str:
        """A path that leads out of the root and in again, as ``../images/a.jpg`` of ``images``."""
        if ".." not in name.split("/"):
            return name
        inside = os.path.relpath(f"{self._top}{name}", self.root)
        return name if inside.startswith("..") else PurePosixPath(inside).as_posix()

    def _below_root(self, name: str) -> str | None:
        """A path that leads to the root itself, written from the top of this disk."""
        if not name.startswith("/"):
            return None
        for top in (os.path.abspath(self.root), os.path.realpath(self.root)):
            inside = name.removeprefix(top.rstrip("/") + "/")
            if inside != name and ".." not in inside.split("/") and os.path.isfile(name):
                return inside
        return None

    def _by_end(self, plain: str, bare: bool, *, folded: bool = False) -> list[str]:
        ends = self._files_by_end(bare, folded)
        parts = [part for part in _composed(plain).split("/") if part not in ("", ".", "..")]
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            end = end.casefold() if folded else end
            found = ends.get(end) or ends.get(unquote(end), ())
            if found:
                return [file for file in found if self._may_drop(parts, start, file)]
        return []

    def _may_drop(self, parts: Sequence[str], start: int, file: str) -> bool:
        """Whether what the first parts of a name say of the photo's place is true of a file."""
        place = tuple(parts[:-1]), start, file.rpartition("/")[0]
        if place not in self._drops:
            self._drops[place] = self._drops_truly(parts, start, file)
        return self._drops[place]

    def _drops_truly(self, parts: Sequence[str], start: int, file: str) -> bool:
        own = _composed(file).split("/")[:-1]
        if any(self._is_folder(part) for part in set(parts[:start]) - set(own)):
            return False
        said, is_in = _split(parts[:-1]), _split([self.root.name, *own])
        return not said or not is_in or said == is_in

    def _is_folder(self, part: str) -> bool:
        if part not in self._folders:
            there = part in self._tops or os.path.isdir(self.root / part)
            self._folders[part] = there
        return self._folders[part]

    def _files_by_end(self, bare: bool, folded: bool) -> dict[str, tuple[str, ...]]:
        """Files by every end of their paths, with or without suffix, capitals folded or not."""
        if (bare, folded) not in self._ends:
            names = ((os.path.splitext(file)[0] if bare else file, file) for file in self._walk())
            self._ends[bare, folded] = _by_ends(
                (name.casefold() if folded else name, file) for name, file in names
            )
        return self._ends[bare, folded]

    def _walk(self) -> Iterable[str]:
        if self.photos is not None:
            return sorted(self.photos)
        return photo_names(self.root)


def plain_path(name: str) -> str:
    """A path as it is compared: with slashes, letters composed, without ``./``.

    Args:
        name: As an annotation gives it.
    """
    return PurePosixPath(_composed(name.replace("\\", "/"))).as_posix()


def as_posix(name: str) -> str:
    """A path without doubled slashes and ``./``; most have none."""
    if "//" in name or "./" in name or name.endswith(("/", "/.")) or name in ("", "."):
        return PurePosixPath(name).as_posix()
    return name


def _by_ends(files: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Files by every end of their paths.

    Args:
        files: Path as it is looked up, and the file.
    """
    ends: dict[str, tuple[str, ...]] = {}
    for path, file in files:
        parts = _composed(path).split("/")
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            known = ends.get(end, ())
            if len(known) < _MANY:
                ends[end] = (*known, file)
    return ends


def _split(folders: Sequence[str]) -> str | None:
    """The split that a path's innermost folder of a split's name says."""
    named = [SPLIT_NAMES[part.lower()] for part in folders if part.lower() in SPLIT_NAMES]
    return named[-1] if named else None


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
