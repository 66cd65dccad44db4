"""Journal of finished crops, valid after a kill, and the tables written from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from osprey.data.crop_labels import Labels
from osprey.data.folder_journal import FolderJournal, Row
from osprey.data.folder_reader import CROP_SETTINGS
from osprey.system.files import write_csv

COLUMNS = (
    *("path", "source", "split", "label", "status", "detected", "score"),
    *("x", "y", "w", "h", "width", "height"),
)
_OF_EMPTY = ("source", "label", "status", "path", "width", "height")
_OF_FAILURES = ("source", "failure")
EMPTY = ("skipped", "whole", "moved")


class CropJournal(FolderJournal):
    """The output folder's record: one row per crop, and one per photo without any.

    ``status`` is ``crop``; for photos in which nothing was found ``skipped``, ``whole`` or
    ``moved``; ``failure`` where the photo cannot be read.
    """

    settings_file = CROP_SETTINGS
    verb = "crop"
    doing = "cropping"

    def tables(self, labels: Labels) -> None:
        """Write manifest.csv, no_detection.csv, failures.csv and, with a label file, labels.csv.

        Args:
            labels: Labels of the photos.
        """
        kept = self.of("crop", "whole")
        _write(self.folder / "manifest.csv", COLUMNS, kept)
        _write(self.folder / "no_detection.csv", _OF_EMPTY, self.of(*EMPTY))
        _write(self.folder / "failures.csv", _OF_FAILURES, self.of("failure"))
        if labels.columns:
            pairs = [(row["path"], row["source"]) for row in kept]
            columns = [*labels.columns, labels.source]
            _write(self.folder / "labels.csv", columns, labels.of_crops(pairs))


def _write(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    cells = ([row.get(column, "") for column in columns] for row in rows)
    write_csv(path, columns, cells, line_end="\n", fixed=True)
