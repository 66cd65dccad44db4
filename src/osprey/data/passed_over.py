"""What was met in a folder and not used, counted and named."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from osprey.system.console import counted

# Photos that no decoder here reads. Left out in silence they would pass for photos of nothing.
_OTHER_PHOTOS = {
    *(".jxl", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2"),
    *(".raf", ".psd", ".gif", ".svg"),
}


@dataclass
class PassedOver:
    """What a walk met and did not use, each as a path.

    Attributes:
        photos: Photos of a form that cannot be read, such as JPEG XL.
        others: Files that are no photos.
        drawn: Photos with boxes that Osprey drew beside them.
        closed: Folders that cannot be opened, with the reason.
    """

    photos: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    drawn: list[str] = field(default_factory=list)
    closed: list[tuple[str, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.photos or self.others or self.closed)  # of what somebody else put there

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
            forms = sorted({os.path.splitext(photo)[1][1:].upper() for photo in self.photos})
            lines.append(
                f"left out, {' and '.join(forms)} cannot be read: {count} such as "
                f"'{printable(self.photos[0])}'; save them as JPEG"
            )
        if self.drawn:
            count = counted(len(self.drawn), "photo")
            lines.append(f"left out, drawn by Osprey: {count} such as '{printable(self.drawn[0])}'")
        if self.others:
            count = counted(len(self.others), "file")
            lines.append(f"left out, not photos: {count} such as '{printable(self.others[0])}'")
        return lines


def printable(path: str | Path) -> str:
    """A path as text, whatever bytes it has."""
    return os.fsencode(path).decode("utf-8", "replace")
