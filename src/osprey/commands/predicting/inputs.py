"""What ``osprey predict`` is given: runs, photos, and where to write; checked without torch."""

from __future__ import annotations

import os
from pathlib import Path

from osprey.data.folders import existing_folder, outside, walk_photos
from osprey.data.passed_over import PassedOver
from osprey.errors import DataError, UserError, nearest
from osprey.imaging import IMAGE_SUFFIXES
from osprey.runs.folder import RunFolder, find_run
from osprey.system.console import warn
from osprey.system.outputs import followed, is_stream, refuse_existing
from osprey.system.paths import home_path
from osprey.tasks.registry import get_task


def run_with_model(word: str, runs: Path, task: str | None = None) -> RunFolder:
    """The run that ``word`` names, which has a checkpoint to predict with.

    ``latest`` is the newest, or the newest trained for ``task``.

    Raises:
        UserError: There is no such run, or it has none yet.
    """
    run = find_run(word, runs, task=task)
    if not run.best.is_file():
        raise UserError(f"run '{run.path}' has no best.ckpt yet: it has not finished an epoch")
    return run


def run_of_task(word: str, runs: Path, task: str, option: str) -> RunFolder:
    """Likewise, of a run that was trained for ``task``.

    Raises:
        UserError: Or it was trained for another.
    """
    run = run_with_model(word, runs, task)
    if run.task not in (task, ""):
        is_a, wanted = get_task(run.task).noun, get_task(task).noun
        raise UserError(f"{option}: run '{run.path}' is {is_a}, not {wanted}")
    return run


def existing_photo(name: str) -> Path:
    """The photo of ``--image``."""
    path = Path(name)
    if path.is_dir():
        raise UserError(f"--image: '{name}' is a folder; use --folder")
    if path.exists() and not path.is_file():
        raise UserError(f"--image: '{name}' is no regular file: name a photo")
    if not path.is_file():
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UserError(f"--image: there is no file '{name}'{nearest(path.name, beside)}")
    return path


class FolderPhotos(list[Path]):
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
