"""Boxes that no photo can have: turned round, cut off at its borders, or dropped."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import Any

import pandas as pd

from osprey.data.box_column import Box
from osprey.data.formats.outlines import lost_outlines, without_outline
from osprey.data.formats.table import Annotations
from osprey.data.manifest import Manifest

_ROUNDING = 0.01  # pixels over the border that come of rounding, cut off without a word
COLUMNS = ("path", "label", "x", "y", "w", "h", "what")


def mend_boxes(manifest: Manifest, notices: list[str]) -> tuple[Manifest, pd.DataFrame]:
    """Repair boxes of a detection set: flipped, clipped at the photo's borders, or dropped.

    Args:
        manifest: Photos with boxes.
        notices: One line with counts is appended if any box was changed.

    Returns:
        The manifest, and one row for each box that was changed: `COLUMNS`, the box as it was and
        what was done (``turned``, ``clipped``, ``turned and clipped``, ``dropped: no area``,
        ``dropped: outside``, ``dropped: there twice``).
    """
    rows: list[tuple[object, ...]] = []
    mended: list[list[Box]] = []
    table = manifest.table
    photos = zip(table["path"], table["width"], table["height"], manifest.box_lists, strict=True)
    for path, width, height, boxes in photos:
        kept: list[Box] = []
        seen: set[Box] = set()
        for box in boxes:
            new, what = _once(*_mended(box, width, height), seen)
            if what:
                rows.append((path, *box, what))
            if new is not None:
                kept.append(new)
        mended.append(kept)
    touched = pd.DataFrame(rows, columns=list(COLUMNS))
    if rows:
        notices.append(mended_line(touched, "boxes_mended.csv"))
    return manifest.with_boxes(mended), touched


def mend_annotations(annotations: Annotations) -> tuple[Annotations, pd.DataFrame]:
    """Repair boxes of annotations; those on photos of unknown size are left alone.

    Args:
        annotations: Photos with boxes.

    Returns:
        The annotations, and one row for each box that was changed, as in `mend_boxes`.
    """
    rows: list[tuple[object, ...]] = []
    photos = annotations.images[["file", "width", "height"]].to_numpy().tolist()
    kept: list[bool] = []
    boxes: list[Box] = []
    extras: list[dict[str, Any] | None] = []
    seen: dict[int, set[Box]] = defaultdict(set)
    for row in annotations.box_rows():
        (file, width, height), box = photos[row.image], (row.label, row.x, row.y, row.w, row.h)
        new, what = _mended(box, width, height) if width and height else (box, "")
        new, what = _once(new, what, seen[row.image])
        if what:
            rows.append((file, *box, what))
        kept.append(new is not None)
        boxes.append(new or box)
        cut = new is not None and row.extra is not None and "clipped" in what
        extras.append(without_outline(row.extra or {}) if cut else row.extra)
    sides = {side: [box[place] for box in boxes] for place, side in enumerate("xywh", start=1)}
    lost = lost_outlines(annotations.boxes["extra"], extras, "cut at the photo's border")
    table = annotations.boxes.assign(**sides, extra=pd.Series(extras, dtype=object))
    table = table[pd.Series(kept, dtype=bool)].reset_index(drop=True)
    notices = [*annotations.notices, *lost]
    done = replace(annotations, boxes=table, notices=notices)
    return done, pd.DataFrame(rows, columns=list(COLUMNS))


def _once(new: Box | None, what: str, seen: set[Box]) -> tuple[Box | None, str]:
    """What was made of a box, or that it is there twice: a detector would find it once."""
    if new is None:
        return None, what
    label, x, y, w, h = new
    key = (label, round(x, 3), round(y, 3), round(w, 3), round(h, 3))  # as they are kept
    if key in seen:
        return None, "dropped: there twice"
    seen.add(key)
    return new, what


def mended_line(touched: pd.DataFrame, file: str) -> str:
    """One line with counts of the boxes that were changed.

    Args:
        touched: Rows of `mend_boxes`.
        file: Name of the file that lists them.

    Returns:
        The line.
    """
    counts = ", ".join(f"{n} {what}" for what, n in Counter(touched["what"]).most_common())
    return f"boxes mended, listed in {file}: {counts}"


def _mended(box: Box, width: int, height: int) -> tuple[Box | None, str]:
    label, x, y, w, h = box
    turned = "turned" if w < 0 or h < 0 else ""
    left, right = sorted((x, x + w))
    top, bottom = sorted((y, y + h))
    if round(right - left, 3) == 0 or round(bottom - top, 3) == 0:
        return None, "dropped: no area"
    over = max(-left, -top, right - width, bottom - height)
    left, top = max(left, 0.0), max(top, 0.0)
    right, bottom = min(right, float(width)), min(bottom, float(height))
    if round(right - left, 3) <= 0 or round(bottom - top, 3) <= 0:
        return None, "dropped: outside"
    if over > 0:
        x, y, w, h = left, top, right - left, bottom - top
    elif turned:
        x, y, w, h = left, top, abs(w), abs(h)
    done = [word for word in (turned, "clipped" if over > _ROUNDING else "") if word]
    return (label, x, y, w, h), " and ".join(done)
