"""The column ``boxes`` of a manifest: JSON text, ``[[label, x, y, w, h], ...]``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

import pandas as pd

from osprey.errors import DataError

# Label, then x, y, w, h in pixels of the photo as shown, from its top-left corner.
Box = tuple[str, float, float, float, float]
NOTHING = "nothing"  # the label of a photo without boxes


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
        boxes = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return False
    return isinstance(boxes, list) and all(
        isinstance(box, list)
        and len(box) == 5
        and isinstance(box[0], str)
        and all(isinstance(v, int | float) and abs(v) < 1e9 for v in box[1:])
        for box in boxes
    )


def parse_boxes(text: str) -> list[Box]:
    """Parse the JSON text of one photo's boxes.

    Args:
        text: What `boxes_text` wrote.

    Returns:
        ``(label, x, y, w, h)`` per box, in pixels from the top-left corner.
    """
    return [
        (label, float(x), float(y), float(w), float(h)) for label, x, y, w, h in json.loads(text)
    ]


def boxes_text(boxes: Iterable[Box]) -> str:
    """The boxes of one photo as JSON text.

    Args:
        boxes: ``(label, x, y, w, h)`` per box, in pixels from the top-left corner.

    Returns:
        ``[[label, x, y, w, h], ...]``, rounded to a thousandth of a pixel.
    """
    plain = [[label, *(round(v, 3) for v in numbers)] for label, *numbers in boxes]
    return json.dumps(plain, ensure_ascii=False)


def label_photos(table: pd.DataFrame) -> pd.DataFrame:
    """Label each photo with the rarest class of its boxes, for stratified splits.

    Args:
        table: With the column ``boxes``.

    Returns:
        A copy with the column ``label``; `NOTHING` for a photo without boxes.
    """
    names = [[box[0] for box in json.loads(text)] for text in table["boxes"]]
    counts = Counter(name for photo in names for name in photo)
    rarest = [min(photo, key=lambda n: (counts[n], n), default=NOTHING) for photo in names]
    return table.assign(label=rarest)
