"""COCO Camera Traps: labels of whole photos, in COCO's lists, with the sequence of each photo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from osprey.config.schema import DataConfig
from osprey.data.class_names import tidy_name
from osprey.data.folders import existing_folder
from osprey.data.formats.coco_file import CocoFile
from osprey.data.formats.label_studio import json_in
from osprey.data.formats.table import IMAGE_FIELDS
from osprey.data.formats.values import ById, a_flag
from osprey.data.manifest import Manifest, complete
from osprey.data.missing import skip_missing
from osprey.data.photo_paths import PhotoPaths, plain_path
from osprey.errors import DataError
from osprey.system.console import counted


def read_camera_traps(config: DataConfig, notices: list[str]) -> Manifest:
    """Read the labels of photos from a COCO Camera Traps file.

    The column ``labels`` has each photo's labels as a JSON list, ``label`` the first of them.
    Classification learns from photos of a single one (`single_labels`).

    Args:
        config: The data section of the configuration.
        notices: Lines for the user are appended here.

    Returns:
        Photos with ``label``, and ``location``, ``seq_id`` and so on where the file has them.

    Raises:
        DataError: One line with file and line number.
    """
    root = existing_folder(config.root)
    named = [Path(config.file), root / config.file] if config.file is not None else [root]
    path = next((place for place in named if place.exists()), named[-1])
    file = json_in(path) if path.exists() else None
    if file is None:
        raise DataError(f"no COCO Camera Traps file in '{path}': name it with data.file=FILE.json")
    content = CocoFile(file)
    images = content.by_id("images", "file_name")
    labels = _labels(content, images)
    paths = PhotoPaths(root)
    folder = content.photo_folder(root, images.values())
    rows, corrupt, missing = [], 0, []
    names = {key: f"{folder}{item['file_name']}" for key, item in images.items()}
    listed = set(names.values())
    for key, item in images.items():
        name = names[key]
        there = paths.find(name)
        if there is not None and there != name and there in listed and plain_path(name) != there:
            there = None  # another entry's photo
        if a_flag(item.get("corrupt")):
            corrupt += 1
        elif there is None:
            missing.append(name)
        elif labels.get(key):
            said = {k: item[k] for k in IMAGE_FIELDS if k in item and k != "corrupt"}
            row = {"path": there, "label": labels[key][0], **said}
            rows.append({**row, "labels": json.dumps(labels[key], ensure_ascii=False)})
    skip_missing(missing, len(images), config.missing, f"'{file}': ", root, notices)
    unlabelled = len(images) - corrupt - len(missing) - len(rows)
    if corrupt:
        notices.append(f"left out, marked as failed or corrupt: {counted(corrupt, 'photo')}")
    if unlabelled:
        notices.append(f"left out, without a label: {counted(unlabelled, 'photo')}")
    notices += paths.notice()
    if not rows:
        raise DataError(f"'{file}' labels no photo")
    return complete(pd.DataFrame(rows).fillna(""), root, f"'{file}'")


def single_labels(manifest: Manifest, notices: list[str]) -> Manifest:
    """The photos of a single label.

    Args:
        manifest: As `read_camera_traps` makes it.
        notices: A line is appended if photos are left out.
    """
    several = manifest.table["labels"].map(lambda text: len(json.loads(text))) > 1
    if several.any():
        example = manifest.table["path"][several].iloc[0]
        count = counted(int(several.sum()), "photo")
        notices.append(f"left out, of several labels: {count} such as '{example}'")
    return manifest.where(~several)


def _labels(content: CocoFile, images: dict[Any, dict[str, Any]]) -> dict[Any, list[str]]:
    """The labels of each photo, each once."""
    categories = content.by_id("categories", "name")
    of_image, of_category = ById(images), ById(categories)
    labels: dict[Any, list[str]] = {}
    for item in content.items("annotations"):
        image = of_image.key(item.get("image_id"))
        category = of_category.key(item.get("category_id"))
        if image is None:
            raise content.wrong("image_id", item.get("image_id"), "is not among the images")
        if category is None:
            said = item.get("category_id")
            raise content.wrong("category_id", said, "is not among the categories")
        name, of = tidy_name(str(categories[category]["name"])), labels.setdefault(image, [])
        if name not in of:
            of.append(name)
    return labels
