"""The annotation formats, and which fields each can store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from osprey.data.formats import (
    box_table,
    coco,
    coco_results,
    coco_writer,
    cvat,
    label_studio,
    labelme,
    megadetector,
    roboflow_csv,
    sloth,
    voc,
    voc_writer,
    yolo,
    yolo_writer,
)
from osprey.data.formats.json_file import forget, opened
from osprey.data.formats.names import check_names
from osprey.data.formats.options import TRAINING, Options
from osprey.data.formats.table import BOX_FIELDS, IMAGE_FIELDS, MARKS, Annotations, Collector
from osprey.data.text_encoding import packed_as
from osprey.errors import DataError
from osprey.system.paths import nearest_beside


@dataclass(frozen=True)
class Form:
    """One annotation format.

    Attributes:
        read: From a file or folder and the photos' root.
        write: To a file or folder that does not exist yet.
        sniff: Why a path does not hold this format; "" if it does.
        known_by: What `sniff` found where a path holds it.
        holds: Optional fields of `Annotations` that the format can store.
        ending: Endings of the file that it is; none of a folder.
        places_photos: It is a folder with the photos in it.
    """

    read: Callable[[Path, Path, Options], Annotations]
    write: Callable[[Annotations, Path, Path], None]
    sniff: Callable[[Path], str]
    holds: frozenset[str]
    known_by: str
    ending: tuple[str, ...] = ()
    places_photos: bool = False


def _holds(*fields: str) -> frozenset[str]:
    return frozenset(fields)


_JSON = (".json",)
_SLOTH = "a JSON list of filename and annotations"
_SCORES = ("score", "classifications")
_TABLE = _holds(*IMAGE_FIELDS, *_SCORES, *MARKS)
FORMS = {
    "coco": Form(
        coco.read,
        coco_writer.write,
        coco.sniff,
        _holds(*IMAGE_FIELDS, *_SCORES, *BOX_FIELDS),
        "JSON with images, annotations and categories",
    ),
    "voc": Form(
        voc.read,
        voc_writer.write,
        voc.sniff,
        _holds("split", *MARKS),
        "XML files with <annotation>",
        places_photos=True,
    ),
    "yolo": Form(
        yolo.read,
        yolo_writer.write,
        yolo.sniff,
        _holds("split"),
        "class names and text files of boxes",
        places_photos=True,
    ),
    "megadetector": Form(
        megadetector.read,
        megadetector.write,
        megadetector.sniff,
        megadetector.HOLDS,
        "JSON with detection_categories and images",
        _JSON,
    ),
    "csv": Form(
        box_table.read,
        box_table.write,
        box_table.sniff,
        _TABLE,
        "columns path, label, x, y, w, h",
        (".csv", ".parquet"),
    ),
    "cvat": Form(
        cvat.read,
        cvat.write,
        cvat.sniff,
        _holds("split", *MARKS, "attributes"),
        "XML with <annotations>",
        (".xml",),
    ),
    "label_studio": Form(
        label_studio.read,
        label_studio.write,
        label_studio.sniff,
        _holds(),
        "a JSON list of tasks",
        _JSON,
    ),
    "labelme": Form(
        labelme.read,
        labelme.write,
        labelme.sniff,
        _holds(),
        "JSON files with shapes and imagePath",
    ),
    "coco_results": Form(
        coco_results.read,
        coco_results.write,
        coco_results.sniff,
        _holds("score"),
        "a JSON list of detections",
        _JSON,
    ),
    "roboflow_csv": Form(
        roboflow_csv.read,
        roboflow_csv.write,
        roboflow_csv.sniff,
        _holds(),
        "columns filename, class, xmin, ymin, xmax, ymax",
        (".csv",),
    ),
    "sloth": Form(sloth.read, sloth.write, sloth.sniff, _holds(), _SLOTH, _JSON),
}


def read_annotations(path: Path, form: str, root: Path, options: Options = TRAINING) -> Annotations:
    """Read annotations of photos under ``root``.

    Args:
        path: A file, or the folder of the format's files.
        form: One of `FORMS`.
        root: Folder that the photos' names are relative to.
        options: How to read.

    Returns:
        The annotations.

    Raises:
        DataError: The path is missing or its content malformed, with file and line number.
    """
    if not path.exists():
        raise DataError(f"there is no '{path}'{nearest_beside(path)}")
    return FORMS[form].read(path, root, options)


def sniff_form(path: Path, *, keep: bool = False) -> tuple[list[str], dict[str, str]]:
    """Which formats a path may hold.

    Args:
        path: A file or folder.
        keep: A JSON file stays at hand for the next look; `forget` gives its memory back.

    Returns:
        The names of those that fit, and why each of the others does not.

    Raises:
        DataError: A file is packed, or no well-formed JSON.
    """
    if path.is_file() and path.suffix.lower() not in (".csv", ".parquet", ".yaml", ".yml"):
        with path.open("rb") as file:
            if kind := packed_as(file.read(8)):
                raise DataError(f"'{path}' is packed ({kind}): unpack it and name the folder")
    said: dict[str, str] = {}
    try:
        if path.is_file() and path.suffix.lower() == ".json":
            opened(path)  # what is malformed is none of them
        for name, form in FORMS.items():
            try:
                said[name] = form.sniff(path)
            except DataError as error:
                said[name] = str(error)
    finally:
        if not keep:
            forget()
    return [name for name, why in said.items() if not why], {n: w for n, w in said.items() if w}


def only_form(path: Path, option: str, remedy: str) -> str:
    """The one format that a path can hold.

    Args:
        path: A file or folder.
        option: What it was given as, for the error.
        remedy: What to do where several fit.

    Raises:
        DataError: It could be several, or none; each then with what it lacks, a line each.
    """
    fitting, missed = sniff_form(path)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise DataError(f"{option}: '{path}' could be {' or '.join(fitting)}: {remedy}")
    raise DataError(
        f"{option}: '{path}' is none of the forms that are read here:",
        details=(f"{name}: {why}" for name, why in missed.items()),
    )


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
    said = _said(annotations)
    if not holds & {"failure", "corrupt"}:
        annotations = annotations.sound()
    if annotations.images.empty:
        raise DataError("there is no photo to write the boxes of")
    try:
        FORMS[form].write(annotations, path, root)
    except UnicodeEncodeError as error:  # bytes that are no UTF-8, as old cards have in names
        text = error.object[max(error.start - 20, 0) : error.end + 20]
        raise DataError(f"{text!a} is not text in UTF-8: rename it") from None
    keys = {key for extra in annotations.boxes["extra"] if extra for key in extra}
    free = {"csv": set(annotations.images), "coco": keys}  # any column of a photo, any key of a box
    return [field for field in said if field not in holds and field not in free.get(form, ())]


def _said(annotations: Annotations) -> list[str]:
    """The optional fields that the annotations have."""
    images, boxes = annotations.images, annotations.boxes
    extra = [str(column) for column in images if column not in ("file", "width", "height", "coco")]
    said = [column for column in extra if images[column].notna().any()]
    said += [column for column in ("score", "classifications") if boxes[column].notna().any()]
    keys = dict.fromkeys(key for more in boxes["extra"] if more for key in more)
    said += [key for key in keys if key not in ("id", "area", "iscrowd")]
    return said + sorted(annotations.kept.get("more", ()))


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
