"""Boxes on photos of another size than the one that was annotated: scaled, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.data.formats.table import Annotations
from osprey.errors import DataError

_TOLERANCE = 0.01  # of the aspect, for photos that were scaled after they were annotated
_ROUNDING = 1  # pixel by which a box may reach over the border


@dataclass(frozen=True)
class Fit:
    """How boxes come to fit their photos.

    Attributes:
        scales: For each photo, by what x and y are to be multiplied.
        scaled: Photos that were resized since, each with both sizes.
        turned: Photos that EXIF turns by a quarter, and whose boxes fit them so.
    """

    scales: list[tuple[float, float]]
    scaled: list[str]
    turned: list[str]


def fit_scales(annotations: Annotations, sizes: Sequence[tuple[int, int] | None]) -> Fit:
    """Compare the sizes that were declared with those of the photos.

    Boxes on photos that EXIF turns by a quarter, declared as they are stored, may be meant either
    way. One that fits only the photos as they are shown decides it for the set; else the set is
    refused.

    Args:
        annotations: The photos (0 pixels: size unknown) and boxes.
        sizes: Width and height of each photo as it is shown; None leaves it as it is.

    Returns:
        What to do.

    Raises:
        DataError: Photos are annotated at another aspect ratio, or seem to be as they are stored.
    """
    scales, scaled = [], []
    turned: dict[int, str] = {}
    images = annotations.images
    rows = zip(images["file"], images["width"], images["height"], sizes, strict=True)
    for row, (file, width, height, size) in enumerate(rows):
        scales.append((1.0, 1.0))
        if size is None or not width or not height or size == (width, height):
            continue
        said = f"'{file}' (declared {width} x {height}, the photo {size[0]} x {size[1]})"
        if size == (height, width):
            turned[row] = said
        elif abs(size[0] * height / (size[1] * width) - 1) > _TOLERANCE:
            raise DataError(f"annotated at another shape than the photo has: {said}")
        else:
            scales[row] = size[0] / width, size[1] / height
            scaled.append(said)
    if turned:
        _check_turned(annotations, turned)
    return Fit(scales, scaled, list(turned.values()))


def _check_turned(annotations: Annotations, turned: dict[int, str]) -> None:
    """Refuse photos that EXIF turns unless their boxes show that they fit them so."""
    boxes = annotations.boxes[annotations.boxes["image"].isin(turned)]
    if boxes.empty:
        return
    stored = annotations.images.loc[boxes["image"], ["width", "height"]].to_numpy(np.int64)
    as_stored = _inside(boxes, stored)
    as_shown = _inside(boxes, stored[:, ::-1])
    if as_shown.all() and not as_stored.all():
        return
    wrong = boxes["image"][~as_shown]
    first = turned[wrong.iloc[0] if len(wrong) else boxes["image"].iloc[0]]
    raise DataError(
        "photos whose width and height are declared the other way round, as they are stored where "
        f"EXIF turns them: {len(turned)}, such as {first}: where the boxes fit the "
        "photo as shown, correct width and height; else save the photos upright and without the "
        "tag, as they were annotated"
    )


def _inside(boxes: pd.DataFrame, frame: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each box ends inside its frame, int [N, 2] width and height."""
    corners = boxes[["x", "y"]].to_numpy(dtype=float) + boxes[["w", "h"]].to_numpy(dtype=float)
    inside: NDArray[np.bool_] = corners <= frame + _ROUNDING
    return inside[:, 0] & inside[:, 1]
