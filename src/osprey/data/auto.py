"""``data=auto``: look at a folder, say what was found, and set the reader for it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from osprey.config.schema import DataConfig
from osprey.data.auto_tables import SomePhotos, look_at_table
from osprey.data.class_folders import (
    LABEL_IN_NAME,
    find_layout,
    has_photo,
    has_photo_directly,
    subfolders,
)
from osprey.data.folders import existing_folder, is_archive
from osprey.data.formats.coco import coco_files
from osprey.data.formats.json_file import forget, opened
from osprey.data.formats.registry import FORMS, sniff_form
from osprey.data.huggingface.sources import holds_photos
from osprey.data.notices import Guess
from osprey.data.split_names import SPLITS, SplitNames
from osprey.data.targets import BoxTarget, LabelTarget
from osprey.errors import DataError

AUTO = "auto"
_FILES = (".json", ".csv", ".parquet", ".xml")  # what annotations at the top of a folder end in
_LOOKED_AT = 20  # files of one ending at the top of a folder
_NO_FOLDER = "a folder, not"  # how forms of one file say why a folder is not theirs
_READERS = {"csv": "boxes"}  # forms whose reader is called otherwise


@dataclass(frozen=True)
class Found:
    """One form that fits.

    Attributes:
        reader: Its reader.
        why: What it was known by.
        file: ``data.file``; None where the folder is enough.
        columns: Of a table, the columns that are called otherwise.
        target: Whether it holds labels or boxes; None where only reading it tells.
        question: What has to be said of it first; "" where nothing has.
        name: ``data.name``, where the reader needs one.
    """

    reader: str
    why: str
    file: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    target: LabelTarget | None = None
    question: str = ""
    name: str | None = None

    def words(self) -> list[str]:
        """The settings that name it."""
        named = [f"data.columns.{ours}={theirs}" for ours, theirs in self.columns.items()]
        file = [] if self.file is None else [f"data.file={self.file}"]
        name = [] if self.name is None else [f"data.name={self.name}"]
        return [f"data={self.reader}", *name, *file, *named]

    def command(self, root: str) -> str:
        """The training that reads it."""
        form, *rest = self.words()
        task = () if self.target is None else self.target.words
        return shlex.join(["osprey", "train", *task, form, f"data.root={root}", *rest])


def resolve_auto(config: DataConfig, notices: list[str]) -> Found:
    """Find out what a folder holds, and set the reader, the file and the columns for it.

    Args:
        config: The data section of the configuration; changed in place.
        notices: A line is appended that says what was found, and by what.

    Returns:
        What was found.

    Raises:
        DataError: Nothing fits, with a line for each form; or several forms do, with the words
            that choose between them.
    """
    root = existing_folder(config.root)
    fitting, missed = look(root, config)
    if len(fitting) != 1:
        raise _asks(root, fitting) if fitting else _none(root, missed, config)
    found = fitting[0]
    if found.question:
        raise DataError(f"data=auto: {found.question}: {shlex.join(found.words())}")
    notices.append(Guess(f"data=auto: '{root}' read as {_told(found)}"))
    config.reader = found.reader
    config.file = found.file if found.file is not None else config.file
    config.columns = {**config.columns, **found.columns}
    if found.reader == "table" and config.group is None:
        config.group = "group"  # the table's own, where it has one
    return found


def look(root: Path, config: DataConfig) -> tuple[list[Found], dict[str, str]]:
    """Which forms fit a folder, and why each of the others does not.

    Args:
        root: The folder of the photos.
        config: ``file`` names what to look at; ``split_names`` and ``label`` say what is meant.
    """
    try:
        return _look(root, config)
    finally:
        forget()


def _look(root: Path, config: DataConfig) -> tuple[list[Found], dict[str, str]]:
    if config.file is not None:
        places = (Path(config.file), root / config.file)
        path = next((place for place in places if place.exists()), None)
        if path is None:
            return [], {"data.file": f"there is no '{config.file}', here or in '{root}'"}
        return _in_file(path, root, config.file, config)
    fitting, missed = _in_folder(root)
    for file in _files(root):
        try:
            more, why = _in_file(file, root, file.name, config)
        except DataError as error:  # malformed, which matters where nothing else fits
            more, why = [], {file.name: str(error)}
        known = {found.reader for found in fitting if found.file is None}
        fitting += [found for found in more if found.reader not in known]
        for form, said in why.items():
            if form not in missed or missed[form].startswith(_NO_FOLDER):
                missed[form] = said
    folders = _class_folders(root, config)
    if isinstance(folders, Found):
        fitting.append(folders)
    else:
        missed["folder"] = folders
    if not fitting and holds_photos(root):
        name = root.resolve().name
        fitting.append(Found("huggingface", "Parquet files with photos in them", name=name))
    return fitting, missed


def _in_folder(root: Path) -> tuple[list[Found], dict[str, str]]:
    names, missed = sniff_form(root, keep=True)
    return [_of_form(name, root, None) for name in names], missed


def _in_file(
    path: Path, root: Path, name: str, config: DataConfig
) -> tuple[list[Found], dict[str, str]]:
    """What a file holds: boxes in one of the forms, or a table of labels."""
    forms, missed = sniff_form(path, keep=True)
    found = [_of_form(form, path, name) for form in forms]
    if not found and path.suffix.lower() in (".csv", ".parquet"):
        table = look_at_table(path, SomePhotos(root), _said_columns(config))
        if isinstance(table, str):
            return [], {**missed, "table": table}
        why = f"its column '{table.columns['path']}' names photos"
        columns = {o: t for o, t in table.columns.items() if o != t}
        question = f"'{name}': {table.question}" if table.question else ""
        found = [Found("table", why, name, columns, LabelTarget(), question)]
    return found, missed


def _said_columns(config: DataConfig) -> dict[str, str]:
    """The columns that the user named; a label from the photos' names needs none."""
    said = {ours: theirs for ours, theirs in config.columns.items() if ours != theirs}
    return {"label": "label", **said} if config.label is not None else said


def _of_form(form: str, path: Path, file: str | None) -> Found:
    reader = _READERS.get(form, form)
    if form == "coco" and not _has_boxes(path):
        return Found("camera_traps", "COCO's lists, and no boxes", file, target=LabelTarget())
    target = None if form == "label_studio" else BoxTarget()
    return Found(reader, FORMS[form].known_by, file, target=target)


def _has_boxes(path: Path) -> bool:
    """Whether COCO's annotations have boxes or outlines; of photos that nobody boxed there are."""
    path = path if path.is_file() else coco_files(path)[0][0]
    annotations = opened(path).entries("annotations") or iter(())
    few = [item for item in islice(annotations, 1000) if isinstance(item, dict)]
    return not few or any(item.get("bbox") or item.get("segmentation") for item in few)


def _class_folders(root: Path, config: DataConfig) -> Found | str:
    """Class folders, or why there are none."""
    try:
        layout = find_layout(root, SplitNames(config.split_names), [], by_name=bool(config.label))
    except DataError as error:
        return str(error)
    if config.label is not None:
        return Found("folder", "data.label says the classes", target=LabelTarget())
    classes = {f.name for part in layout.parts for f in subfolders(part.folder) if has_photo(f)}
    if not classes and has_photo_directly(root):
        return (
            "photos lie directly in it; where their names say the class, a pattern such as "
            f"data=folder {LABEL_IN_NAME}"
        )
    if len(classes) < 2:
        said = f"one folder with photos, '{min(classes)}'" if classes else "no folder with photos"
        return f"{said}; class folders are two or more"
    splits = [split for split in SPLITS if split in {part.split for part in layout.parts}]
    where = f" in {', '.join(splits)}" if splits else ""
    return Found("folder", f"{len(classes)} class folders{where}", target=LabelTarget())


def _files(root: Path) -> list[Path]:
    """Files at the top of a folder that may hold annotations."""
    files = sorted(file for file in root.iterdir() if file.suffix.lower() in _FILES)
    files = [file for file in files if file.is_file() and not file.name.startswith(".")]
    few = (islice((f for f in files if f.suffix.lower() == e), _LOOKED_AT) for e in _FILES)
    return [file for of_one in few for file in of_one]


def _told(found: Found) -> str:
    where = "" if found.file is None else f" in '{found.file}'"
    return f"{found.reader} ({found.why}{where}), as {shlex.join(found.words())} does"


def _asks(root: Path, fitting: Sequence[Found]) -> DataError:
    said = [f"{f.reader} ({f.why}{_of(f)})" for f in fitting]
    words = [shlex.join(found.words()) for found in fitting]
    return DataError(
        f"data=auto: '{root}' may be {' or '.join(said)}: say which, {' or '.join(words)}"
    )


def _of(found: Found) -> str:
    return "" if found.file is None else f", '{found.file}'"


def _none(root: Path, missed: dict[str, str], config: DataConfig) -> DataError:
    packed = [file for file in sorted(root.iterdir()) if is_archive(file)]
    if packed and not has_photo(root):
        return DataError(f"data=auto: '{packed[0]}' is packed: unpack it and name the folder")
    below = [folder for folder in subfolders(root)[:_LOOKED_AT] if look(folder, config)[0]]
    if len(below) == 1:
        return DataError(
            f"data=auto: '{root}' is none of the forms that are read here, but '{below[0]}' is: "
            f"data.root={shlex.quote(str(below[0]))}"
        )
    return DataError(
        f"data=auto: '{root}' is none of the forms that are read here:",
        details=(f"{_READERS.get(form, form)}: {why}" for form, why in missed.items()),
    )
