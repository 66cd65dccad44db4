"""Annotations in memory: what every reader makes and every writer takes."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pandas as pd

from osprey.data.manifest import SPLIT_NAMES
from osprey.errors import DataError, UnreadableImage
from osprey.imaging import image_size

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


@dataclass(frozen=True)
class Annotations:
    """Photos and their boxes, independent of the file format.

    Attributes:
        images: One row per photo: ``file`` (POSIX, relative to the photos' root), ``width`` and
            ``height`` in pixels (0: unknown), those of `IMAGE_FIELDS` (None: unknown) and any other
            columns of the source.
        boxes: One row per box: ``image`` (a row number of ``images``), ``label``, ``x``, ``y``,
            ``w``, ``h`` (float64, pixels, top-left), ``score`` (NaN: ground truth) and
            ``classifications`` (``[[name, confidence], ...]``, or None).
        classes: Every class name the source lists, in its order.
        notices: What was left out or filled in while reading.
        sources: The annotation files, where they are few.
        species: Every class name that ``classifications`` may hold, where the source lists them.
        info: MegaDetector's ``info``: ``detector``, ``classifier``.
    """

    images: pd.DataFrame
    boxes: pd.DataFrame
    classes: list[str]
    notices: list[str] = field(default_factory=list)
    sources: list[Path] = field(default_factory=list)
    species: list[str] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)

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
        keep = ~self.failed()
        rows = pd.Series(range(int(keep.sum())), index=self.images.index[keep])
        boxes = self.boxes[self.boxes["image"].isin(rows.index)]
        boxes = boxes.assign(image=boxes["image"].map(rows).astype(int))
        return replace(self, images=self.images[keep].reset_index(drop=True), boxes=boxes)


@dataclass
class Collector:
    """Collects photos and boxes row by row, for a reader."""

    root: Path
    images: list[dict[str, Any]] = field(default_factory=list)
    boxes: list[BoxRow] = field(default_factory=list)
    classes: dict[str, None] = field(default_factory=dict)  # in order, each once
    notices: list[str] = field(default_factory=list)
    sources: list[Path] = field(default_factory=list)
    species: dict[str, None] = field(default_factory=dict)  # in order, each once
    info: dict[str, Any] = field(default_factory=dict)

    def image(self, file: str, width: int = 0, height: int = 0, **said: Any) -> int:
        """Add a photo; returns its row number.

        Raises:
            DataError: Its split is unknown, or a number malformed.
        """
        if str(said.get("split") or ""):
            split = str(said["split"]).lower()
            if split not in SPLIT_NAMES:
                raise DataError(f"'{file}': unknown split '{split}'; use train, val or test")
            said["split"] = SPLIT_NAMES[split]
        for name, kind in IMAGE_FIELDS.items():
            if name in said:
                said[name] = _typed(said[name], kind, name, file)
        file = PurePosixPath(file).as_posix()
        self.images.append({"file": file, "width": width, "height": height, **said})
        return len(self.images) - 1

    def measured(self, file: str, **said: Any) -> int:
        """Add a photo whose size is read from its file; returns its row number.

        A photo that cannot be decoded is marked as failed.

        Raises:
            DataError: There is no such photo under the root.
        """
        if not os.path.isfile(self.root / file):  # which takes any name
            raise DataError(f"there is no photo {file!r} under '{self.root}'")
        try:
            return self.image(file, *image_size(self.root / file), **said)
        except UnreadableImage as error:
            return self.image(file, **{**said, "failure": str(error)})

    def box(
        self,
        image: int,
        label: str,
        box: tuple[float, float, float, float],
        score: float = math.nan,
        classifications: list[Any] | None = None,
    ) -> None:
        """Add a box of the photo in row ``image``: x, y, w, h in pixels."""
        self.boxes.append(BoxRow(image, label, *box, score, classifications))

    def fraction(
        self, image: int, label: str, box: tuple[float, float, float, float], *more: Any
    ) -> None:
        """Add a box in fractions of the photo; it is dropped if the photo's size is unknown."""
        width, height = self.images[image]["width"], self.images[image]["height"]
        if width and height:
            x, y, w, h = box
            self.box(image, label, (x * width, y * height, w * width, h * height), *more)

    def done(self) -> Annotations:
        """Everything added so far as `Annotations`."""
        images = pd.DataFrame(self.images, columns=None if self.images else ["file"], dtype=object)
        for side in ("width", "height"):
            images[side] = images[side].astype(int) if side in images else 0
        images = images.where(images.notna(), None)
        boxes = pd.DataFrame(self.boxes, columns=list(BoxRow._fields))
        boxes["classifications"] = boxes["classifications"].astype(object)
        boxes = boxes.astype(dict.fromkeys(("x", "y", "w", "h", "score"), float) | {"image": int})
        found = dict.fromkeys([*self.classes, *sorted(set(boxes["label"]) - set(self.classes))])
        known = list(found), self.notices, self.sources, list(self.species), self.info
        return Annotations(images, boxes, *known)


def _typed(value: Any, kind: type, name: str, file: str) -> Any:
    if value is None or value == "" or value != value:
        return None
    if kind is bool:
        return value is True or str(value).lower() in ("true", "1")
    if kind is str:
        return str(value)
    try:
        return float(value) if kind is float else int(float(value))
    except (TypeError, ValueError, OverflowError):
        if kind is float:
            raise DataError(f"'{file}': {name} '{value}' is not a number") from None
        raise DataError(f"'{file}': {name} '{value}' is not a whole number") from None
