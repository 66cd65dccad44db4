"""Pascal VOC: one XML file a photo, and lists of the photos in each split.

A box reaches from ``xmin, ymin`` up to ``xmax, ymax``: its width is their difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any
from xml.sax.saxutils import escape

from osprey.data.folders import walk_photos
from osprey.data.formats.parsing import read_lines, read_xml
from osprey.data.formats.placing import below, check_places, check_stems, place_photo
from osprey.data.formats.table import Annotations, BoxRow, Collector
from osprey.data.formats.values import four_numbers
from osprey.data.manifest import SPLIT_NAMES
from osprey.errors import DataError
from osprey.system.console import counted

_PHOTOS, _XML, _LISTS = "JPEGImages", "Annotations", "ImageSets/Main"
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # even escaped
_LISTED_AS = {"trainval": "train", **SPLIT_NAMES}


def read(path: Path, root: Path) -> Annotations:
    """Read ``Annotations/``, ``JPEGImages/`` and ``ImageSets/Main/``, or XML beside the photos.

    Photos without an XML file have no objects; a notice counts them.

    Args:
        path: The folder.
        root: Folder that the photos' names are relative to.

    Returns:
        The annotations, boxes in pixels.

    Raises:
        DataError: One line with file and line number.
    """
    if not path.is_dir():
        raise DataError(f"'{path}' is no folder: VOC is read from the folder with '{_XML}' in it")
    classic = (path / _XML).is_dir()
    xml_folder = path / _XML if classic else path
    photo_folder = path / _PHOTOS if (path / _PHOTOS).is_dir() else path
    found_photos = list(walk_photos(photo_folder))
    check_stems(photo.relative_to(photo_folder).as_posix() for photo in found_photos)
    photos = {_stem(photo.relative_to(photo_folder)): photo for photo in found_photos}
    found_xml = [xml for xml in sorted(xml_folder.rglob("*.xml")) if not xml.is_dir()]
    files = {_stem(xml.relative_to(xml_folder)): xml for xml in found_xml}
    if not files:
        raise DataError(f"no XML files in '{xml_folder}': is data.root the folder with '{_XML}'?")
    splits = _listed(path / _LISTS, photos) if (path / _LISTS).is_dir() else {}
    found = Collector(root)
    unannotated: list[str] = []
    for stem, xml in files.items():
        if stem not in photos:
            photos[stem] = _named_in(xml, photo_folder)
    for stem, photo in photos.items():
        name = below(photo, root)
        split = splits.get(stem) or ("" if splits else _split_above(photo, path))
        if stem in files:
            _take(found, files[stem], name, split)
        else:
            unannotated.append(name)
            found.measured(name, split=split)
    if unannotated:
        count = counted(len(unannotated), "photo")
        found.notices.append(
            f"no XML file, taken as photos of nothing: {count} such as '{unannotated[0]}'"
        )
    return found.done()


def _stem(path: Path) -> str:
    return path.with_suffix("").as_posix()


def _split_above(photo: Path, path: Path) -> str:
    parts = Path(os.path.relpath(photo, path)).parts
    return SPLIT_NAMES.get(parts[0].lower(), "") if len(parts) > 1 else ""


def _listed(folder: Path, photos: dict[str, Path]) -> dict[str, str]:
    """The split of each photo that the lists name; ``trainval`` counts where ``train`` is not."""
    splits: dict[str, str] = {}
    lists = {file.stem.lower(): file for file in sorted(folder.glob("*.txt"))}
    for name, file in lists.items():
        if name not in _LISTED_AS or (name == "trainval" and "train" in lists):
            continue
        for number, line in enumerate(read_lines(file), start=1):
            stem = line if line in photos else line.strip()
            if not stem:
                continue
            where = f"'{file}' line {number}"
            if stem not in photos:
                raise DataError(f"{where}: there is no photo '{stem}'")
            if splits.get(stem, _LISTED_AS[name]) != _LISTED_AS[name]:
                raise DataError(f"{where}: '{stem}' is listed in {splits[stem]} too")
            splits[stem] = _LISTED_AS[name]
    return splits


def _named_in(xml: Path, photos: Path) -> Path:
    """The photo that an XML file names, where none has its own name."""
    top = read_xml(xml)
    node = top.find("filename") or top
    name = node.text.strip() if node is not top else xml.stem
    for place in (photos / name, xml.parent / name):
        if name and place.is_file():
            return place
    raise DataError(f"'{xml}' line {node.line}: there is no photo '{name}' in '{photos}'")


def _take(found: Collector, xml: Path, name: str, split: str) -> None:
    top = read_xml(xml)
    if top.tag != "annotation":
        raise DataError(f"'{xml}' line {top.line}: <{top.tag}> where <annotation> is expected")
    size = top.find("size")
    sides = [size.find(side) if size else None for side in ("width", "height")]
    numbers = [int(float(s.text)) if s and _is_number(s.text) else 0 for s in sides]
    row = found.image(name, *numbers, split=split)
    for node in top.all("object"):
        label, box = node.find("name"), node.find("bndbox")
        if label is None or not label.text.strip():
            raise DataError(f"'{xml}' line {node.line}: an <object> without a <name>")
        if box is None:
            raise DataError(f"'{xml}' line {node.line}: an <object> without a <bndbox>")
        corners = [box.find(key) for key in ("xmin", "ymin", "xmax", "ymax")]
        texts = [corner.text.strip() if corner else "" for corner in corners]
        x, y, x2, y2 = four_numbers(texts, f"'{xml}' line {box.line}")
        found.box(row, label.text.strip(), (x, y, x2 - x, y2 - y))


def _is_number(text: str) -> bool:
    try:
        return 0 <= float(text) < 1e9
    except ValueError:
        return False


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
    names = [PurePosixPath(record["file"].removeprefix(f"{_PHOTOS}/")) for record, _ in records]
    places = [(_PHOTOS / name, (_XML / name).with_suffix(".xml")) for name in names]
    check_places((record["file"], two) for (record, _), two in zip(records, places, strict=True))
    lists: dict[str, list[str]] = {}
    (path / _XML).mkdir(parents=True)
    for (record, boxes), name, two in zip(records, names, places, strict=True):
        place_photo(root / record["file"], path / two[0])
        xml = path / two[1]
        xml.parent.mkdir(parents=True, exist_ok=True)
        xml.write_text(_xml(record, name, boxes), encoding="utf-8")
        if record.get("split"):
            lists.setdefault(record["split"], []).append(name.with_suffix("").as_posix())
    if lists:
        (path / _LISTS).mkdir(parents=True)
    for split, stems in lists.items():
        text = "".join(f"{stem}\n" for stem in stems)
        (path / _LISTS / f"{split}.txt").write_text(text, encoding="utf-8")


def _xml(record: dict[str, Any], name: PurePosixPath, boxes: list[BoxRow]) -> str:
    lines = ["<annotation>", f"  <filename>{escape(str(name))}</filename>", "  <size>"]
    lines += [f"    <{side}>{record[side]}</{side}>" for side in ("width", "height")]
    lines += ["    <depth>3</depth>", "  </size>"]
    for box in boxes:
        corners = {"xmin": box.x, "ymin": box.y, "xmax": box.x + box.w, "ymax": box.y + box.h}
        lines += ["  <object>", f"    <name>{escape(box.label)}</name>", "    <bndbox>"]
        lines += [f"      <{key}>{round(v, 4)}</{key}>" for key, v in corners.items()]
        lines += ["    </bndbox>", "  </object>"]
    text = "\n".join([*lines, "</annotation>", ""])
    if _NOT_XML.search(text):
        raise DataError(f"{record['file']!r}: a control character in its name or labels, not XML")
    return text
