"""The forms of annotations, and what each can hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from osprey.data.annotations import coco, voc
from osprey.data.annotations.table import IMAGE_FIELDS, Annotations
from osprey.errors import DataError, nearest


@dataclass(frozen=True)
class Form:
    """One way to write annotations down.

    Attributes:
        read: From a file or folder and the photos' root.
        write: To a file or folder that does not exist yet.
        holds: Of what `Annotations` may hold besides boxes.
    """

    read: Callable[[Path, Path], Annotations]
    write: Callable[[Annotations, Path, Path], None]
    holds: frozenset[str]


_SCORES = {"score", "classifications"}
FORMS = {
    "coco": Form(coco.read, coco.write, frozenset({*IMAGE_FIELDS, *_SCORES})),
    "voc": Form(voc.read, voc.write, frozenset({"split"})),
}


def read_annotations(path: Path, form: str, root: Path) -> Annotations:
    """Read annotations of photos that lie under ``root``.

    Args:
        path: A file, or the folder that the form's files lie in.
        form: One of `FORMS`.
        root: What the photos' names are relative to.

    Raises:
        DataError: Whatever is wrong, with file and line number.
    """
    if not path.exists():
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"there is no '{path}'{nearest(path.name, beside)}")
    return FORMS[form].read(path, root)


def write_annotations(annotations: Annotations, path: Path, form: str, root: Path) -> list[str]:
    """Write annotations to a file or folder that does not exist yet.

    Returns:
        Names of what the annotations hold and the form cannot.

    Raises:
        DataError: A photo that has to be put beside its boxes is missing.
    """
    FORMS[form].write(annotations, path, root)
    images, boxes = annotations.images, annotations.boxes
    said = [
        str(c) for c in images if c not in ("file", "width", "height") and images[c].notna().any()
    ]
    said += [column for column in ("score", "classifications") if boxes[column].notna().any()]
    return [column for column in said if column not in FORMS[form].holds]
