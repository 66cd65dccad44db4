"""The manifest: one table, one row a sample, that every data tool reads and writes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from osprey.data.box_column import Box, boxes_text, check_boxes, parse_boxes, with_labels
from osprey.data.split_names import SPLIT_NAMES as SPLIT_NAMES
from osprey.data.split_names import SPLITS as SPLITS
from osprey.data.targets import BoxTarget, LabelTarget, target_of
from osprey.errors import DataError, nearest
from osprey.imaging.boxes import Boxes
from osprey.system.console import counted
from osprey.system.files import atomic_path

SOURCE = "source"  # of several sets joined, the column with the name of a sample's


@dataclass(frozen=True)
class Manifest:
    """A table of samples under one root.

    Attributes:
        root: Folder that ``path`` is relative to.
        table: Columns ``path`` (POSIX), ``split`` (train, val, test or empty), ``label``,
            ``weight`` (>= 0), ``group`` (must not be in two splits; empty where unknown),
            ``sha256`` (of the file's bytes, hexadecimal; absent where no file was read) and any
            others the source had; of several sets joined ``source`` names each sample's. A
            detection set also has ``width`` and ``height`` (pixels, EXIF orientation applied) and
            ``boxes`` (JSON, ``[[label, x, y, w, h], ...]``, pixels); its ``label`` is the rarest
            class on the photo, or ``nothing``.
    """

    root: Path
    table: pd.DataFrame

    @property
    def classes(self) -> list[str]:
        """Sorted class names; in a detection set those of its boxes."""
        return self.target.classes(self)

    @property
    def target(self) -> LabelTarget:
        """The kind of annotation: one label per photo, or boxes."""
        return target_of(list(self.table.columns))

    @cached_property
    def box_lists(self) -> list[list[Box]]:
        """The boxes of every photo in a detection set."""
        return [parse_boxes(str(text)) for text in self.table["boxes"]]

    def boxes(self, row: int) -> tuple[Boxes, list[str]]:
        """The boxes of one photo.

        Args:
            row: Row of the table.

        Returns:
            float32 [N, 4] corners in pixels, and their N labels.
        """
        found = parse_boxes(str(self.table["boxes"].iat[row]))
        corners = [(x, y, x + w, y + h) for _, x, y, w, h in found]
        return np.array(corners, dtype=np.float32).reshape(-1, 4), [box[0] for box in found]

    def with_boxes(self, boxes: Sequence[Sequence[Box]]) -> Manifest:
        """A copy with other boxes.

        Args:
            boxes: ``(label, x, y, w, h)`` of each photo, in pixels.

        Returns:
            The manifest, its labels derived from the boxes.
        """
        names = [[box[0] for box in of_photo] for of_photo in boxes]
        table = self.table.assign(boxes=list(map(boxes_text, boxes)))
        return replace(self, table=with_labels(table, names))

    @property
    def has_groups(self) -> bool:
        """Whether every sample names its group."""
        return bool((self.table["group"] != "").all())

    @property
    def knows_content(self) -> bool:
        """Whether there is a column ``sha256`` of the files' bytes."""
        return "sha256" in self.table

    def split(self, name: str) -> Manifest:
        """The samples of one split."""
        return self.where(self.table["split"] == name)

    def where(self, mask: pd.Series[bool]) -> Manifest:
        """Select samples.

        Args:
            mask: bool [N].

        Returns:
            The samples where it is true, with new row numbers.
        """
        return replace(self, table=self.table[mask].reset_index(drop=True))

    def counts(self) -> dict[str, dict[str, int]]:
        """Samples per split and class: ``{"train": {"ALB": 12, ...}, ...}``."""
        splits, labels = self.table["split"], self.table["label"]
        return {
            split: {
                str(label): int(n) for label, n in labels[splits == split].value_counts().items()
            }
            for split in SPLITS
        }

    def box_counts(self) -> dict[str, dict[str, int]]:
        """Boxes per split and class: ``{"train": {"ALB": 12, ...}, ...}``, of a detection set."""
        found: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
        for split, boxes in zip(self.table["split"], self.box_lists, strict=True):
            if split in found:
                found[split].update(box[0] for box in boxes)
        return {split: dict(counter.most_common()) for split, counter in found.items()}

    def digest(self) -> str:
        """SHA-256 (hex) over paths, labels, splits and boxes, independent of the root."""
        columns = ["path", "label", "split", *self.target.identity]
        text = self.table[columns].to_csv(index=False, lineterminator="\n")
        return hashlib.sha256(text.encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Write the table as CSV, atomically."""
        with atomic_path(path) as partial:
            self.table.to_csv(partial, index=False, lineterminator="\n")


def complete(table: pd.DataFrame, root: Path, source: str, *, checked: bool = False) -> Manifest:
    """Make a manifest of a table that has at least ``path`` and ``label``.

    Args:
        table: Any columns; missing ``split``, ``group`` and ``weight`` are filled in.
        root: Folder the paths are relative to.
        source: Name of the table in errors.
        checked: Its boxes were written by `Manifest.with_boxes` just now, and need no check.

    Returns:
        A manifest with boxes where there are columns ``boxes``, ``width`` and ``height``; their
        labels are filled in.

    Raises:
        DataError: A needed column is missing, or holds invalid values.
    """
    if {"path", *BoxTarget.columns} <= set(table.columns) and not checked:
        table = check_boxes(table, source)
    for column in ("path", "label"):
        if column not in table.columns:
            have = ", ".join(map(str, table.columns))
            raise DataError(
                f"{source} has no column '{column}'{nearest(column, map(str, table.columns))} "
                f"(it has: {have}); name yours with data.columns.{column}=COLUMN"
            )
    table = table.copy()
    for column in ("path", "label", "split", "group"):
        table[column] = table[column].fillna("").astype(str) if column in table else ""
    unlabelled = table[table["label"].str.strip() == ""]
    if len(unlabelled):
        example = unlabelled["path"].iloc[0]
        rows = counted(len(unlabelled), "row")
        raise DataError(f"{source}: {rows} without a label, first '{example}'")
    table["split"] = table["split"].str.strip()
    unknown = set(table["split"].str.lower()) - set(SPLIT_NAMES) - {""}
    if unknown:
        raise DataError(f"{source}: unknown split '{min(unknown)}'; use train, val or test")
    table["split"] = table["split"].str.lower().map(lambda name: SPLIT_NAMES.get(name, ""))
    table["weight"] = _weights(table, source)
    first = ["path", "split", "label", "group", "weight"]
    rest = [column for column in table.columns if column not in first]
    return Manifest(root, table[[*first, *rest]].reset_index(drop=True))


def _weights(table: pd.DataFrame, source: str) -> pd.Series[float]:
    if "weight" not in table:
        return pd.Series(1.0, index=table.index)
    unset = table["weight"].isna() | (table["weight"].astype(str).str.strip() == "")
    weights = pd.to_numeric(table["weight"].mask(unset, 1.0), errors="coerce")
    wrong = ~np.isfinite(weights) | (weights < 0)
    if wrong.any():
        value = table["weight"][wrong].iloc[0]
        raise DataError(f"{source}: weight '{value}' is not a number of 0 or more")
    return weights.astype(float)
