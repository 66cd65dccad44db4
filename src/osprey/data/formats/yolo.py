"""YOLO: the class names, photos, and one text file of boxes beside each.

A line of a text file is ``class x y w h``: the centre and the sides as fractions of the photo.
"""

from __future__ import annotations

from pathlib import Path

from osprey.data.folders import some_files
from osprey.data.formats.folder_splits import split_by_folders
from osprey.data.formats.options import TRAINING, Options
from osprey.data.formats.placing import below, boxes_of, check_stems
from osprey.data.formats.table import Annotations, Collector
from osprey.data.formats.yolo_lines import Line, lines_of, not_among
from osprey.data.formats.yolo_set import NOT_BOXES, YoloSet, find_set, main_file
from osprey.data.notices import Guess
from osprey.errors import DataError
from osprey.system.console import counted


def read(path: Path, root: Path, options: Options = TRAINING) -> Annotations:
    """Read the set that a ``data.yaml``, or the folder it lies in, describes.

    Both layouts are supported, ``images/train`` with ``labels/train`` and ``train/images`` with
    ``train/labels``; without a ``data.yaml`` the classes come from ``classes.txt``, ``notes.json``
    or ``obj.data``. Photos in two splits get none. Photos without a text file have no objects; a
    notice counts them, other than those whose file is empty.

    Args:
        path: ``data.yaml`` or what stands for it, or its folder.
        root: Folder that the photos' names are relative to.
        options: How to read.

    Returns:
        The annotations, boxes in pixels.

    Raises:
        DataError: One line with file and line number.
    """
    found = Collector(root, options)
    described = find_set(path, options)
    check_stems(described.photos)
    found.notices += described.notices
    lines: dict[int, list[Line]] = {}
    unannotated: list[str] = []
    in_labels = any(boxes_of(photo).is_file() for photo in described.photos)
    for photo, split in described.photos.items():
        name = below(photo, root)
        row = found.measured(name, split=split)
        # labelImg and others leave them beside the photos, in a folder 'images', too.
        boxes = boxes_of(photo) if in_labels else Path(photo).with_suffix(".txt")
        if boxes.is_file():
            lines[row] = list(lines_of(boxes, described.names, keypoints=described.keypoints))
        else:
            unannotated.append(name)
    if described.by_folders:
        split_by_folders(found)
    _add_boxes(found, lines, _numbered(described.names, lines, found))
    found.tell("outlined", "outlines, taken as the boxes round them: {}")
    _tell_orphans(described, found)
    if unannotated:
        count = counted(len(unannotated), "photo")
        found.notices.append(
            f"no text file of boxes, taken as photos of nothing: {count} such as '{unannotated[0]}'"
        )
    return found.done()


def sniff(path: Path) -> str:
    """Why a path does not hold a YOLO set; "" if it does."""
    try:
        file = path if path.is_file() else main_file(path, TRAINING)
    except DataError:
        return "no data.yaml, classes.txt, notes.json or obj.data in it"
    if path.is_file() and (file.suffix not in (".yaml", ".yml", ".data", ".names")):
        return "neither data.yaml nor obj.data"
    top = file.parent
    texts = (text for text in some_files(top, ".txt") if text.name not in NOT_BOXES)
    return "" if next(texts, None) or file.stem == "data" else "no text files of boxes beside it"


def _numbered(
    names: dict[int, str], lines: dict[int, list[Line]], found: Collector
) -> dict[int, str]:
    """The names by the numbers that the lines use: some count names from 1 and lines from 0."""
    used = {line.label for of in lines.values() for line in of}
    if min(names, default=0) == 1 and 0 in used and max(names) not in used:
        found.notices.append(
            Guess(f"classes: names count from 1, text files from 0: 0 is '{names[1]}' there")
        )
        names = {number - 1: name for number, name in names.items()}
    found.classes.update(dict.fromkeys(name for _, name in sorted(names.items())))
    return names


def _add_boxes(found: Collector, lines: dict[int, list[Line]], names: dict[int, str]) -> None:
    outside: list[Line] = []
    count = 0
    for row, of in lines.items():
        for line in of:
            label = names.get(line.label) if isinstance(line.label, int) else line.label
            if label is None:
                raise DataError(f"{line.where}: {not_among(line.label, names)}")
            found.counts["outlined"] += line.outlined
            count += 1
            x, y, w, h = line.box
            if found.options.pixels:
                found.box(row, label, line.box, line.score)
                continue
            outside += [line] if max(x, y) >= 1 or max(x + w, y + h) > 2 else []
            found.fraction(row, label, line.box, line.score)
    if outside and 2 * len(outside) > count:
        raise DataError(
            f"{outside[0].where}: {len(outside)} of {count} boxes lie outside their photos, as if "
            f"they were in pixels, not in fractions: {found.options.hint('pixels', 'true')} reads "
            "them as pixels"
        )


def _tell_orphans(described: YoloSet, found: Collector) -> None:
    """Count text files of boxes whose photo is not there; strictly, refuse the first."""
    wanted = {boxes_of(photo) for photo in described.photos}
    orphans = [
        file
        for folder in sorted({file.parent for file in wanted})
        for file in sorted(folder.glob("*.txt"))
        if file not in wanted
        and file.is_file()
        and file.name.lower() not in NOT_BOXES
        and "labels" in file.parts
    ]
    if orphans:
        found.tell_orphans(orphans, f"'{orphans[0]}' line 1: there is no photo for these boxes")
