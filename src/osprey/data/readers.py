"""Readers: from what a user has on disk to a manifest. They only ever read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from osprey.config.schema import DataConfig
from osprey.data.class_names import tidy_class_names
from osprey.data.folders import existing_folder, walk_photos
from osprey.data.foreign_reader import read_foreign
from osprey.data.harbour_reader import read_harbour, read_harbour_boxes
from osprey.data.manifest import SPLIT_NAMES, Manifest, complete
from osprey.data.passed_over import PassedOver, printable
from osprey.errors import DataError, nearest
from osprey.imaging import IMAGE_SUFFIXES
from osprey.system.console import counted

# Files of a folder that `osprey crop` wrote.
CROP_SETTINGS, NO_DETECTION = "crop.json", "no_detection"


def read_manifest(config: DataConfig, notices: list[str]) -> Manifest:
    """Read the data set that ``config`` names.

    Args:
        notices: Lines for the user are appended here.
        config: The data section of the configuration.

    Raises:
        DataError: The source is missing, empty or not laid out as the reader expects.
        ConfigError: A reader of the user's own cannot be imported or called.
    """
    return tidy_class_names(_read(config, notices), config.case, notices)


def _read(config: DataConfig, notices: list[str]) -> Manifest:
    if isinstance(config.reader, dict):
        return read_foreign(config, config.reader)
    if not isinstance(config.reader, str) or config.reader not in READERS:
        hint = nearest(str(config.reader), READERS)
        raise DataError(
            f"unknown data.reader '{config.reader}'{hint} (one of {', '.join(READERS)})"
        )
    for key, value in (("file", config.file), ("filter", config.filter)):
        readers = [name for name in READERS if name not in _WITHOUT[key]]
        if value is not None and config.reader not in readers:
            raise DataError(
                f"data.{key}: data.reader={config.reader} does not look at it: leave it out, or "
                f"choose data.reader={readers[0]}"
                + (f" (or {', '.join(readers[1:])})" if readers[1:] else "")
            )
    return READERS[config.reader](config, notices)


def read_folder(config: DataConfig, notices: list[str]) -> Manifest:
    """Read class folders, with or without train, val and test folders above them."""
    root = existing_folder(config.root)
    tops = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    split_tops = [p for p in tops if p.name.lower() in SPLIT_NAMES]
    depth = 1 if split_tops else 0
    crops = (root / CROP_SETTINGS).is_file()
    if crops and not split_tops:
        notices.append(
            f"'{root}' holds crops; those of one photo may come into different splits: train with "
            f"data=table data.root={root} data.file={root / 'manifest.csv'} data.group=source"
        )
    if split_tops:
        others = [p.name for p in tops if p not in split_tops]
        if others:
            notices.append(f"left out, neither train, val nor test: {', '.join(others)}")
    passed = PassedOver()
    rows: list[tuple[str, str, str]] = []
    loose: list[Path] = []
    unwritable: list[Path] = []
    for top in split_tops or [root]:
        for photo in walk_photos(top, passed):
            parts = photo.relative_to(root).parts
            if crops and parts[0] == NO_DETECTION:
                continue
            if any("\udc80" <= letter <= "\udcff" for letter in "".join(parts)):
                unwritable.append(photo)  # not UTF-8: cannot be written to tables and reports
                continue
            if len(parts) < depth + 2:
                loose.append(photo)
                continue
            split = SPLIT_NAMES[parts[0].lower()] if depth else ""
            rows.append(("/".join(parts), split, parts[depth]))
    if not rows:
        _explain_empty(root, loose)
    if loose:
        notices.append(
            f"left out, in no class folder: {counted(len(loose), 'photo')} such as '{loose[0]}'"
        )
    if unwritable:
        name = printable(unwritable[0])
        notices.append(
            f"left out, names not in UTF-8: {counted(len(unwritable), 'photo')} such as '{name}'"
        )
    notices.extend(passed.lines())
    return complete(pd.DataFrame(rows, columns=["path", "split", "label"]), root, str(root))


def _explain_empty(root: Path, loose: list[Path]) -> None:
    if loose:
        raise DataError(
            f"photos lie directly in '{loose[0].parent}': put those of each class into a folder "
            "named after it, or give a table with data.reader=table data.file=labels.csv"
        )
    kinds = ", ".join(sorted(IMAGE_SUFFIXES))
    raise DataError(f"no photos under '{root}' (looked for {kinds})")


def read_table(config: DataConfig, notices: list[str]) -> Manifest:
    """Read a CSV or Parquet file with at least the columns ``path`` and ``label``."""
    root = existing_folder(config.root)
    if config.file is None:
        raise DataError("data.file is not set: name the CSV or Parquet table with data.file=TABLE")
    file = next((p for p in (Path(config.file), root / config.file) if p.is_file()), None)
    if file is None:
        tables = [p.name for p in root.iterdir() if p.suffix in (".csv", ".parquet")]
        hint = nearest(Path(config.file).name, tables)
        raise DataError(f"data.file: there is no table '{config.file}', here or in '{root}'{hint}")
    table = load_table(file)
    for ours, theirs in config.columns.items():
        if theirs not in table.columns:
            if theirs == ours:  # the default name: optional, or asked for by `complete`
                continue
            hint = nearest(theirs, map(str, table.columns))
            raise DataError(f"data.columns.{ours}: '{file}' has no column '{theirs}'{hint}")
        table[ours] = table[theirs]
    for column, value in (config.filter or {}).items():
        if column not in table.columns:
            hint = nearest(column, map(str, table.columns))
            raise DataError(f"data.filter: '{file}' has no column '{column}'{hint}")
        table = table[table[column].astype(str) == str(value)]
    if table.empty:
        raise DataError(
            f"'{file}' has no rows" + (" that pass data.filter" if config.filter else "")
        )
    manifest = complete(table, root, f"'{file}'")
    _check_paths(manifest, file)
    return manifest


def load_table(file: Path) -> pd.DataFrame:
    """Read a CSV file, every cell as text, or a Parquet file.

    Raises:
        DataError: It is empty or malformed, or Parquet without pyarrow.
    """
    if file.suffix.lower() == ".parquet":
        try:
            return pd.read_parquet(file)
        except ImportError:
            raise DataError(
                f"reading '{file}' needs pyarrow: pip install 'osprey-vision[parquet]'"
            ) from None
        except Exception as error:
            raise DataError(f"'{file}' is not a Parquet file ({error})") from None
    try:
        return pd.read_csv(file, dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        raise DataError(f"'{file}' is empty") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(f"'{file}' cannot be read as CSV: {str(error).strip()}") from None


def _check_paths(manifest: Manifest, file: Path) -> None:
    """Every path must lie under the root, exist, and stand there once."""
    twice = manifest.table["path"][manifest.table["path"].duplicated()]
    if len(twice):
        raise DataError(f"'{file}': '{twice.iloc[0]}' is listed twice ({len(twice)} such rows)")
    outside = [p for p in manifest.table["path"] if p.startswith("/") or ".." in p.split("/")]
    if outside:
        raise DataError(f"'{file}': '{outside[0]}' is not a path under data.root")
    missing = [p for p in manifest.table["path"] if not (manifest.root / p).is_file()]
    if missing:
        raise DataError(
            f"'{file}' lists {len(missing)} of {len(manifest.table)} photos that are not under "
            f"'{manifest.root}', first '{missing[0]}'; is data.root right?"
        )


def read_boxes(config: DataConfig, notices: list[str]) -> Manifest:
    """Photos with boxes, in the format that ``data.reader`` names (`read_detection`)."""
    from osprey.data.formats.reading import read_detection

    return read_detection(config, notices)


READERS: dict[str, Callable[[DataConfig, list[str]], Manifest]] = {
    "folder": read_folder,
    "table": read_table,
    "harbour": read_harbour,
    "harbour_boxes": read_harbour_boxes,
    "coco": read_boxes,
    "voc": read_boxes,
    "yolo": read_boxes,
    "megadetector": read_boxes,
    "boxes": read_boxes,
}

# Of the settings that say which file and which rows, the readers without either.
_NO_FILE = ("folder", "harbour", "harbour_boxes")
_WITHOUT = {"file": _NO_FILE, "filter": tuple(name for name in READERS if name != "table")}
