"""Annotations made to fit the photos that are there, before they are written in another form."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from osprey.data.formats.outlines import lost_outlines, scaled_extra
from osprey.data.formats.photo_sizes import fit_scales
from osprey.data.formats.table import Annotations
from osprey.errors import UnreadableImage, UserError
from osprey.imaging import image_size
from osprey.system.console import counted


def fit_to_photos(annotations: Annotations, root: Path) -> Annotations:
    """Take each photo's size from its file, where the file is there; boxes are scaled with it.

    Outlines and areas are scaled with their boxes; masks in run-length encoding are left out.

    Args:
        annotations: Photos of known size.
        root: Folder of the photos.

    Returns:
        A copy; notices count the photos that are not there, and those of another size than
        declared.

    Raises:
        DataError: A photo has another shape than the one that was annotated.
    """
    sizes = [_size(root / file) for file in annotations.images["file"]]
    annotations = replace(
        annotations, notices=[*annotations.notices, *_absent(annotations, root, sizes)]
    )
    fit = fit_scales(annotations, sizes)
    others = [*fit.turned, *fit.scaled]
    if not others:
        return annotations
    images, boxes = annotations.images.copy(), annotations.boxes.copy()
    for row, size in enumerate(sizes):
        if size is not None and images["width"][row] and images["height"][row]:
            images.loc[row, ["width", "height"]] = size
    scales = np.array(fit.scales)[boxes["image"]]
    for place, sides in enumerate((("x", "w"), ("y", "h"))):
        for side in sides:
            boxes[side] *= scales[:, place]
    said = [
        extra if extra is None or across == down == 1 else scaled_extra(extra, across, down)
        for extra, (across, down) in zip(boxes["extra"], scales.tolist(), strict=True)
    ]
    notices = [
        *annotations.notices,
        f"size taken from the photo, where another is declared: {len(others)}, {others[0]}",
        *lost_outlines(boxes["extra"], said, "scaled"),
    ]
    boxes["extra"] = pd.Series(said, index=boxes.index, dtype=object)
    return replace(annotations, images=images, boxes=boxes, notices=notices)


def _absent(
    annotations: Annotations, root: Path, sizes: Sequence[tuple[int, int] | None]
) -> list[str]:
    """A line where photos are not there that could have been read."""
    sought = annotations.images["file"][~annotations.failed()]
    unread = sought[[sizes[row] is None for row in sought.index]]
    absent = [file for file in unread if not os.path.isfile(f"{root}/{file}")]
    if not absent:
        return []
    some = f"{len(absent)} of {counted(len(sought), 'photo')}"
    return [f"not under '{root}': {some} such as '{absent[0]}'; sizes are taken as declared"]


def _size(photo: Path) -> tuple[int, int] | None:
    try:
        return image_size(photo) if photo.is_file() else None
    except UnreadableImage:
        return None


def with_val(annotations: Annotations, share: float | None) -> Annotations:
    """Cut a validation split of the photos that have no split; the rest of them are for training.

    Args:
        annotations: The photos.
        share: Of them for validation, above 0 and below 1; None leaves them as they are.

    Raises:
        UserError: The share makes no sense, or every photo has a split.
    """
    if share is None:
        return annotations
    if not 0 < share < 1:
        raise UserError(f"--val-fraction: {share:g} is no share between 0 and 1")
    images = annotations.images
    split = images["split"] if "split" in images else images["file"].map(lambda _: None)
    free = np.flatnonzero(split.isna() | (split == ""))
    if not len(free):
        raise UserError("--val-fraction: every photo has a split already; leave it out")
    split = split.astype(object).copy()
    split.iloc[free] = "train"
    count = min(max(round(share * len(free)), 1), max(len(free) - 1, 1))
    split.iloc[np.random.default_rng(0).permutation(free)[:count]] = "val"
    return replace(annotations, images=images.assign(split=split))
