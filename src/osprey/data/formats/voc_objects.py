"""The objects of one VOC file: upright and turned boxes, polygons, and what is said of each."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osprey.data.formats.outlines import corners
from osprey.data.formats.table import MARKS
from osprey.data.formats.values import a_flag, a_number, four_numbers
from osprey.data.formats.xml_file import Node, read_xml
from osprey.errors import DataError
from osprey.imaging.boxes import polygon_box, turned_corners

_SAID = {"name", "bndbox", "robndbox", "polygon", "part", *MARKS}
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
Object = tuple[str, tuple[float, ...], dict[str, Any]]


@dataclass
class VocFile:
    """One XML file.

    Attributes:
        path: The file.
        filename: The photo that it names, "" where it names none.
        line: Where it names it.
        size: Width and height in pixels, 0 where they are not given.
        objects: Class, ``xmin, ymin, xmax, ymax`` as they stand there, and marks of each object.
        outlined: Likewise, of those with an outline or a turned box alone.
        more: Elements of an object that are not read.
        guesses: What had to be guessed to read it.
    """

    path: Path
    filename: str
    line: int
    size: tuple[int, int]
    objects: list[Object] = field(default_factory=list)
    outlined: list[Object] = field(default_factory=list)
    more: set[str] = field(default_factory=set)
    guesses: list[str] = field(default_factory=list)


def read_voc(path: Path) -> VocFile:
    """Read an XML file.

    Raises:
        DataError: One line with file and line number.
    """
    guesses: list[str] = []
    top = read_xml(path, guesses)
    if top.tag != "annotation":
        kind = " (CVAT's own form)" if top.tag == "annotations" else ""
        raise DataError(
            f"'{path}' line {top.line}: <{top.tag}>{kind} where <annotation> is expected"
        )
    size = top.find("size") or Node("size", top.line)
    numbers = [a_number(size.said(side)) or 0 for side in ("width", "height")]
    width, height = (int(number) if 0 <= number < 1e9 else 0 for number in numbers)
    named = top.find("filename") or top
    found = VocFile(path, top.said("filename"), named.line, (width, height), guesses=guesses)
    for node in top.all("object"):
        _take(found, node)
    return found


def _take(found: VocFile, node: Node) -> None:
    label = node.said("name")
    if not label:
        raise DataError(f"'{found.path}' line {node.line}: an <object> without a <name>")
    box = node.find("bndbox")
    if box is None:
        found.outlined.append((label, _outline(found.path, node), _marks(node)))
    else:
        where = f"'{found.path}' line {box.line}"
        texts = [box.said(key) for key in _CORNERS]
        found.objects.append((label, four_numbers(texts, where), _marks(node)))
    found.more |= {child.tag for child in node.below} - _SAID
    if box is not None and node.find("polygon") is not None:
        found.more.add("polygon")


def _marks(node: Node) -> dict[str, Any]:
    return {mark: int(a_flag(node.said(mark))) for mark in MARKS if node.find(mark) is not None}


def _outline(path: Path, node: Node) -> tuple[float, ...]:
    """The corners of the box round a turned box or a polygon."""
    turned, polygon = node.find("robndbox"), node.find("polygon")
    shape = turned or polygon
    if shape is None:
        raise DataError(
            f"'{path}' line {node.line}: an <object> without a <bndbox>, <robndbox> or <polygon>"
        )
    where = f"'{path}' line {shape.line}"
    if turned is not None:
        x, y, w, h = four_numbers([turned.said(key) for key in ("cx", "cy", "w", "h")], where)
        degrees = math.degrees(a_number(turned.said("angle")) or 0)
        points = turned_corners((x - w / 2, y - h / 2, w, h), degrees, (x, y))
    else:
        numbers = [value for pt in shape.all("pt") for value in (pt.said("x"), pt.said("y"))]
        try:
            points = corners(numbers or [child.text.strip() for child in shape.below])
        except ValueError:
            points = []
    if len(points) < 2:
        raise DataError(f"{where}: a <{shape.tag}> needs pairs of numbers")
    x, y, w, h = polygon_box(points)
    return x, y, x + w, y + h
