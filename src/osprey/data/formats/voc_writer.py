"""Pascal VOC's three folders, written. Pixels count from 1, as its specification says."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any
from xml.sax.saxutils import escape

from osprey.data.formats.placing import check_places, place_photo
from osprey.data.formats.table import MARKS, Annotations, BoxRow
from osprey.data.formats.xml_file import NOT_XML
from osprey.errors import DataError

PHOTOS, XML, LISTS = "JPEGImages", "Annotations", "ImageSets/Main"
CLASSES = "classes.txt"  # beside them: a class may have no box


def write(annotations: Annotations, path: Path, root: Path) -> None:
    """Write the three folders; the photos are linked into ``JPEGImages``.

    Args:
        annotations: With every photo's size.
        path: The new folder.
        root: Folder of the photos.

    Raises:
        DataError: A photo is missing, two need the same file, or a name cannot be written in XML.
    """
    records = annotations.records()
    names = [PurePosixPath(record["file"].removeprefix(f"{PHOTOS}/")) for record, _ in records]
    places = [(PHOTOS / name, (XML / name).with_suffix(".xml")) for name in names]
    check_places((record["file"], two) for (record, _), two in zip(records, places, strict=True))
    lists: dict[str, list[str]] = {}
    (path / XML).mkdir(parents=True)
    for (record, boxes), name, two in zip(records, names, places, strict=True):
        place_photo(root / record["file"], path / two[0])
        xml = path / two[1]
        xml.parent.mkdir(parents=True, exist_ok=True)
        xml.write_text(_xml(record, name, boxes), encoding="utf-8")
        if record.get("split"):
            lists.setdefault(record["split"], []).append(name.with_suffix("").as_posix())
    if lists:
        (path / LISTS).mkdir(parents=True)
    classes = "".join(f"{name}\n" for name in annotations.classes)
    (path / CLASSES).write_text(classes, encoding="utf-8")
    for split, stems in lists.items():
        text = "".join(f"{stem}\n" for stem in stems)
        (path / LISTS / f"{split}.txt").write_text(text, encoding="utf-8")


def _xml(record: dict[str, Any], name: PurePosixPath, boxes: list[BoxRow]) -> str:
    lines = ["<annotation>", f"  <filename>{escape(str(name))}</filename>", "  <size>"]
    lines += [f"    <{side}>{record[side]}</{side}>" for side in ("width", "height")]
    lines += ["    <depth>3</depth>", "  </size>"]
    for box in boxes:
        lines += ["  <object>", f"    <name>{escape(box.label)}</name>"]
        marks = {mark: (box.extra or {}).get(mark) for mark in MARKS}
        lines += [
            f"    <{mark}>{value}</{mark}>" for mark, value in marks.items() if value is not None
        ]
        ends = {"xmin": box.x + 1, "ymin": box.y + 1, "xmax": box.x + box.w, "ymax": box.y + box.h}
        lines.append("    <bndbox>")
        lines += [f"      <{key}>{round(v, 4):.10g}</{key}>" for key, v in ends.items()]
        lines += ["    </bndbox>", "  </object>"]
    text = "\n".join([*lines, "</annotation>", ""])
    if NOT_XML.search(text):
        raise DataError(f"{record['file']!r}: a control character in its name or labels, not XML")
    return text
