"""``data=huggingface``: a set's rows to photos in files, and their classes or boxes."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osprey.config.schema import DataConfig
from osprey.data.box_column import Box
from osprey.data.folders import existing_folder
from osprey.data.huggingface.cells import Quad, class_name, objects_of, photo_bytes
from osprey.data.huggingface.columns import Columns, columns_of, named_in
from osprey.data.huggingface.sources import (
    Part,
    files_key,
    hub_parts,
    parquet_files,
    parquet_parts,
    subsets_line,
)
from osprey.data.manifest import Manifest
from osprey.data.split_names import SplitNames
from osprey.data.unpacked import Sample, is_unpacked, read_unpacked, unpacked
from osprey.errors import DataError
from osprey.imaging.size import upright_size
from osprey.system.console import counted
from osprey.system.paths import home_path

_READ = ("path", "label", "split")  # columns that are read
_FRACTION = 1.01  # the largest number of boxes that are fractions of the photo


def read_huggingface(config: DataConfig, notices: list[str]) -> Manifest:
    """Read the Parquet files under ``data.root``, or the hub's set ``data.name``.

    Args:
        config: The data section of the configuration.
        notices: Lines for the user are appended here.

    Returns:
        The manifest; its root is the folder below ``data.unpacked`` that the photos were written
        to, once.

    Raises:
        DataError: One line that says what is missing.
    """
    if is_unpacked(config.root):
        return read_unpacked(config.root, notices)
    if config.unpacked is None:
        raise DataError("data.unpacked is not set: name the folder to write the photos to")
    place = home_path(config.unpacked)
    if not config.root and config.name == config.reader:
        raise DataError(
            "data.name is not set: data.name=NAME is a set of Hugging Face's hub, "
            "data.root=FOLDER one of Parquet files"
        )
    if not config.root:
        name = re.sub(r"[^\w.-]+", "--", config.name) + _said(config)
        return _read(place / f"hub-{name}", f"'{config.name}'", config, notices, hub_parts)
    root = existing_folder(config.root)
    files = parquet_files(root)
    if place.resolve().is_relative_to(root.resolve()):
        raise DataError(f"data.unpacked: '{place}' lies inside data.root '{root}'")
    return _read(
        place / f"{root.resolve().name}-{files_key(root, files)}{_said(config)}",
        f"'{root}'",
        config,
        notices,
        lambda _: parquet_parts(root, files),
        subsets_line(root, files),
    )


def _said(config: DataConfig) -> str:
    """Ends the folder's name where settings say what the photos' classes and splits are."""
    columns = {k: config.columns.get(k, k) for k in _READ if config.columns.get(k, k) != k}
    if not columns and not config.split_names:
        return ""
    text = json.dumps([columns, config.split_names], sort_keys=True)
    return f"-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _read(
    target: Path,
    source: str,
    config: DataConfig,
    notices: list[str],
    parts: Callable[[str], Iterable[Part]],
    line: str = "",
) -> Manifest:
    splits = SplitNames(config.split_names)
    rows = _Rows(source, dict(config.columns), splits, [line] if line else [])
    return unpacked(target, source, lambda: rows.samples(parts(config.name)), rows.lines, notices)


@dataclass
class _Rows:
    """Turns rows into samples.

    Attributes:
        source: Name of the set in messages.
        wanted: ``data.columns``.
        splits: What the cells of a column of splits mean.
        told: Lines for the user.
    """

    source: str
    wanted: dict[str, str]
    splits: SplitNames
    told: list[str] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    bare: Counter[str] = field(default_factory=Counter)
    cells: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """What was left out."""
        return [
            *self.told,
            *(f"left out, {why}: {counted(n, 'photo')}" for why, n in self.left.items()),
            *(f"left out, {why}: {counted(n, 'object')}" for why, n in self.bare.items()),
        ]

    def samples(self, parts: Iterable[Part]) -> Iterator[Sample]:
        """The samples of all parts."""
        known: Columns | None = None
        form: str | None = None
        for part in parts:
            rows = iter(part.rows)
            first = list(itertools.islice(rows, 256))
            if not first:
                continue
            known = known or columns_of(part.features, _fullest(first), self.wanted, self.source)
            known = named_in(known, part.features)
            if known.photo not in first[0]:
                raise DataError(f"{self.source}: '{part.name}' has no column '{known.photo}'")
            if known.box and form is None and self._has_answers(known, first[0]):
                form = self._form(known, first, part)
            for row in itertools.chain(first, rows):
                sample = self._sample(known, row, part, form)
                if sample is not None:
                    yield sample

    def _has_answers(self, columns: Columns, row: Mapping[str, Any]) -> bool:
        """Whether a part has the columns of classes or boxes; those of many test sets have not."""
        needed = {columns.objects} if columns.objects else {columns.box, columns.category}
        return (needed if columns.box else {columns.label}) <= set(row)

    def _sample(
        self, columns: Columns, row: dict[str, Any], part: Part, form: str | None
    ) -> Sample | None:
        content = photo_bytes(row[columns.photo], part)
        if content is None:
            self.left["without a photo"] += 1
            return None
        if not self._has_answers(columns, row):
            what = "boxes" if columns.box else "a class"
            self.left[f"without {what}, in '{part.name}'"] += 1
            return None
        split = self._split(row, part)
        if columns.box:
            return Sample(content, split, boxes=self._boxes(columns, row, content, form))
        value = row[columns.label]
        if isinstance(value, list):
            if len(value) > 1:
                self.left[f"of several classes, in '{part.name}'"] += 1
                return None
            value = value[0] if value else None
        label = class_name(columns, value, self.source)
        if label is None:
            self.left[f"without a class, in '{part.name}'"] += 1
            return None
        return Sample(content, split, label)

    def _split(self, row: dict[str, Any], part: Part) -> str:
        """The split by the row's own column, or else by the part's name."""
        column = self.wanted.get("split", "split")
        cell = str("" if row.get(column) is None else row[column])
        if not cell.strip():
            return part.split
        line = f"splits of {self.source} are those of its column '{column}'"
        if line not in self.told:
            self.told.append(line)
        if cell not in self.cells:
            self.cells |= self.splits.column([cell], f"{self.source}, column '{column}'")
        return self.cells[cell] or part.split

    def _boxes(
        self, columns: Columns, row: dict[str, Any], content: bytes, form: str | None
    ) -> list[Box]:
        found: list[Box] = []
        width, height = upright_size(content) or (0, 0)
        for category, box in objects_of(columns, row, self.source):
            label = class_name(columns, category, self.source)
            if label is None or box is None:
                self.bare[f"without {'a class' if label is None else 'a box'}"] += 1
                continue
            one, two, three, four = box
            if form == "corners":
                three, four = three - one, four - two
            if form == "fractions":
                one, two, three, four = one * width, two * height, three * width, four * height
            found.append((label, one, two, three, four))
        return found

    def _form(self, columns: Columns, rows: list[dict[str, Any]], part: Part) -> str:
        """How the set writes a box: ``x, y, w, h``, corners, or fractions of the photo."""
        outside = total = 0
        corners, largest = True, 0.0
        for row in rows:
            found = objects_of(columns, row, self.source)
            boxes: list[Quad] = [box for _, box in found if box is not None]
            content = photo_bytes(row[columns.photo], part)
            size = upright_size(content) if content and boxes else None
            for x, y, third, fourth in boxes:
                total += 1
                largest = max(largest, x, y, third, fourth)
                corners = corners and third >= x and fourth >= y
                if size is not None:
                    outside += x + third > size[0] + 1 or y + fourth > size[1] + 1
        if total and largest <= _FRACTION:
            self.told.append(f"boxes of {self.source} read as fractions of the photo: x, y, w, h")
            return "fractions"
        if corners and outside * 2 > total:
            self.told.append(
                f"boxes of {self.source} read as corners, x1, y1, x2, y2: as x, y, w, h most would "
                "lie outside of their photos"
            )
            return "corners"
        return "sides"


def _fullest(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A row whose cells are not empty, as far as there is one, to tell the columns by."""
    return max(rows, key=lambda row: sum(value not in (None, [], "") for value in row.values()))
