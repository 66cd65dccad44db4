"""Photos that a command is given, and where its table goes; no run, so that a bundle can answer."""

from __future__ import annotations

import os
from pathlib import Path

from osprey.data.folders import existing_folder, outside, walk_photos
from osprey.data.passed_over import PassedOver
from osprey.errors import DataError, UserError
from osprey.imaging import IMAGE_SUFFIXES
from osprey.system.console import warn
from osprey.system.outputs import followed, is_stream, refuse_existing
from osprey.system.path_list import Paths
from osprey.system.paths import home_path


class FolderPhotos(Paths):
    """Every photo of a folder, at least one; what else is in it is said on standard error.

    Args:
        folder: As the user gave it.
        option: What it was given as.

    Attributes:
        passed: What was met and not used.

    Raises:
        DataError: There is no such folder, or no photo in it.
    """

    def __init__(self, folder: str, option: str = "--folder") -> None:
        self.passed = PassedOver()
        super().__init__(walk_photos(existing_folder(folder, option), self.passed))
        for line in self.passed.lines():
            warn(line)
        if not self:
            raise DataError(f"{option}: no photos under '{folder}'")


def photos_of(folder: str, output: str, *, force: bool) -> FolderPhotos:
    """The photos of ``--folder``, whose table can be written to ``--output``.

    Raises:
        UserError: There are none, or the table would lie among them, or replace somebody's file.
    """
    existing_folder(folder, "--folder")
    if is_stream(output):
        return FolderPhotos(folder)
    if Path(output).suffix.lower() in IMAGE_SUFFIXES:
        raise UserError(f"--output: '{output}' is a picture's name; name a table such as o.csv")
    target = Path(output)
    if target.is_dir():
        raise UserError(f"--output: '{output}' is a folder; name a file")
    if not target.parent.is_dir():
        raise UserError(f"--output: there is no folder '{target.parent}' to write to")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise UserError(f"--output: cannot write to '{target.parent}': name another folder")
    photos = FolderPhotos(folder)
    real = followed(target)
    refuse_existing([real], "--output", force=force)
    outside([target.parent, real.parent], home_path(folder), photos, "--output")
    return photos
