"""The record of a folder that is filled photo by photo, valid after a kill."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from osprey.errors import DataError, UserError
from osprey.system.files import atomic_path, partial_path, write_text
from osprey.system.locks import LOCK, FolderLock

JOURNAL = "journal.jsonl"
Row = dict[str, Any]


class FolderJournal:
    """The output folder's record: rows of each photo that is done, one line a photo.

    A row has ``source``, the photo's name, and ``status``: ``failure`` where the photo cannot be
    read. As a context manager it holds the folder's lock.

    Attributes:
        rows: Rows of one photo are adjacent; photos in the order they were processed.
        done: Names of the photos that are done.
        failed: Names of photos that could not be read at the last start.
        settings_file: Name of the file with the settings; by it the folder is known as ours.
        verb: What is done to the photos, for messages.
        doing: The same, going on.

    Args:
        folder: The output folder, new, empty, or begun with the same settings.
        settings: Everything that the result depends on, as plain data.

    Raises:
        UserError: The folder holds something else, or another process writes into it.
        DataError: The folder's settings file is damaged.
    """

    settings_file: str
    verb: str
    doing: str

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        with ExitStack() as stack:
            self._make(stack)
            self._begin(settings)
            photos = self._resumed()
            good = {source: rows for source, rows in photos.items() if not _failed(rows)}
            self.failed = photos.keys() - good.keys()
            self.rows = [row for rows in good.values() for row in rows]
            self.done = set(good)
            self.before = len(good)
            _write_lines(folder / JOURNAL, good.values())
            self.file = stack.enter_context((folder / JOURNAL).open("a", encoding="utf-8"))
            self.adding = threading.Lock()
            self.open = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.open.close()

    def _make(self, stack: ExitStack) -> None:
        """Make the folder and hold it; nothing is written into one that holds something else."""
        # A fixed name, so that what a killed start left is known as ours and overwritten.
        ours = {LOCK, partial_path(self.folder / self.settings_file, fixed=True).name}
        begun = (self.folder / self.settings_file).is_file()
        if self.folder.is_dir() and not begun and {p.name for p in self.folder.iterdir()} - ours:
            raise UserError(
                f"--output_folder: '{self.folder}' holds something else: name a new or empty folder"
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            why = f"--output_folder: another process is {self.doing} into '{self.folder}'"
            stack.enter_context(FolderLock(self.folder, why))
        except OSError as error:
            raise UserError(
                f"--output_folder: cannot write to '{self.folder}' ({error.strerror})"
            ) from None

    def _begin(self, settings: Mapping[str, Any]) -> None:
        known = self.folder / self.settings_file
        if not known.is_file():
            write_text(known, json.dumps(settings, indent=1) + "\n", fixed=True)
            return
        try:
            before = dict(json.loads(known.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise DataError(f"'{known}' is damaged: {self.verb} into another folder") from None
        for key, value in settings.items():
            if before.get(key) != value:
                raise UserError(
                    f"--output_folder: '{self.folder}' was begun with {key} "
                    f"{before.get(key)!r}, not {value!r}: repeat that, or {self.verb} into another"
                )

    def _resumed(self) -> dict[str, list[Row]]:
        """Each photo's rows of an earlier start; a line that a kill cut off counts for nothing."""
        try:
            lines = (self.folder / JOURNAL).read_bytes().split(b"\n")
        except FileNotFoundError:
            return {}
        photos: dict[str, list[Row]] = {}
        for line in lines:
            try:
                rows = json.loads(line)
                photos[rows[0]["source"]] = rows
            except (ValueError, LookupError, TypeError):
                continue
        return photos

    def add(self, rows: Sequence[Row]) -> None:
        """Record one photo; safe to call from any thread.

        Args:
            rows: The photo's rows; its files must be written already.
        """
        with self.adding:
            self.file.write(json.dumps(rows) + "\n")
            self.file.flush()
            self.rows += rows
            self.done.add(rows[0]["source"])

    def of(self, *status: str) -> list[Row]:
        """Rows by status, sorted by photo name.

        Args:
            status: Values of ``status``.

        Returns:
            The rows that have one of them.
        """
        chosen = [row for row in self.rows if row["status"] in status]
        return sorted(chosen, key=lambda row: str(row["source"]))


def _failed(rows: Sequence[Row]) -> bool:
    return any(row["status"] == "failure" for row in rows)


def _write_lines(path: Path, photos: Iterable[Sequence[Row]]) -> None:
    with (
        atomic_path(path, fixed=True) as partial,
        partial.open("w", newline="\n", encoding="utf-8") as file,
    ):
        file.writelines(json.dumps(rows) + "\n" for rows in photos)
