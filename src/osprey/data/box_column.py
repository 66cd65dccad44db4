"""The column ``boxes`` of a manifest: JSON text, ``[[label, x, y, w, h], ...]``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.errors import DataError
from osprey.imaging.boxes import NOTHING

# Label, then x, y, w, h in pixels of the photo as shown, from its top-left corner.
Box = tuple[str, float, float, float, float]
# The column of those marked difficult, JSON ``[[x, y, w, h], ...]``: neither found nor missed.
DIFFICULT = "difficult_boxes"
_DECODER = msgspec.json.Decoder(list[Box])  # which checks the types as well


def check_boxes(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Check boxes and sizes of a table; sizes become integers, and missing labels are filled in.

    Args:
        table: Columns ``path``, ``boxes``, ``width`` and ``height``.
        source: Name of the table in errors.

    Returns:
        A copy of the table.

    Raises:
        DataError: Boxes or sizes are malformed; one line that names the photo.
    """
    table = table.copy()
    for path, text in zip(table["path"], table["boxes"], strict=True):
        if not _is_sound(text):
            raise DataError(
                f"{source}: the boxes of '{path}' are not [[label, x, y, w, h], ...] in pixels"
            )
    for side in ("width", "height"):
        pixels = pd.to_numeric(table[side], errors="coerce")
        wrong = pixels.isna() | (pixels < 0) | (pixels % 1 != 0)
        if wrong.any():
            value, path = table[side][wrong].iloc[0], table["path"][wrong].iloc[0]
            raise DataError(f"{source}: {side} '{value}' of '{path}' is not a number of pixels")
        table[side] = pixels.astype(int)
    return table if "label" in table else label_photos(table)


def _is_sound(text: object) -> bool:
    try:
        boxes = parse_boxes(text) if isinstance(text, str) else None
    except (msgspec.MsgspecError, UnicodeError):
        return False
    if boxes is None:
        return False
    return all(min(box[1:]) > -1e9 and max(box[1:]) < 1e9 for box in boxes)


def parse_boxes(text: str) -> list[Box]:
    """Parse the JSON text of one photo's boxes.

    Args:
        text: What `boxes_text` wrote.

    Returns:
        ``(label, x, y, w, h)`` per box, in pixels from the top-left corner.
    """
    return _DECODER.decode(text)


def boxes_text(boxes: Iterable[Box]) -> str:
    """The boxes of one photo as JSON text.

    Args:
        boxes: ``(label, x, y, w, h)`` per box, in pixels from the top-left corner.

    Returns:
        ``[[label, x, y, w, h], ...]``, rounded to a thousandth of a pixel.
    """
    plain = [[label, *(round(v, 3) for v in numbers)] for label, *numbers in boxes]
    return json.dumps(plain, ensure_ascii=False)


def box_texts(labels: Sequence[str], sides: NDArray[np.float64], ends: Sequence[int]) -> list[str]:
    """The texts of many photos, each as `boxes_text` writes it.

    Args:
        labels: Of N boxes, photo by photo.
        sides: float64 [N, 4], their x, y, w, h in pixels.
        ends: The number of the first box of each photo, and N.

    Returns:
        A text for each photo.
    """
    quoted = {label: json.dumps(label, ensure_ascii=False) for label in set(labels)}
    columns = (_texts(sides[:, column]) for column in range(4))
    parts = [
        f"[{quoted[label]}, {x}, {y}, {w}, {h}]"
        for label, x, y, w, h in zip(labels, *columns, strict=True)
    ]
    return [f"[{', '.join(parts[start:end])}]" for start, end in pairwise(ends)]


def _texts(values: NDArray[np.float64]) -> list[str]:
    """Numbers to three decimals; most have no more, and need no rounding, which takes long."""
    plain = values.tolist()
    for place in np.flatnonzero(np.round(values, 3) != values).tolist():
        plain[place] = round(plain[place], 3)
    return list(map(repr, plain))


def label_photos(table: pd.DataFrame) -> pd.DataFrame:
    """Label each photo with the rarest class of its boxes, for stratified splits.

    Args:
        table: With the column ``boxes``.

    Returns:
        A copy with the column ``label``; `NOTHING` for a photo without boxes.
    """
    return with_labels(table, [[box[0] for box in parse_boxes(text)] for text in table["boxes"]])


def with_labels(table: pd.DataFrame, names: Sequence[Sequence[str]]) -> pd.DataFrame:
    """As `label_photos`, by the classes of each photo's boxes."""
    counts = Counter(name for photo in names for name in photo)
    rarest = [min(photo, key=lambda n: (counts[n], n), default=NOTHING) for photo in names]
    return table.assign(label=rarest)
