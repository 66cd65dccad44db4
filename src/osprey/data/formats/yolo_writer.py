"""YOLO's folder of photos, text files and ``data.yaml``, written."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from osprey.data.formats.placing import boxes_of, check_places, place_photo
from osprey.data.formats.table import Annotations, BoxRow
from osprey.data.formats.yolo_set import UNSPLIT
from osprey.data.manifest import SPLITS


def write(annotations: Annotations, path: Path, root: Path) -> None:
    """Write the set with links to the photos; photos without a split are in train.

    Args:
        annotations: With every photo's size.
        path: The new folder.
        root: Folder of the photos.

    Raises:
        DataError: A photo is missing, or two need the same file.
    """
    numbers = {name: number for number, name in enumerate(annotations.classes)}
    records = annotations.records()
    places = [_places(record) for record, _ in records]
    check_places((record["file"], two) for (record, _), two in zip(records, places, strict=True))
    folders: dict[str, str] = {}
    for (record, boxes), (photo, text) in zip(records, places, strict=True):
        folders[record.get("split") or ""] = "/".join(photo.parts[:2])
        place_photo(root / record["file"], path / photo)
        (path / text).parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{numbers[box.label]} {_fractions(box, record)}\n" for box in boxes]
        (path / text).write_text("".join(lines), encoding="utf-8")
    (path / "data.yaml").write_text(_yaml(folders, numbers), encoding="utf-8")


def _places(record: dict[str, Any]) -> tuple[PurePosixPath, PurePosixPath]:
    """Where a photo and its boxes go, in the folder that is written."""
    folder = record.get("split") or UNSPLIT
    name = record["file"].removeprefix(f"images/{folder}/").removeprefix("JPEGImages/")
    photo = PurePosixPath("images", folder, name)
    text = boxes_of(f"set/{photo}").relative_to("set")
    return photo, PurePosixPath(text.as_posix())


def _yaml(folders: dict[str, str], numbers: dict[str, int]) -> str:
    places: dict[str, Any] = {}
    for split in SPLITS:
        own = [folders[split]] if split in folders else []
        own += [folders[""]] if split == "train" and "" in folders else []
        if own:
            places[split] = own
    content = {"path": ".", **places, "names": {n: name for name, n in numbers.items()}}
    return str(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))


def _fractions(box: BoxRow, record: dict[str, Any]) -> str:
    width, height = record["width"], record["height"]
    values = (
        (box.x + box.w / 2) / width,
        (box.y + box.h / 2) / height,
        box.w / width,
        box.h / height,
    )
    return " ".join(f"{value:.8f}" for value in values)
