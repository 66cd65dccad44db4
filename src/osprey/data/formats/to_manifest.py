"""From annotations to a manifest: every photo is there and of the size it was annotated at."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from osprey.data.box_column import DIFFICULT, box_texts, with_labels
from osprey.data.formats.names import check_names, where_named
from osprey.data.formats.photo_sizes import fit_scales
from osprey.data.formats.table import MARKS, Annotations
from osprey.data.formats.units import check_units
from osprey.data.manifest import Manifest, complete
from osprey.data.missing import skip_missing
from osprey.data.notices import Guess
from osprey.errors import DataError, UnreadableImage
from osprey.imaging import image_size
from osprey.system.console import counted
from osprey.system.memory import cores

_FAR = 1e6  # pixels, up to which a box cannot be refused, whatever its photo's scale
_PIECE = 256  # photos that a thread takes at once


def to_manifest(
    annotations: Annotations,
    root: Path,
    source: str,
    notices: list[str],
    *,
    missing: str | None = None,
) -> Manifest:
    """Make a manifest of annotations, boxes in pixels of the photos with EXIF orientation applied.

    Args:
        annotations: The photos and boxes.
        root: Folder of the photos.
        source: Name of the annotations in errors.
        notices: Lines for the user are appended here.
        missing: ``data.missing``, where photos that are not there may be left out; None where the
            command has no such setting.

    Returns:
        The manifest; boxes are scaled where a photo was resized, failed photos are left out.

    Raises:
        DataError: A photo is missing, listed twice or not under ``root``, or was annotated at
            another aspect ratio.
    """
    if annotations.images.empty:
        raise DataError(f"'{source}' names no photos")
    check_names(annotations)
    annotations, present = _there(annotations, root, missing, notices)
    images = annotations.images
    files = images["file"].tolist()
    sizes = _sizes(root, files)
    sound = _sound(annotations, present, sizes, notices)
    kept = [size if keep else None for size, keep in zip(sizes, sound, strict=True)]
    check_units(annotations, source, sizes)
    fit = fit_scales(annotations, kept)
    for what, photos in (
        ("boxes scaled to the photos' size", fit.scaled),
        ("boxes taken to fit photos as EXIF turns them", fit.turned),
    ):
        if photos:
            notices.append(Guess(f"{what}: {len(photos)}, first {photos[0]}"))
    table = images.rename(columns={"file": "path"}).assign(**_marked(annotations))
    hard = _difficult(annotations, fit.scales)
    if any(hard):
        table[DIFFICULT] = [_sides(some, size) for some, size in zip(hard, sizes, strict=True)]
    table = table.drop(columns=["corrupt", "failure"], errors="ignore")
    table = table.where(table.notna(), "")
    table["width"] = [s[0] if s else w for s, w in zip(sizes, images["width"], strict=True)]
    table["height"] = [s[1] if s else h for s, h in zip(sizes, images["height"], strict=True)]
    labels, texts = _boxes_of_photos(annotations, fit.scales)
    table = with_labels(table.assign(boxes=texts), labels)
    manifest = Manifest(root, table).where(pd.Series(sound))
    sane = bool((annotations.boxes[list("xywh")].abs() < _FAR).all(axis=None))
    return complete(manifest.table, root, f"'{source}'", checked=sane)


def _boxes_of_photos(
    annotations: Annotations, scales: Sequence[tuple[float, float]]
) -> tuple[list[list[str]], list[str]]:
    """For each photo the labels of its boxes, and the boxes as the manifest's text."""
    boxes = annotations.boxes
    number = boxes["image"].to_numpy(dtype=np.int64)
    order = np.argsort(number, kind="stable")
    number = number[order]
    by = np.array(scales, dtype=np.float64).reshape(-1, 2)[number]
    sides = boxes[list("xywh")].to_numpy(dtype=np.float64)[order] * by[:, [0, 1, 0, 1]]
    labels = np.array(boxes["label"].tolist(), dtype=object)[order].tolist()
    ends = np.searchsorted(number, np.arange(len(scales) + 1)).tolist()
    texts = box_texts(labels, sides, ends)
    return [labels[a:b] for a, b in pairwise(ends)], texts


def _difficult(
    annotations: Annotations, scales: Sequence[tuple[float, float]]
) -> list[list[tuple[float, float, float, float]]]:
    """For each photo the boxes that are marked difficult, as x, y, width and height."""
    hard: list[list[tuple[float, float, float, float]]] = [[] for _ in range(len(scales))]
    extra = annotations.boxes["extra"]
    said = np.array([bool(known and known.get("difficult")) for known in extra], dtype=bool)
    marked = annotations.boxes.loc[said]
    columns = (marked[name].tolist() for name in ("image", *"xywh"))
    for image, x, y, w, h in zip(*columns, strict=True):
        across, down = scales[image]
        hard[image].append((x * across, y * down, w * across, h * down))
    return hard


def _sides(boxes: Sequence[tuple[float, float, float, float]], size: tuple[int, int] | None) -> str:
    """Boxes without their labels, within the photo, as the others are mended to be."""
    width, height = size or (10**9, 10**9)
    parts = []
    for x, y, w, h in boxes:
        left, top = min(max(x, 0.0), width), min(max(y, 0.0), height)
        right, bottom = min(max(x + w, 0.0), width), min(max(y + h, 0.0), height)
        parts.append([round(v, 3) for v in (left, top, right - left, bottom - top)])
    return json.dumps(parts)


def _marked(annotations: Annotations) -> dict[str, list[int]]:
    """For each mark that any box has, how many boxes of each photo have it."""
    counts = {mark: [0] * len(annotations.images) for mark in MARKS}
    extras = annotations.boxes["extra"]
    known = extras.notna()
    for image, extra in zip(annotations.boxes["image"][known], extras[known], strict=True):
        for mark in MARKS:
            counts[mark][image] += extra.get(mark, 0)
    return {mark: of for mark, of in counts.items() if any(of)}


def _there(
    annotations: Annotations, root: Path, missing: str | None, notices: list[str]
) -> tuple[Annotations, list[bool]]:
    """The photos that are to be read, and which of them are there.

    Raises:
        DataError: One is not, and none may be left out.
    """
    files = annotations.images["file"]
    there = pd.Series([os.path.isfile(f"{root}/{file}") for file in files], index=files.index)
    absent = ~annotations.failed() & ~there
    if not absent.any():
        return annotations, there.tolist()
    names = files[absent].tolist()
    skip_missing(names, len(files), missing, where_named(annotations, names[0]), root, notices)
    return annotations.where(~absent), there[~absent].tolist()


def _sizes(root: Path, files: Sequence[str]) -> list[tuple[int, int] | None]:
    """Width and height of each photo as shown; None for one that cannot be read."""

    def size(file: str) -> tuple[int, int] | None:
        try:
            return image_size(f"{root}/{file}")
        except UnreadableImage:
            return None

    def piece(start: int) -> list[tuple[int, int] | None]:
        return [size(file) for file in files[start : start + _PIECE]]

    with ThreadPoolExecutor(cores()) as pool:
        pieces = pool.map(piece, range(0, len(files), _PIECE))
        return [found for part in pieces for found in part]


def _sound(
    annotations: Annotations,
    present: Sequence[bool],
    sizes: Sequence[tuple[int, int] | None],
    notices: list[str],
) -> list[bool]:
    """Which photos to keep: not those marked as failed, whose boxes are unknown."""
    images = annotations.images
    # What cannot be read now is left for the check of files, which names each with its reason.
    known = [size is not None or not there for size, there in zip(sizes, present, strict=True)]
    left_out = annotations.failed() & pd.Series(known, index=images.index)
    if left_out.any():
        example = images["file"][left_out].iloc[0]
        count = counted(int(left_out.sum()), "photo")
        notices.append(f"left out, marked as failed or corrupt: {count} such as '{example}'")
    return [not out for out in left_out]
