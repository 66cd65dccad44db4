"""YOLO's folder of photos, text files and ``data.yaml``, written."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from osprey.data.annotations.placing import check_stems, place_photo
from osprey.data.annotations.table import Annotations, BoxRow
from osprey.data.manifest import SPLITS


def write(annotations: Annotations, path: Path, root: Path) -> None:
    """Write the set; the photos stand in it as links, those of no split in two splits at once."""
    check_stems(annotations.images["file"])
    numbers = {name: number for number, name in enumerate(annotations.classes)}
    folders: dict[str, str] = {}
    for record, boxes in annotations.records():
        split = record.get("split") or ""
        folder = split or "unsplit"
        folders[split] = f"images/{folder}"
        name = PurePosixPath(
            record["file"].removeprefix(f"images/{folder}/").removeprefix("JPEGImages/")
        )
        place_photo(root / record["file"], path / "images" / folder / name)
        file = (path / "labels" / folder / name).with_suffix(".txt")
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{numbers[box.label]} {_fractions(box, record)}\n" for box in boxes]
        file.write_text("".join(lines), encoding="utf-8")
    of_none = [folders[""]] if "" in folders else []
    places: dict[str, Any] = {}
    for split in SPLITS:
        own = [folders[split]] if split in folders else []
        if own or (of_none and split != "test"):
            places[split] = [*own, *(of_none if split != "test" else [])]
    content = {"path": ".", **places, "names": {n: name for name, n in numbers.items()}}
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    (path / "data.yaml").write_text(text, encoding="utf-8")


def _fractions(box: BoxRow, record: dict[str, Any]) -> str:
    width, height = record["width"], record["height"]
    values = (
        (box.x + box.w / 2) / width,
        (box.y + box.h / 2) / height,
        box.w / width,
        box.h / height,
    )
    return " ".join(f"{value:.8f}" for value in values)
