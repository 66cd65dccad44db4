"""Annotations in memory: what every reader makes and every writer takes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pandas as pd

from osprey.data.class_names import merged_line, tidy_name
from osprey.data.formats.options import TRAINING, Options
from osprey.data.formats.values import typed
from osprey.data.photo_paths import PhotoPaths, as_posix, plain_path
from osprey.data.split_names import SplitNames
from osprey.errors import DataError, UnreadableImage
from osprey.imaging import image_size
from osprey.system.console import counted

# Optional fields of a photo besides name and size, and their types.
IMAGE_FIELDS: dict[str, type] = {
    "split": str,
    "location": str,
    "datetime": str,
    "seq_id": str,
    "frame_num": int,
    "seq_num_frames": int,
    "corrupt": bool,
    "failure": str,
    "prediction": str,  # the class of the whole photo, predicted by a model
    "prediction_score": float,
}

# Optional fields of a box besides score and classifications; the first three are marks, 0 or 1.
MARKS = ("difficult", "truncated", "occluded")
BOX_FIELDS = (*MARKS, "segmentation", "attributes", "iscrowd", "area", "id")


class BoxRow(NamedTuple):
    """One row of `Annotations.boxes`."""

    image: int
    label: str
    x: float
    y: float
    w: float
    h: float
    score: float
    classifications: list[Any] | None
    extra: dict[str, Any] | None = None  # of `BOX_FIELDS`, what is said of this box


@dataclass(frozen=True)
class Annotations:
    """Photos and their boxes, independent of the file format.

    Attributes:
        images: One row per photo: ``file`` (POSIX, relative to the photos' root), ``width`` and
            ``height`` in pixels (0: unknown), those of `IMAGE_FIELDS` (None: unknown) and any other
            columns of the source.
        boxes: One row per box: ``image`` (a row number of ``images``), ``label``, ``x``, ``y``,
            ``w``, ``h`` (float64, pixels, top-left), ``score`` (NaN: ground truth),
            ``classifications`` (``[[name, confidence], ...]``, or None) and ``extra`` (what is said
            of the box by `BOX_FIELDS`, or None).
        classes: Every class name the source lists, in its order.
        notices: What was left out or filled in while reading.
        sources: The annotation files, where they are few.
        species: Every class name that ``classifications`` may hold, where the source lists them.
        info: MegaDetector's ``info``: ``detector``, ``classifier``.
        kept: What only COCO says: ``info``, ``licenses``, and ``categories`` by class name.
        left_out: Photos that are named, but not in ``images``; ``notices`` say why.
    """

    images: pd.DataFrame
    boxes: pd.DataFrame
    classes: list[str]
    notices: list[str] = field(default_factory=list)
    sources: list[Path] = field(default_factory=list)
    species: list[str] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)

    def box_rows(self) -> list[BoxRow]:
        """The boxes in order."""
        return list(map(BoxRow._make, self.boxes[list(BoxRow._fields)].itertuples(index=False)))

    def records(self) -> list[tuple[dict[str, Any], list[BoxRow]]]:
        """Each photo, by column, with its boxes."""
        photos = [{str(k): v for k, v in r.items()} for r in self.images.to_dict("records")]
        below: list[list[BoxRow]] = [[] for _ in photos]
        for box in self.box_rows():
            below[box.image].append(box)
        return list(zip(photos, below, strict=True))

    def failed(self) -> pd.Series[bool]:
        """For each photo, whether it is marked as failed or corrupt."""
        blank = pd.Series(None, index=self.images.index, dtype=object)
        corrupt = self.images.get("corrupt", blank).map(lambda value: value is True)
        return self.images.get("failure", blank).notna() | corrupt

    def sound(self) -> Annotations:
        """A copy without the photos that are marked as failed or corrupt."""
        return self.where(~self.failed())

    def where(self, keep: pd.Series[bool]) -> Annotations:
        """A copy with some of the photos, and their boxes.

        Args:
            keep: For each photo, whether it stays.
        """
        rows = pd.Series(range(int(keep.sum())), index=self.images.index[keep])
        boxes = self.boxes[self.boxes["image"].isin(rows.index)]
        boxes = boxes.assign(image=boxes["image"].map(rows).astype(int))
        return replace(self, images=self.images[keep].reset_index(drop=True), boxes=boxes)


@dataclass
class Collector:
    """Collects photos and boxes row by row, for a reader."""

    root: Path
    options: Options = TRAINING
    images: list[dict[str, Any]] = field(default_factory=list)
    boxes: list[BoxRow] = field(default_factory=list)
    tables: list[pd.DataFrame] = field(default_factory=list)  # further boxes
    notices: list[str] = field(default_factory=list)
    sources: list[Path] = field(default_factory=list)
    species: dict[str, None] = field(default_factory=dict)  # in order, each once
    info: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)  # what was done, for `tell`

    def __post_init__(self) -> None:
        self.photos = PhotoPaths(self.root)
        self.classes: dict[str, None] = {}  # that the source lists, in order, each once
        self._guesses: dict[int, str] = {}  # rows of photos that are called otherwise on the disk
        self._splits: dict[str, str] = {}  # each spelling of a split, and what it means
        self._names: dict[str, str] = {}  # each spelling of a class, and its one name

    def label(self, name: object) -> str:
        """The one name of a class.

        Args:
            name: As the file spells it.
        """
        spelt = str(name)
        if spelt not in self._names:
            self._names[spelt] = tidy_name(spelt)
        return self._names[spelt]

    def image(self, file: str, width: int = 0, height: int = 0, **said: Any) -> int:
        """Add a photo; returns its row number. The name is that of the file which it means.

        Raises:
            DataError: Its split is unknown, or a number malformed.
        """
        if (split := str(said.get("split") or "")) and split not in self._splits:
            names, settable = SplitNames(self.options.split_names), not self.options.converting
            self._splits |= names.column([split], f"'{file}'", settable=settable)
        if split:
            said["split"] = self._splits[split]
        for name in said:
            if name in IMAGE_FIELDS:
                said[name] = typed(said[name], IMAGE_FIELDS[name], name, file)
        plain = as_posix(file)
        found = self.photos.find(file)
        there = plain if found is None or found is file else as_posix(found)
        if there != plain:
            self._guesses[len(self.images)] = file
        self.images.append({"file": there, "width": width, "height": height, **said})
        return len(self.images) - 1

    def measured(self, file: str, **said: Any) -> int:
        """Add a photo whose size is read from its file; returns its row number.

        A photo that cannot be decoded is marked as failed.

        Raises:
            DataError: There is no such photo under the root.
        """
        there = self.photos.find(file)
        if there is None:
            raise DataError(f"there is no photo {file!r} under '{self.root}'")
        try:
            return self.image(file, *image_size(self.root / there), **said)
        except UnreadableImage as error:
            return self.image(file, **{**said, "failure": str(error)})

    def box(
        self,
        image: int,
        label: str,
        box: tuple[float, float, float, float],
        score: float = math.nan,
        classifications: list[Any] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        """Add a box of the photo in row ``image``: x, y, w, h in pixels."""
        self.boxes.append(
            BoxRow(image, self.label(label), *box, score, classifications, extra or None)
        )

    def fraction(
        self, image: int, label: str, box: tuple[float, float, float, float], *more: Any
    ) -> None:
        """Add a box in fractions of the photo; it is dropped if the photo's size is unknown."""
        width, height = self.images[image]["width"], self.images[image]["height"]
        if width and height:
            x, y, w, h = box
            self.box(image, label, (x * width, y * height, w * width, h * height), *more)

    def tell(self, kind: str, line: str) -> None:
        """Add a line with a count where something was counted.

        Args:
            kind: Key of ``counts``.
            line: With ``{}`` where the count belongs; may be a `Guess`.
        """
        if self.counts[kind]:
            self.notices.append(type(line)(line.format(self.counts[kind])))

    def tell_orphans(self, files: Sequence[Path], first: str) -> None:
        """Count files of boxes without their photo.

        Args:
            files: They.
            first: What to say of the first.

        Raises:
            DataError: The reading is strict.
        """
        if files and self.options.strict:
            raise DataError(first)
        if files:
            names = ", ".join(f"'{file.name}'" for file in files[:5])
            more = f" and {len(files) - 5} more" if files[5:] else ""
            self.notices.append(
                f"left out, boxes without their photo: {counted(len(files), 'file')}, "
                f"{names}{more} ({self.options.hint('strict', 'true')} stops there)"
            )

    def done(self) -> Annotations:
        """Everything added so far as `Annotations`."""
        self._take_back()
        images = pd.DataFrame(self.images, columns=None if self.images else ["file"], dtype=object)
        for side in ("width", "height"):
            images[side] = images[side].astype(int) if side in images else 0
        images = images.where(images.notna(), None)
        boxes = self._box_table()
        listed = dict.fromkeys(map(self.label, self.classes))
        classes = [*listed, *sorted(set(boxes["label"]) - set(listed))]
        notices = [*self.notices, *self._merged(), *self.photos.notice()]
        known = notices, self.sources, list(self.species), self.info, self.kept, self.left_out
        return Annotations(images, boxes, classes, *known)

    def _box_table(self) -> pd.DataFrame:
        if self.tables and not self.boxes:
            return pd.concat(self.tables, ignore_index=True)
        columns = zip(*self.boxes, strict=True) if self.boxes else ((),) * len(BoxRow._fields)
        kinds = {name: float for name in ("x", "y", "w", "h", "score")} | {"image": int}
        objects = dict.fromkeys(("classifications", "extra"), object)
        table = pd.DataFrame(
            {
                name: pd.Series(list(column), dtype={**kinds, **objects}.get(name))
                for name, column in zip(BoxRow._fields, columns, strict=True)
            }
        )
        return pd.concat([*self.tables, table], ignore_index=True) if self.tables else table

    def _take_back(self) -> None:
        """Undo a guess whose file another entry names as it is: that is another photo's."""
        named = {i["file"] for row, i in enumerate(self.images) if row not in self._guesses}
        for row, name in list(self._guesses.items()):
            file = self.images[row]["file"]
            if file in named and plain_path(name) != plain_path(file):
                self.images[row]["file"] = PurePosixPath(name).as_posix()
                self.photos.guessed.pop(name, None)
                del self._guesses[row]

    def _merged(self) -> list[str]:
        """A line for each class that had several spellings."""
        spelt: dict[str, list[str]] = {}
        for name, tidy in self._names.items():
            spelt.setdefault(tidy, []).append(name)
        return [merged_line(tidy, names) for tidy, names in spelt.items() if len(names) > 1]
