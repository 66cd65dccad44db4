"""Whether a set's boxes are in pixels: x, y, width and height, as the forms of boxes have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from osprey.data.formats.table import Annotations
from osprey.errors import DataError

_SMALL = 16  # pixels a side, up to which a box of one pixel may be meant
_ENOUGH = 3  # boxes, from which most of them say something of the set
_OVER = 0.05  # of the photo's side over its border: no rounding, no border drawn generously


def check_units(
    annotations: Annotations, source: str, sizes: Sequence[tuple[int, int] | None] = ()
) -> None:
    """Refuse boxes that are fractions, corners, or of other photos, whose pixels make no sense.

    Args:
        annotations: The photos and boxes.
        source: Name of the annotations in the error.
        sizes: Width and height of each photo, where the annotations do not have them.

    Raises:
        DataError: All lie within the photos' first pixel; most reach over the border, and all fit
            as corners; or most lie outside.
    """
    boxes, photos = annotations.boxes, annotations.images[["width", "height"]].to_numpy(dtype=float)
    for row, size in enumerate(sizes):
        if size is not None and (photos[row] <= 0).any():
            photos[row] = size
    photos = photos[boxes["image"].to_numpy(dtype=np.int64)]
    known = (photos > 0).all(axis=1)
    whole = photos[known]
    start, side = (boxes[list(some)].to_numpy(dtype=np.float64)[known] for some in ("xy", "wh"))
    end = start + side
    total = len(whole)
    if not total:
        return
    if (whole > _SMALL).all() and (start >= 0).all() and side.any() and (end <= 1).all():
        raise DataError(
            f"'{source}': all boxes ({total}) lie within the first pixel of their photos, as if "
            "they were fractions: multiply x and width by the photo's width, y and height by its "
            "height"
        )
    if total < _ENOUGH:
        return
    over = (end > (1 + _OVER) * whole).any(axis=1)
    if 2 * over.sum() > total and (side > start).all() and (side <= whole).all():
        raise DataError(
            f"'{source}': {over.sum()} of {total} boxes reach over their photos' borders as x, y, "
            "width, height, and all fit as corners x1, y1, x2, y2: write x2 - x1 and y2 - y1 for "
            "the last two"
        )
    outside = ((np.maximum(start, end) <= 0) | (np.minimum(start, end) >= whole)).any(axis=1)
    if 2 * outside.sum() > total:
        first = int(np.flatnonzero(outside)[0])
        shown = ", ".join(f"{v:g}" for v in (*start[first], *side[first]))
        width, height = whole[first]
        raise DataError(
            f"'{source}': {outside.sum()} of {total} boxes lie outside their photos, the first at "
            f"x, y, width, height {shown} on one of {width:g} x {height:g}: these are other photos "
            "or another unit; correct the boxes, or take them out of the file"
        )
