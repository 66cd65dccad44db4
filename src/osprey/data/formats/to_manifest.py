"""From annotations to a manifest: every photo is there and of the size it was annotated at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from osprey.data.box_column import Box
from osprey.data.formats.names import check_names, where_named
from osprey.data.formats.table import Annotations
from osprey.data.manifest import Manifest, complete
from osprey.errors import DataError, UnreadableImage
from osprey.imaging import image_size
from osprey.system.console import counted
from osprey.system.memory import cores

_TOLERANCE = 0.01  # of the aspect, for photos that were scaled after they were annotated


def to_manifest(annotations: Annotations, root: Path, source: str, notices: list[str]) -> Manifest:
    """Make a manifest of annotations, boxes in pixels of the photos with EXIF orientation applied.

    Args:
        annotations: The photos and boxes.
        root: Folder of the photos.
        source: Name of the annotations in errors.
        notices: Lines for the user are appended here.

    Returns:
        The manifest; boxes are scaled where a photo was resized, failed photos are left out.

    Raises:
        DataError: A photo is missing, listed twice or not under ``root``, or was annotated at
            another aspect ratio.
    """
    images = annotations.images
    if images.empty:
        raise DataError(f"'{source}' names no photos")
    check_names(annotations)
    _check_there(annotations, root)
    sizes = _sizes(root, images["file"].tolist())
    sound = _sound(annotations, root, sizes, notices)
    scales = _scales(images, sizes, sound, notices)
    boxes: list[list[Box]] = [[] for _ in range(len(images))]
    for box in annotations.box_rows():
        across, down = scales[box.image]
        numbers = box.x * across, box.y * down, box.w * across, box.h * down
        boxes[box.image].append((box.label, *numbers))
    table = images.rename(columns={"file": "path"})
    table = table.drop(columns=["corrupt", "failure"], errors="ignore")
    table = table.where(table.notna(), "")
    table["width"] = [s[0] if s else w for s, w in zip(sizes, images["width"], strict=True)]
    table["height"] = [s[1] if s else h for s, h in zip(sizes, images["height"], strict=True)]
    table = table.assign(boxes="[]", label="")
    manifest = Manifest(root, table).with_boxes(boxes).where(pd.Series(sound))
    return complete(manifest.table, root, f"'{source}'")


def _check_there(annotations: Annotations, root: Path) -> None:
    files = annotations.images["file"]
    missing = [f for f in files[~annotations.failed()] if not os.path.isfile(root / f)]
    if missing:
        where = where_named(annotations, missing[0])
        raise DataError(
            f"{where}there is no photo {missing[0]!r} under '{root}' "
            f"({len(missing)} of {len(files)} are missing); is data.root right?"
        )


def _sizes(root: Path, files: Sequence[str]) -> list[tuple[int, int] | None]:
    """Width and height of each photo as shown; None for one that cannot be read."""

    def size(file: str) -> tuple[int, int] | None:
        try:
            return image_size(root / file)
        except UnreadableImage:
            return None

    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(size, files, chunksize=16))


def _sound(
    annotations: Annotations,
    root: Path,
    sizes: Sequence[tuple[int, int] | None],
    notices: list[str],
) -> list[bool]:
    """Which photos to keep: not those marked as failed, whose boxes are unknown."""
    images = annotations.images
    # What cannot be read now is left for the check of files, which names each with its reason.
    present = [os.path.isfile(root / file) for file in images["file"]]
    known = [size is not None or not there for size, there in zip(sizes, present, strict=True)]
    left_out = annotations.failed() & pd.Series(known, index=images.index)
    if left_out.any():
        example = images["file"][left_out].iloc[0]
        count = counted(int(left_out.sum()), "photo")
        notices.append(f"left out, marked as failed or corrupt: {count} such as '{example}'")
    return [not out for out in left_out]


def _scales(
    images: pd.DataFrame,
    sizes: Sequence[tuple[int, int] | None],
    sound: Sequence[bool],
    notices: list[str],
) -> list[tuple[float, float]]:
    """By what to multiply each photo's boxes, so that they fit the photo as it is shown."""
    scales, scaled, turned = [], [], []
    rows = zip(images["file"], images["width"], images["height"], sizes, sound, strict=True)
    for file, width, height, size, keep in rows:
        if size is None or not keep or not width or not height or size == (width, height):
            scales.append((1.0, 1.0))
            continue
        across, down = size[0] / width, size[1] / height
        said = f"'{file}' ({width} x {height}, the photo {size[0]} x {size[1]})"
        if size == (height, width):
            turned.append(said)
        elif abs(across / down - 1) > _TOLERANCE:
            raise DataError(f"annotated at another shape than the photo has: {said}")
        else:
            scaled.append(said)
        scales.append((across, down))
    if turned:
        raise DataError(
            f"{len(turned)} photos are shown turned by a quarter (EXIF), but annotated as stored, "
            f"first {turned[0]}: where the boxes fit the photo as shown, correct width and height; "
            "else save the photos upright and without the tag, as they were annotated"
        )
    if scaled:
        notices.append(f"boxes scaled to the photos' size: {len(scaled)}, first {scaled[0]}")
    return scales
