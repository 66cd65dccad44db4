"""The readers of photos with boxes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pandas as pd

from osprey.config.schema import DataConfig
from osprey.data.box_column import DIFFICULT
from osprey.data.folders import existing_folder, photo_names
from osprey.data.formats import box_table
from osprey.data.formats.options import Options
from osprey.data.formats.registry import FORMS, read_annotations
from osprey.data.formats.table import Annotations
from osprey.data.formats.to_manifest import to_manifest
from osprey.data.manifest import Manifest, complete
from osprey.system.console import counted


def read_detection(config: DataConfig, notices: list[str]) -> Manifest:
    """Read boxes in the format that ``data.reader`` names.

    Args:
        config: The data section of the configuration.
        notices: Lines for the user are appended here.

    Returns:
        The manifest, boxes with a score below ``data.min_score`` left out.

    Raises:
        DataError: One line with file and line number.
    """
    root = existing_folder(config.root)
    annotations, source = _annotations(config, root)
    notices.extend(annotations.notices)
    annotations = _sure(annotations, config.min_score, notices)
    manifest = to_manifest(annotations, root, str(source), notices, missing=config.missing)
    manifest = _difficult(manifest, config.difficult, notices)
    form = FORMS.get(config.reader)
    if form is not None and form.places_photos:
        return _leave_out_unlisted(manifest, notices) if config.given_split else manifest
    named = {*annotations.images["file"], *annotations.left_out}
    _tell_unnamed(root, named, notices)
    return manifest


def _difficult(manifest: Manifest, choice: str, notices: list[str]) -> Manifest:
    """The samples with the column of difficult boxes where these are not to count."""
    table = manifest.table
    if DIFFICULT not in table:
        return manifest
    photos = table[DIFFICULT] != "[]"
    count = counted(int(pd.to_numeric(table["difficult"]).sum()), "box")
    told = f"boxes marked difficult: {count} on {counted(int(photos.sum()), 'photo')}"
    if choice == "count":
        notices.append(f"{told}, counted as the others (data.difficult=count)")
        return replace(manifest, table=table.drop(columns=DIFFICULT))
    notices.append(
        f"{told}, learnt from, but neither found nor missed in validation and test, as in VOC "
        "(data.difficult=count counts them)"
    )
    return manifest


def _annotations(config: DataConfig, root: Path) -> tuple[Annotations, Path]:
    """What the source says, and where it lies."""
    source = root
    if config.file is not None:
        places = (Path(config.file), root / config.file)
        source = next((place for place in places if place.exists()), places[1])
    options = Options(config.strict, config.pixels, config.origin, split_names=config.split_names)
    if config.reader == "boxes":
        return box_table.read(source, root, options, config.columns), source
    return read_annotations(source, config.reader, root, options), source


def listed_classes(config: DataConfig) -> list[str]:
    """Every class that the source of a detection set lists, with boxes or without.

    Args:
        config: The data section of the configuration, of one of the formats' readers.
    """
    return _annotations(config, existing_folder(config.root))[0].classes


def _sure(annotations: Annotations, least: float, notices: list[str]) -> Annotations:
    """Leave out what a detector was not sure of; a person's boxes have no score and stay."""
    unsure = annotations.boxes["score"] < least
    if unsure.any():
        notices.append(f"left out, boxes of a score below {least:g}: {unsure.sum()}")
    return replace(annotations, boxes=annotations.boxes[~unsure])


def read_boxes_of(manifest: Manifest, file: Path) -> Manifest:
    """Add the boxes of a COCO file to a manifest's photos.

    Args:
        manifest: The photos.
        file: The COCO file.

    Returns:
        A manifest with boxes; labels follow from them.

    Raises:
        DataError: The file is malformed, or lacks a photo.
    """
    annotations = read_annotations(file, "coco", manifest.root)
    boxed = to_manifest(annotations, manifest.root, str(file), []).table
    known = boxed.set_index("path")[["width", "height", "boxes"]]
    table = manifest.table.drop(columns="label").join(known, on="path")
    return complete(table, manifest.root, str(file))


def _leave_out_unlisted(manifest: Manifest, notices: list[str]) -> Manifest:
    """Leave out photos in no split's list, where there are lists."""
    unlisted = manifest.table["split"] == ""
    if unlisted.all() or not unlisted.any():
        return manifest
    example = manifest.table["path"][unlisted].iloc[0]
    notices.append(
        f"left out, in no split's list: {counted(unlisted.sum(), 'photo')} such as '{example}'"
    )
    return manifest.where(~unlisted)


def _tell_unnamed(root: Path, named: Collection[str], notices: list[str]) -> None:
    """Say how many photos under the root are named by no annotation."""
    unnamed = [path for path in photo_names(root) if path not in named]
    if unnamed:
        count = counted(len(unnamed), "photo")
        notices.append(f"left out, named by no annotation: {count} such as '{unnamed[0]}'")
