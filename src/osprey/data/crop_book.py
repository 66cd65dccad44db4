"""What has been cropped so far: a journal that survives a kill, and the tables made of it."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from osprey.data.crop_labels import Labels
from osprey.errors import DataError, UserError

JOURNAL, SETTINGS = "journal.csv", "crop.json"
COLUMNS = (
    *("path", "source", "split", "label", "status", "detected", "score"),
    *("x", "y", "w", "h", "width", "height", "failure"),
)
_OF_CROPS = COLUMNS[:-1]
_OF_EMPTY = ("source", "label", "status", "path", "width", "height")
Row = dict[str, Any]


class CropBook:
    """The output folder's record: one row a crop, and one a photo without any.

    ``status`` is ``crop``; of photos in which nothing was found ``skipped``, ``whole`` or
    ``moved``; ``failure`` where the photo cannot be read.

    Args:
        folder: The output folder, new, empty, or begun with the same settings.
        settings: Everything that the crops depend on, as plain data.

    Raises:
        UserError: The folder holds something else.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        self._begin(settings)
        self.rows = self._resumed()
        self.done = {row["source"] for row in self.rows}
        self.before = len(self.done)
        _write(folder / JOURNAL, COLUMNS, self.rows)
        self.file = (folder / JOURNAL).open("a", newline="", encoding="utf-8")
        self.writer = csv.DictWriter(self.file, COLUMNS, restval="", lineterminator="\n")

    def _begin(self, settings: Mapping[str, Any]) -> None:
        known = self.folder / SETTINGS
        if known.is_file():
            try:
                before = json.loads(known.read_text(encoding="utf-8"))
            except ValueError:
                raise DataError(f"'{known}' is damaged: crop into another folder") from None
            for key, value in settings.items():
                if before.get(key) != value:
                    raise UserError(
                        f"--output_folder: '{self.folder}' was begun with {key} "
                        f"{before.get(key)!r}, not {value!r}: repeat that, or crop into another"
                    )
            return
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise UserError(
                f"--output_folder: '{self.folder}' holds something else: name a new or empty folder"
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = known.with_name(f".{known.name}.part")
            partial.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
            os.replace(partial, known)
        except OSError as error:
            raise UserError(
                f"--output_folder: cannot write to '{self.folder}' ({error.strerror})"
            ) from None

    def _resumed(self) -> list[Row]:
        """Rows of an earlier start, less those of its last photo, which may be incomplete."""
        try:
            text = (self.folder / JOURNAL).read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return []
        rows = [row for row in csv.DictReader(text.splitlines(keepends=True)) if row.get("source")]
        if rows and not text.endswith("\n"):
            rows.pop()
        last = rows[-1]["source"] if rows else None
        return [
            {key: row.get(key) or "" for key in COLUMNS} for row in rows if row["source"] != last
        ]

    def add(self, rows: Sequence[Row]) -> None:
        """Take up one photo: all its crops are written already."""
        self.writer.writerows(rows)
        self.file.flush()
        self.rows += rows
        self.done.add(rows[0]["source"])

    def close(self) -> None:
        """Let go of the journal."""
        self.file.close()

    def count(self, *status: str) -> int:
        """How many rows have one of these."""
        return sum(row["status"] in status for row in self.rows)

    def tables(self, labels: Labels) -> None:
        """Write manifest.csv, no_detection.csv, and labels.csv where there is a label file."""
        kept = [row for row in self.rows if row["status"] in ("crop", "whole")]
        empty = [row for row in self.rows if row["status"] in ("skipped", "whole", "moved")]
        _write(self.folder / "manifest.csv", _OF_CROPS, kept)
        _write(self.folder / "no_detection.csv", _OF_EMPTY, empty)
        if labels.columns:
            pairs = [(row["path"], row["source"]) for row in kept]
            _write(self.folder / "labels.csv", labels.columns, labels.of_crops(pairs))


def _write(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    partial = path.with_name(f".{path.name}.part")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(
            file, columns, restval="", extrasaction="ignore", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, path)
