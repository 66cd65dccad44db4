"""Tables of photos and their labels, as ``data=table`` reads them."""

from __future__ import annotations

import filecmp
import os
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from osprey.config.schema import DataConfig
from osprey.data.decimal_commas import with_points
from osprey.data.folders import existing_folder, walk_photos
from osprey.data.manifest import Manifest, complete
from osprey.data.missing import skip_hint, skipped_line
from osprey.data.notices import Guess
from osprey.data.path_patterns import named_in_paths
from osprey.data.photo_paths import PhotoPaths, plain_path
from osprey.data.split_names import SplitNames
from osprey.data.tables import load_table
from osprey.errors import DataError, nearest
from osprey.system.console import counted

FIXED = "doctor"  # column of a table without unsafe rows, as `osprey doctor fix=` writes it


@dataclass(frozen=True)
class LeftOut:
    """What a table and its folder do not agree about, each as paths.

    Attributes:
        missing: Photos that the table names and that are not there.
        unlabelled: Rows without a label.
        twice: Further rows of a photo.
        unnamed: Photos in the folder that the table does not name, unless they were left out on
            purpose.
    """

    missing: list[str] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)


_NEAR_1 = (0.2, 5)  # means of weights that are meant for the loss


def read_table(config: DataConfig, notices: list[str]) -> Manifest:
    """Read a CSV or Parquet file with at least the columns ``path`` and ``label``."""
    table, root, file = _rows(config, notices)
    if config.missing == "skip" and "path" in table:
        table = without_missing(table, root, file, notices)
    manifest = complete(table, root, f"'{file}'")
    if "weight" in table:
        _tell_weights(manifest, config, file, notices)
    check_paths(manifest, file)
    return manifest


def read_what_is_sound(config: DataConfig, notices: list[str]) -> tuple[Manifest, LeftOut]:
    """Read the rows of a table that can be used, and tell the others.

    Args:
        config: As for `read_table`.
        notices: Lines for the user are appended here.

    Raises:
        DataError: As `read_table` does, where no row can be used, or paths lead out of the folder.
    """
    table, root, file = _rows(config, notices)
    if "path" not in table:
        complete(table, root, f"'{file}'")  # which tells the column
    paths = table["path"].astype(str)
    there = pd.Series([(root / path).is_file() for path in paths], index=table.index)
    labels = table["label"].fillna("").astype(str) if "label" in table else None
    bare = pd.Series(False, index=table.index) if labels is None else labels.str.strip() == ""
    usable = there & ~bare
    twice = usable & paths.where(usable).duplicated()
    sound = usable & ~twice
    if not sound.any():  # training's own line says why
        sound = ~paths.duplicated() & ~bare if not bare.all() else bare
    manifest = complete(table[sound], root, f"'{file}'")
    check_paths(manifest, file)
    return manifest, LeftOut(
        paths[~there].tolist(),
        paths[there & bare].tolist(),
        paths[twice].tolist(),
        [] if config.filter or FIXED in table else _unnamed(root, set(paths)),
    )


def _unnamed(root: Path, named: set[str]) -> list[str]:
    """Photos of the folder that no row names."""
    walked = (photo.relative_to(root).as_posix() for photo in walk_photos(root))
    return [path for path in walked if path not in named]


def _rows(config: DataConfig, notices: list[str]) -> tuple[pd.DataFrame, Path, Path]:
    """The table with the paths of the files that it means, the folder, and the table's file."""
    root = existing_folder(config.root)
    file = find_table(config, root)
    wanted = [*config.columns.values(), *(config.filter or ())]
    table = load_table(file, wanted, notices, open_last=config.open_last)
    for ours, theirs in config.columns.items():
        if theirs not in table.columns:
            if theirs == ours:  # the default name: optional, or asked for by `complete`
                continue
            hint = nearest(theirs, map(str, table.columns))
            raise DataError(f"data.columns.{ours}: '{file}' has no column '{theirs}'{hint}")
        table[ours] = table[theirs]
    if {"source", "variant"} <= set(table.columns) and "group" not in table.columns:
        table["group"] = table["source"]  # copies of one photo, as augment_data makes them
    for column, value in (config.filter or {}).items():
        if column not in table.columns:
            hint = nearest(column, map(str, table.columns))
            raise DataError(f"data.filter: '{file}' has no column '{column}'{hint}")
        table = table[table[column].astype(str) == str(value)]
    if table.empty:
        raise DataError(
            f"'{file}' has no rows" + (" that pass data.filter" if config.filter else "")
        )
    if "path" in table:
        table = _found(table, root, file, notices)
    if config.label is not None and "path" in table:
        table = table.assign(label=named_in_paths(table["path"], config.label, "label"))
    if "split" in table:
        cells = table["split"].fillna("").astype(str)
        table["split"] = cells.map(SplitNames(config.split_names).column(cells, f"'{file}'"))
    if "weight" in table and config.weights == "ignore":
        table = table.drop(columns="weight")
    return with_points(table, ["weight"], file, notices), root, file


def find_table(config: DataConfig, root: Path) -> Path:
    """The table that ``data.file`` names, here or under the root.

    Raises:
        DataError: There is none.
    """
    if config.file is None:
        raise DataError("data.file is not set: name the CSV or Parquet table with data.file=TABLE")
    file = next((p for p in (Path(config.file), root / config.file) if p.is_file()), None)
    if file is None:
        tables = [p.name for p in root.iterdir() if p.suffix in (".csv", ".parquet")]
        hint = nearest(Path(config.file).name, tables)
        raise DataError(f"data.file: there is no table '{config.file}', here or in '{root}'{hint}")
    return file


def without_missing(
    table: pd.DataFrame, root: Path, file: Path, notices: list[str]
) -> pd.DataFrame:
    """The rows whose photo is there; a line says how many are not.

    Raises:
        DataError: None is.
    """
    there = table["path"].map(lambda path: (root / str(path)).is_file())
    if not there.any():
        raise DataError(f"none of the photos of '{file}' is under '{root}'; is data.root right?")
    if not there.all():
        notices.append(skipped_line(table["path"][~there].astype(str).tolist()))
    return table[there]


def _tell_weights(manifest: Manifest, config: DataConfig, file: Path, notices: list[str]) -> None:
    """Say that photos are weighed in the loss.

    Raises:
        DataError: The weights are far from 1, as kilograms are, and nobody said that it is meant.
    """
    weights = manifest.table["weight"]
    low, high, mean = weights.min(), weights.max(), weights.mean()
    if low == high == 1:
        return
    name = config.columns.get("weight", "weight")
    said = f"{low:g} to {high:g}, mean {mean:.3g}"
    if config.weights == "ask" and not _NEAR_1[0] <= mean <= _NEAR_1[1]:
        raise DataError(
            f"'{file}': its column '{name}' would weigh photos in the loss, and its numbers are "
            f"not near 1 ({said}): data.weights=ignore leaves it out, data.weights=use takes it"
        )
    line = f"photos weigh in the loss as column '{name}' says: {said}"
    notices.append(Guess(f"{line} (data.weights=ignore leaves it out)"))


def _found(table: pd.DataFrame, root: Path, file: Path, notices: list[str]) -> pd.DataFrame:
    """The table with the paths of the files that it means, each told that had to be looked for.

    Rows that name one photo in two ways and say the same of it become one.
    """
    paths = PhotoPaths(root)
    names = table["path"].fillna("").astype(str).tolist()
    files = [_file_of(name, paths, file) for name in names]
    there = {name for name, found in zip(names, files, strict=True) if name == found}
    for row, (name, found) in enumerate(zip(names, files, strict=True)):
        if name != found and found in there and not _same(name, found, root):
            files[row] = name  # another row's photo
            paths.guessed.pop(name, None)
    table = table.assign(path=files)
    said = [column for column in ("path", "label", "split") if column in table]
    again = table.duplicated(said) & ~pd.Series(names, index=table.index).duplicated()
    if again.any():
        count = counted(int(again.sum()), "row")
        notices.append(
            f"left out, a photo in another spelling: {count} such as '{names[again.argmax()]}'"
        )
    notices += paths.notice()
    return table[~again]


def _file_of(name: str, paths: PhotoPaths, file: Path) -> str:
    """The photo that a cell means; the cell itself if there is none.

    Raises:
        DataError: It may mean several.
    """
    found = paths.choices(name, bare=True)
    if not found and name != name.strip():
        found = paths.choices(name.strip(), bare=True)
    if len(found) > 1 and not _nested_copy(found, paths.root):
        raise DataError(
            f"'{file}': '{name}' may be '{found[0]}' or '{found[1]}': write paths from data.root on"
        )
    if not found:
        return name
    return paths.taken(name, min(found, key=len))


def _nested_copy(found: list[str], root: Path) -> bool:
    """Whether the second file is the first one's copy, in a copy of its folder inside the set."""
    if len(found) != 2:
        return False
    near, far = sorted(found, key=len)
    return far.endswith(f"/{near}") and filecmp.cmp(root / near, root / far)


def _same(name: str, file: str, root: Path) -> bool:
    """Whether a name is a file's whole path, in another spelling."""
    plain = plain_path(name.strip())
    whole = plain_path(file)
    return plain in (whole, whole.rpartition(".")[0]) or plain.endswith(f"/{root.name}/{whole}")


def check_paths(manifest: Manifest, file: Path) -> None:
    """Every path must lie under the root, exist, and stand there once."""
    paths = manifest.table["path"].tolist()
    twice = manifest.table["path"][manifest.table["path"].duplicated()]
    if len(twice):
        raise DataError(f"'{file}': '{twice.iloc[0]}' is listed twice ({len(twice)} such rows)")
    outside = [p for p in paths if p.startswith("/") or (".." in p and ".." in p.split("/"))]
    if outside:
        raise DataError(f"'{file}': '{outside[0]}' is not a path under data.root")
    missing = [p for p in paths if not os.path.isfile(f"{manifest.root}/{p}")]
    if missing:
        raise DataError(
            f"'{file}' lists {len(missing)} of {len(manifest.table)} photos that are not under "
            f"'{manifest.root}', first '{missing[0]}'; is data.root right?"
            + skip_hint(len(missing), len(paths))
        )
