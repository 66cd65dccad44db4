"""COCO's boxes as columns: a million of them, mostly without an object for each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.data.formats.table import BoxRow

CHUNK = 8192  # entries that are decoded at once
_FAR = 1e9  # pixels; numbers beyond are looked at one by one


class _Plain(msgspec.Struct):
    """A box that says no more than most do; any other is refused, and read one by one."""

    image_id: int | str | float
    category_id: int | str | float
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0
    score: None = None
    classifications: None = None
    attributes: None = None
    difficult: None = None
    truncated: None = None
    occluded: None = None


_PLAIN = msgspec.json.Decoder(list[_Plain])


@dataclass
class PlainBoxes:
    """A chunk of annotations that are boxes and nothing else.

    Attributes:
        images: Of each its photo's number.
        labels: Of each its class's number.
        boxes: float64 [N, 4], x, y, w, h.
        crowds: Numbers of the photos of those that are round crowds, which are left out.
    """

    images: NDArray[np.int64]
    labels: NDArray[np.int64]
    boxes: NDArray[np.float64]
    crowds: list[int]


def plain_boxes(
    parts: Sequence[Any], images: Mapping[Any, int], labels: Mapping[Any, int]
) -> PlainBoxes | None:
    """Decode a chunk at once.

    Args:
        parts: Entries as msgspec cut them.
        images: The number of each photo, by its id.
        labels: The number of each class, by its id.

    Returns:
        The boxes; None where an entry has to be looked at by itself.
    """
    try:
        items = _PLAIN.decode(b"[" + b",".join(parts) + b"]")
    except (msgspec.MsgspecError, TypeError, UnicodeDecodeError):
        return None
    of_image = [images.get(item.image_id, -1) for item in items]
    of_label = [labels.get(item.category_id, -1) for item in items]
    sides = chain.from_iterable(item.bbox for item in items)
    boxes = np.fromiter(sides, np.float64, 4 * len(items)).reshape(-1, 4)
    if min(of_image) < 0 or min(of_label) < 0 or not (np.abs(boxes).sum(axis=1) < _FAR).all():
        return None
    if not boxes[:, 2:].any(axis=1).all():  # zeros, which may stand beside an outline
        return None
    crowd = np.array([item.iscrowd != 0 for item in items])
    numbers = np.array(of_image, dtype=np.int64)
    found = np.array(of_label, dtype=np.int64)
    if not crowd.any():
        return PlainBoxes(numbers, found, boxes, [])
    return PlainBoxes(numbers[~crowd], found[~crowd], boxes[~crowd], numbers[crowd].tolist())


@dataclass
class BoxColumns:
    """The boxes of one file, in the order of its entries."""

    images: list[NDArray[np.int64]] = field(default_factory=list)
    labels: list[NDArray[np.int64]] = field(default_factory=list)
    boxes: list[NDArray[np.float64]] = field(default_factory=list)
    said: dict[int, tuple[float, Any, Any]] = field(default_factory=dict)
    count: int = 0

    def add_plain(self, chunk: PlainBoxes) -> None:
        """Take up a chunk."""
        self.images.append(chunk.images)
        self.labels.append(chunk.labels)
        self.boxes.append(chunk.boxes)
        self.count += len(chunk.images)

    def add(
        self,
        rows: Sequence[tuple[int, int, tuple[float, ...], tuple[float, Any, Any]]],
    ) -> None:
        """Take up boxes with what is said of them.

        Args:
            rows: The photo's number, the class's, x, y, w, h; and score, classifications, extra.
        """
        if not rows:
            return
        for place, (*_, said) in enumerate(rows, self.count):
            if not math.isnan(said[0]) or said[1] is not None or said[2] is not None:
                self.said[place] = said
        numbers, labels, boxes, _ = zip(*rows, strict=True)
        chunk = PlainBoxes(
            np.array(numbers, dtype=np.int64),
            np.array(labels, dtype=np.int64),
            np.array(boxes, dtype=np.float64),
            [],
        )
        self.add_plain(chunk)

    def of_photos(self) -> set[int]:
        """The numbers of the photos that have boxes."""
        return set(np.unique(np.concatenate(self.images)).tolist()) if self.images else set()

    def table(self, rows: Iterable[int], names: Sequence[str]) -> pd.DataFrame | None:
        """The boxes as a part of `Annotations.boxes`, photo by photo.

        Args:
            rows: Of each photo's number its row.
            names: Of each class's number its name.

        Returns:
            The table; None where there is no box.
        """
        if not self.count:
            return None
        numbers = np.concatenate(self.images)
        order = np.argsort(numbers, kind="stable")
        found = np.array(list(rows), dtype=np.int64)
        boxes = np.concatenate(self.boxes)[order]
        labels = np.array(names, dtype=object)[np.concatenate(self.labels)[order]]
        score = np.full(self.count, np.nan)
        ranked, extra = (np.full(self.count, None, dtype=object) for _ in range(2))
        for place, said in self.said.items():
            score[place], ranked[place], extra[place] = said
        columns = [found[numbers[order]], labels.tolist(), *boxes.T]
        columns += [score[order], ranked[order], extra[order]]
        return pd.DataFrame(dict(zip(BoxRow._fields, columns, strict=True)))
