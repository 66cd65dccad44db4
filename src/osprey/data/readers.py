"""Readers: from what a user has on disk to a manifest. They only ever read."""

from __future__ import annotations

from collections.abc import Callable

from osprey.config.groups.data import JOIN
from osprey.config.schema import DataConfig
from osprey.data.auto import AUTO, resolve_auto
from osprey.data.class_names import tidy_class_names
from osprey.data.folder_reader import read_folder
from osprey.data.foreign_reader import read_foreign
from osprey.data.harbour_reader import read_harbour, read_harbour_boxes
from osprey.data.manifest import Manifest
from osprey.data.table_reader import LeftOut, read_table, read_what_is_sound
from osprey.errors import DataError, nearest
from osprey.system.memory import no_collection

Reader = Callable[[DataConfig, list[str]], Manifest]


def read_manifest(config: DataConfig, notices: list[str]) -> Manifest:
    """Read the data set that ``config`` names.

    Args:
        notices: Lines for the user are appended here.
        config: The data section of the configuration.

    Raises:
        DataError: The source is missing, empty or not laid out as the reader expects.
        ConfigError: A reader of the user's own cannot be imported or called.
    """
    with no_collection():
        return tidy_class_names(read_source(config, notices), config.case, notices)


def read_source(config: DataConfig, notices: list[str]) -> Manifest:
    """Read the data set with its class names as they stand there, see `read_manifest`.

    With ``data.reader=auto`` the settings become those of the form that is found.
    """
    return _reader_of(config, notices)(config, notices)


def read_what_can_be_read(config: DataConfig, notices: list[str]) -> tuple[Manifest, LeftOut]:
    """As `read_source`, but what a table says of photos that are not there is left out and told."""
    reader = _reader_of(config, notices)
    if reader is read_table:
        return read_what_is_sound(config, notices)
    return reader(config, notices), LeftOut()


def _reader_of(config: DataConfig, notices: list[str]) -> Reader:
    if isinstance(config.reader, dict):
        node = config.reader
        return lambda config, notices: read_foreign(config, node)
    if config.reader == AUTO:
        resolve_auto(config, notices)
    if not isinstance(config.reader, str) or config.reader not in READERS:
        hint = nearest(str(config.reader), [AUTO, *READERS])
        raise DataError(
            f"unknown data.reader '{config.reader}'{hint} (one of {', '.join([AUTO, *READERS])})"
        )
    given = {"file": config.file, "filter": config.filter, "label": config.label}
    for key, value in given.items():
        readers = [name for name in READERS if name not in _WITHOUT[key]]
        if value is not None and config.reader not in readers:
            raise DataError(
                f"data.{key}: data.reader={config.reader} does not look at it: leave it out, or "
                f"choose data.reader={readers[0]}"
                + (f" (or {', '.join(readers[1:])})" if readers[1:] else "")
            )
    return READERS[config.reader]


def read_boxes(config: DataConfig, notices: list[str]) -> Manifest:
    """Photos with boxes, in the format that ``data.reader`` names (`read_detection`)."""
    from osprey.data.formats.reading import read_detection

    return read_detection(config, notices)


def _camera_traps(config: DataConfig, notices: list[str]) -> Manifest:
    from osprey.data.formats.camera_traps import read_camera_traps

    return read_camera_traps(config, notices)


def _label_studio(config: DataConfig, notices: list[str]) -> Manifest:
    from osprey.data.formats.label_studio_choices import read_label_studio

    return read_label_studio(config, notices)


def _join(config: DataConfig, notices: list[str]) -> Manifest:
    from osprey.data.join import read_join

    return read_join(config, notices)


def _torchvision(config: DataConfig, notices: list[str]) -> Manifest:
    from osprey.data.torchvision_sets import read_torchvision

    return read_torchvision(config, notices)


def _class_columns(config: DataConfig, notices: list[str]) -> Manifest:
    from osprey.data.class_columns import read_class_columns

    return read_class_columns(config, notices)


def _wilds(config: DataConfig, notices: list[str]) -> Manifest:
    from osprey.data.wilds import read_wilds

    return read_wilds(config, notices)


def _huggingface(config: DataConfig, notices: list[str]) -> Manifest:
    from osprey.data.huggingface.reader import read_huggingface

    return read_huggingface(config, notices)


READERS: dict[str, Reader] = {
    "folder": read_folder,
    "table": read_table,
    "harbour": read_harbour,
    "harbour_boxes": read_harbour_boxes,
    "coco": read_boxes,
    "voc": read_boxes,
    "yolo": read_boxes,
    "megadetector": read_boxes,
    "boxes": read_boxes,
    "cvat": read_boxes,
    "label_studio": _label_studio,
    "labelme": read_boxes,
    "coco_results": read_boxes,
    "roboflow_csv": read_boxes,
    "sloth": read_boxes,
    "camera_traps": _camera_traps,
    "huggingface": _huggingface,
    "torchvision": _torchvision,
    "class_columns": _class_columns,
    "wilds": _wilds,
    JOIN: _join,
}

# Of the settings that say which file and which rows, the readers without either.
_NO_FILE = ("folder", "harbour", "harbour_boxes", "huggingface", "torchvision", JOIN)
_WITHOUT = {
    "file": _NO_FILE,
    "filter": tuple(name for name in READERS if name != "table"),
    "label": tuple(name for name in READERS if name not in ("folder", "table")),
}
