"""``data=huggingface``: a set's rows to photos in files, and their classes or boxes."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osprey.config.schema import DataConfig
from osprey.data.box_column import Box
from osprey.data.folders import existing_folder
from osprey.data.huggingface.columns import Columns, class_name, columns_of, objects_of
from osprey.data.huggingface.sources import (
    Part,
    files_key,
    hub_parts,
    parquet_files,
    parquet_parts,
)
from osprey.data.manifest import Manifest
from osprey.data.unpacked import Sample, is_unpacked, read_unpacked, unpacked
from osprey.errors import DataError
from osprey.imaging.size import upright_size
from osprey.system.console import counted
from osprey.system.paths import home_path

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
    if not config.root:
        name = re.sub(r"[^\w.-]+", "--", config.name)
        return _read(place / f"hub-{name}", f"'{config.name}'", config, notices, hub_parts)
    root = existing_folder(config.root)
    files = parquet_files(root)
    if place.resolve().is_relative_to(root.resolve()):
        raise DataError(f"data.unpacked: '{place}' lies inside data.root '{root}'")
    return _read(
        place / f"{root.resolve().name}-{files_key(root, files)}",
        f"'{root}'",
        config,
        notices,
        lambda _: parquet_parts(root, files),
    )


def _read(
    target: Path,
    source: str,
    config: DataConfig,
    notices: list[str],
    parts: Callable[[str], Iterable[Part]],
) -> Manifest:
    rows = _Rows(source, dict(config.columns))
    return unpacked(target, source, lambda: rows.samples(parts(config.name)), rows.lines, notices)


@dataclass
class _Rows:
    """Turns rows into samples.

    Attributes:
        source: Name of the set in messages.
        wanted: ``data.columns``.
        told: Lines for the user.
    """

    source: str
    wanted: dict[str, str]
    told: list[str] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)

    def lines(self) -> list[str]:
        """What was left out."""
        return [
            *self.told,
            *(f"left out, {why}: {counted(n, 'photo')}" for why, n in self.left.items()),
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
            if known.objects and form is None:
                form = self._form(known, first, part)
            for row in itertools.chain(first, rows):
                sample = self._sample(known, row, part, form)
                if sample is not None:
                    yield sample

    def _sample(
        self, columns: Columns, row: dict[str, Any], part: Part, form: str | None
    ) -> Sample | None:
        content = photo_bytes(row[columns.photo], part)
        if content is None:
            self.left["without a photo"] += 1
            return None
        if columns.objects:
            return Sample(content, part.split, boxes=self._boxes(columns, row, content, form))
        label = class_name(columns, row[columns.label], self.source)
        if label is None:
            self.left[f"without a class, in '{part.name}'"] += 1
            return None
        return Sample(content, part.split, label)

    def _boxes(
        self, columns: Columns, row: dict[str, Any], content: bytes, form: str | None
    ) -> list[Box]:
        found: list[Box] = []
        width, height = upright_size(content) or (0, 0)
        for category, (one, two, three, four) in objects_of(columns, row[columns.objects]):
            label = class_name(columns, category, self.source)
            if label is None:
                continue
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
            boxes = [box for _, box in objects_of(columns, row[columns.objects])]
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


def photo_bytes(value: Any, part: Part) -> bytes | None:
    """The file of a cell; None where there is none.

    Raises:
        DataError: It names a file outside of the set's folder, or one that is not there.
    """
    if isinstance(value, bytes):
        return value
    if not isinstance(value, dict):
        return None
    if value.get("bytes") is not None:
        return bytes(value["bytes"])
    if not value.get("path"):
        return None
    file = part.root / str(value["path"])
    if part.inside and not file.resolve().is_relative_to(part.root.resolve()):
        raise DataError(f"a photo's path '{value['path']}' leads out of '{part.root}'")
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"the photo '{file}' cannot be read ({error.strerror})") from None


def _fullest(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A row whose cells are not empty, as far as there is one, to tell the columns by."""
    return max(rows, key=lambda row: sum(value not in (None, [], "") for value in row.values()))
