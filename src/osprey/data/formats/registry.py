"""The annotation formats, and which fields each can store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from osprey.data.formats import box_table, coco, megadetector, voc, yolo, yolo_writer
from osprey.data.formats.names import check_names
from osprey.data.formats.table import IMAGE_FIELDS, Annotations, Collector
from osprey.errors import DataError, nearest


@dataclass(frozen=True)
class Form:
    """One annotation format.

    Attributes:
        read: From a file or folder and the photos' root.
        write: To a file or folder that does not exist yet.
        holds: Optional fields of `Annotations` that the format can store.
    """

    read: Callable[[Path, Path], Annotations]
    write: Callable[[Annotations, Path, Path], None]
    holds: frozenset[str]


_SCORES = {"score", "classifications"}
FORMS = {
    "coco": Form(coco.read, coco.write, frozenset({*IMAGE_FIELDS, *_SCORES})),
    "voc": Form(voc.read, voc.write, frozenset({"split"})),
    "yolo": Form(yolo.read, yolo_writer.write, frozenset({"split"})),
    "megadetector": Form(megadetector.read, megadetector.write, megadetector.HOLDS),
    "csv": Form(box_table.read, box_table.write, frozenset({*IMAGE_FIELDS, *_SCORES})),
}


def read_annotations(path: Path, form: str, root: Path) -> Annotations:
    """Read annotations of photos under ``root``.

    Args:
        path: A file, or the folder of the format's files.
        form: One of `FORMS`.
        root: Folder that the photos' names are relative to.

    Returns:
        The annotations.

    Raises:
        DataError: The path is missing or its content malformed, with file and line number.
    """
    if not path.exists():
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"there is no '{path}'{nearest(path.name, beside)}")
    return FORMS[form].read(path, root)


def write_annotations(annotations: Annotations, path: Path, form: str, root: Path) -> list[str]:
    """Write annotations to a file or folder that does not exist yet.

    Photos marked as failed or corrupt are left out of formats that cannot mark them: there they
    would be photos without objects.

    Args:
        annotations: What to write.
        path: The new file or folder.
        form: One of `FORMS`.
        root: Folder of the photos.

    Returns:
        Names of the fields that the annotations have and the format cannot store.

    Raises:
        DataError: A photo that is to be linked or measured is missing; a name occurs twice or is
            not under ``root``; or no photo is left to write. Nothing is written outside of
            ``path``.
    """
    annotations = measured(annotations, root)
    holds = FORMS[form].holds
    images, boxes = annotations.images, annotations.boxes
    extra = [str(column) for column in images if column not in ("file", "width", "height")]
    said = [column for column in extra if images[column].notna().any()]
    said += [column for column in ("score", "classifications") if boxes[column].notna().any()]
    if not holds & {"failure", "corrupt"}:
        annotations = annotations.sound()
    if annotations.images.empty:
        raise DataError("there is no photo to write the boxes of")
    try:
        FORMS[form].write(annotations, path, root)
    except UnicodeEncodeError as error:  # bytes that are no UTF-8, as old cards have in names
        text = error.object[max(error.start - 20, 0) : error.end + 20]
        raise DataError(f"{text!a} is not text in UTF-8: rename it") from None
    if form == "csv":  # which may have any column
        return []
    return [column for column in said if column not in holds]


def measured(annotations: Annotations, root: Path) -> Annotations:
    """Fill in unknown photo sizes from the photos.

    Args:
        annotations: The annotations.
        root: Folder of the photos.

    Returns:
        A copy in which every readable photo has its size.

    Raises:
        DataError: A photo is missing whose size is needed, or a name occurs twice or is not under
            ``root``.
    """
    check_names(annotations)
    found = Collector(root)
    for record, boxes in annotations.records():
        if (record["width"] and record["height"]) or record.get("failure") is not None:
            row = found.image(**record)
        else:
            said = {k: v for k, v in record.items() if k not in ("file", "width", "height")}
            row = found.measured(record["file"], **said)
        found.boxes.extend(box._replace(image=row) for box in boxes)
    found.classes.update(dict.fromkeys(annotations.classes))
    done = found.done()
    return replace(annotations, images=done.images, boxes=done.boxes, classes=done.classes)
