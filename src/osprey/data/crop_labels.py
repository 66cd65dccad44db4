"""Which label the crops of a photo carry: its class folder's, or a label file's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from osprey.data.manifest import SPLIT_NAMES
from osprey.data.tables import load_table
from osprey.errors import DataError
from osprey.system.paths import nearest_beside

# Folders that say nothing of what is on their photos.
_NO_CLASS = frozenset(
    ("images", "image", "imgs", "img", "photos", "photo", "pictures", "jpegimages", "dcim", "raw")
)


class Labels:
    """The labels of photos.

    Attributes:
        columns: The table's; empty where there is none.
        source: Name of the column with the photo of a crop, for splits by photo.

    Args:
        file: A table with ``path`` and ``label`` and any other columns; None: the class folders are
            the labels.

    Raises:
        DataError: The table is missing, unreadable, or without those columns.
    """

    def __init__(self, file: Path | None) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.columns: list[str] = []
        self.source = "source"
        if file is None:
            return
        if not file.is_file():
            raise DataError(f"--label_file: there is no '{file}'{nearest_beside(file)}")
        table = load_table(file, ("path", "label", "split"))
        self.columns = [str(column) for column in table]
        for column in ("path", "label"):
            if column not in self.columns:
                have = ", ".join(self.columns)
                raise DataError(f"--label_file: '{file}' has no column '{column}' (it has: {have})")
        self.source = "source_photo" if "source" in self.columns else "source"
        for record in table.to_dict("records"):
            row = {str(key): value for key, value in record.items()}
            self.rows.setdefault(PurePosixPath(row["path"]).as_posix(), []).append(row)

    def of(self, source: str) -> tuple[str, str]:
        """Label and split of a photo.

        Args:
            source: Its POSIX path below the input folder.

        Returns:
            Both empty where unknown.
        """
        parts = PurePosixPath(source).parts
        split = SPLIT_NAMES.get(parts[0].lower(), "") if len(parts) > 1 else ""
        if self.columns:
            row = self.rows.get(source, [{}])[0]
            return str(row.get("label", "")), str(row.get("split", split))
        depth = 1 if split else 0
        label = parts[depth] if len(parts) > depth + 1 else ""
        return ("" if label.lower() in _NO_CLASS else label), split

    def of_crops(self, crops: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
        """Rows of the label file for crops.

        Args:
            crops: Pairs of a crop's and its photo's path.

        Returns:
            The photo's rows with the crop's ``path`` and the photo in the column `source`.
        """
        return [
            {**row, "path": crop, self.source: source}
            for crop, source in crops
            for row in self.rows.get(source, [])
        ]

    def check(self, sources: Sequence[str]) -> None:
        """Check that the label file names at least one of the photos.

        Args:
            sources: Paths of the photos below the input folder.

        Raises:
            DataError: It names none of ``sources``.
        """
        if self.rows and self.missing(sources) == len(sources):
            raise DataError(
                f"--label_file names none of the photos: it has '{next(iter(self.rows))}', and "
                f"below --input_folder there is '{sources[0]}'; name the folder that its paths "
                "are relative to"
            )

    def missing(self, sources: Iterable[str]) -> int:
        """Count photos without a label.

        Args:
            sources: Paths of the photos below the input folder.

        Returns:
            How many the label file does not name; 0 without a label file.
        """
        return sum(source not in self.rows for source in sources) if self.columns else 0
