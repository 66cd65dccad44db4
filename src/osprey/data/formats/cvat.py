"""CVAT's own XML ("CVAT for images"): one file, boxes and outlines in pixels, 0 at the border."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from osprey.data.formats.options import TRAINING, Options
from osprey.data.formats.outlines import corners
from osprey.data.formats.table import Annotations, Collector
from osprey.data.formats.values import a_flag, a_number, a_side, four_numbers
from osprey.data.formats.xml_file import NOT_XML, Node, read_xml
from osprey.data.manifest import SPLIT_NAMES
from osprey.data.notices import Guess
from osprey.errors import DataError
from osprey.imaging.boxes import polygon_box, turned_corners
from osprey.imaging.masks import rle_box

_BOX = ("xtl", "ytl", "xbr", "ybr")
_MARKED = ("difficult", "truncated")  # marks that are attributes of a box; occluded is its own


def read(path: Path, root: Path, options: Options = TRAINING) -> Annotations:
    """Read ``annotations.xml``, or the folder it lies in.

    Turned boxes, polygons, ellipses and masks count by the box round them; lines, points and tags
    are counted and left out.

    Raises:
        DataError: One line with file and line number.
    """
    file = _file_in(path)
    if file is None:
        how = options.hint("file", "annotations.xml")
        raise DataError(f"no annotations.xml in '{path}': name it with {how}")
    guesses: list[str] = []
    top = read_xml(file, guesses)
    if top.tag != "annotations":
        raise DataError(f"'{file}' line {top.line}: <{top.tag}> where <annotations> is expected")
    images = top.all("image")
    if not images and top.find("track"):
        raise DataError(
            f"'{file}' line {top.line}: holds tracks of a video, which name no photos: export it "
            "as 'CVAT for images'"
        )
    found = Collector(root, options, sources=[file])
    found.notices += [Guess(f"XML {guess}: '{file}'") for guess in guesses]
    found.classes.update(dict.fromkeys(_labels(top)))
    for image in images:
        _image(found, image, f"'{file}' line {image.line}")
    found.tell("outlined", "turned boxes, polygons, ellipses and masks, taken as boxes: {}")
    found.tell("other", "left out, neither boxes nor outlines (lines, points, tags): {}")
    return found.done()


def sniff(path: Path) -> str:
    """Why a path does not hold CVAT's XML; "" if it does."""
    file = _file_in(path)
    if file is None:
        return "no XML file" if path.is_file() else "no annotations.xml in it"
    with file.open("rb") as content:
        return "" if b"<annotations" in content.read(4096) else "no <annotations> at the XML's top"


def _file_in(path: Path) -> Path | None:
    file = path / "annotations.xml" if path.is_dir() else path
    return file if file.is_file() and file.suffix.lower() == ".xml" else None


def _labels(top: Node) -> list[str]:
    """The classes that the task lists."""
    nodes, names = [top.find("meta") or top], []
    while nodes:
        node = nodes.pop(0)
        for child in node.below:
            if child.tag == "label" and child.said("name"):
                names.append(child.said("name"))
            elif child.tag != "image":
                nodes.append(child)
    return names


def _image(found: Collector, image: Node, where: str) -> None:
    name = image.attributes.get("name", "")
    sides = [a_side(image.attributes.get(side)) for side in ("width", "height")]
    if not name or None in sides:
        raise DataError(f"{where}: an <image> without a name, width or height")
    subset = image.attributes.get("subset", "").lower()
    said = {"split": SPLIT_NAMES[subset]} if subset in SPLIT_NAMES else {}
    row = found.image(name, sides[0] or 0, sides[1] or 0, **said)
    for node in image.below:
        line = f"{where.rpartition(' ')[0]} {node.line}"
        box, outlined = _box(node, line)
        label = node.attributes.get("label", "")
        if box is None:
            found.counts["other"] += 1
            continue
        if not label:
            raise DataError(f"{line}: a <{node.tag}> without a label")
        found.counts["outlined"] += outlined
        marks = (
            {"occluded": int(a_flag(node.attributes["occluded"]))}
            if ("occluded" in node.attributes)
            else {}
        )
        found.box(row, label, box, extra={**marks, **_attributes(node)})


def _attributes(node: Node) -> dict[str, Any]:
    said = {one.attributes.get("name", ""): one.text.strip() for one in node.all("attribute")}
    marks: dict[str, Any] = {mark: int(a_flag(said[mark])) for mark in _MARKED if mark in said}
    return {**marks, "attributes": said} if said else {}


def _box(node: Node, where: str) -> tuple[tuple[float, float, float, float] | None, bool]:
    """The box of a shape, and whether it was taken round something else; None of a line."""
    said = node.attributes
    if node.tag == "box":
        x, y, x2, y2 = four_numbers([said.get(key) for key in _BOX], where)
        turned = a_number(said.get("rotation")) or 0
        if not turned:
            return (x, y, x2 - x, y2 - y), False
        points = turned_corners((x, y, x2 - x, y2 - y), turned, ((x + x2) / 2, (y + y2) / 2))
        return polygon_box(points), True
    if node.tag == "ellipse":
        x, y, across, down = four_numbers(
            [said.get(key) for key in ("cx", "cy", "rx", "ry")], where
        )
        return (x - across, y - down, 2 * across, 2 * down), True
    try:
        if node.tag == "polygon":
            return polygon_box(corners(said["points"].replace(";", ",").split(","))), True
        if node.tag == "mask":
            return _of_mask(said), True
    except (KeyError, ValueError):
        raise DataError(f"{where}: the numbers of a <{node.tag}> make no sense") from None
    return None, False


def _of_mask(said: dict[str, str]) -> tuple[float, float, float, float] | None:
    """The box of a mask, whose runs go row by row through the rectangle that it is cut to."""
    runs = [int(run) for run in said["rle"].split(",")]
    left, top, width = (int(float(said[key])) for key in ("left", "top", "width"))
    box = rle_box(runs, width)  # rows for columns
    return None if box is None else (left + box[1], top + box[0], box[3], box[2])


def write(annotations: Annotations, path: Path, root: Path) -> None:
    """Write one XML file.

    Args:
        annotations: With every photo's size.
        path: The file to write.
        root: Not used.
    """
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>"]
    lines += ["  <meta>", "    <job>", "      <labels>"]
    for name in annotations.classes:
        lines.append(f"        <label><name>{escape(name)}</name></label>")
    lines += ["      </labels>", "    </job>", "  </meta>"]
    for number, (record, boxes) in enumerate(annotations.records()):
        split = f" subset={quoteattr(record['split'])}" if record.get("split") else ""
        size = f'width="{record["width"]}" height="{record["height"]}"'
        lines.append(f'  <image id="{number}" name={quoteattr(record["file"])}{split} {size}>')
        for box in boxes:
            ends = zip(_BOX, (box.x, box.y, box.x + box.w, box.y + box.h), strict=True)
            numbers = " ".join(f'{key}="{round(value, 4):.10g}"' for key, value in ends)
            extra = box.extra or {}
            occluded = f' occluded="{extra["occluded"]}"' if "occluded" in extra else ""
            own = extra.get("attributes")
            said = {mark: extra[mark] for mark in _MARKED if mark in extra}
            said |= own if isinstance(own, dict) else {}
            start = f"    <box label={quoteattr(box.label)}{occluded} {numbers}"
            if not said:
                lines.append(f"{start}/>")
                continue
            lines.append(f"{start}>")
            for key, value in said.items():
                name = quoteattr(str(key))
                lines.append(f"      <attribute name={name}>{escape(str(value))}</attribute>")
            lines.append("    </box>")
        lines.append("  </image>")
    text = "\n".join([*lines, "</annotations>", ""])
    if NOT_XML.search(text):
        raise DataError("a control character in a photo's name or in a label: that is not XML")
    path.write_text(text, encoding="utf-8")
