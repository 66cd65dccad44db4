"""Several data sets as one manifest: each read by its own reader, its classes renamed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from osprey.config.schema import DataConfig
from osprey.config.sources import KEY, Source, sources_of
from osprey.data.augmented import copies_in
from osprey.data.class_names import KEEP, tidy_class_names, tidy_name
from osprey.data.folders import existing_folder
from osprey.data.formats.camera_traps import single_labels
from osprey.data.join_copies import same_file_twice
from osprey.data.join_names import point_out_names
from osprey.data.keep_classes import only_classes
from osprey.data.manifest import SOURCE, Manifest
from osprey.data.splits import assign_groups
from osprey.errors import DataError, nearest
from osprey.system.console import counted


def read_join(config: DataConfig, notices: list[str]) -> Manifest:
    """Read every source of ``data.sources``.

    Args:
        config: The data section of the configuration.
        notices: Lines for the user are appended here.

    Returns:
        All samples, under the folder that all sources lie in; ``source`` names each one's set,
        and ``group`` is that of its set alone, which `assign_groups` tells apart.

    Raises:
        DataError: A source cannot be read, maps to nothing, or has another kind of annotation.
    """
    sources = sources_of(config)
    check_roots(sources, config.root)
    names: dict[str, Counter[str]] = {}
    parts = [_read(source, config, names, notices) for source in sources]
    _refuse_different(sources, parts)
    point_out_names(names, config.case, notices)
    root = _common([part.root for part in parts])
    tables = []
    for source, part in zip(sources, parts, strict=True):
        below = part.root.relative_to(root).as_posix()
        path = part.table["path"] if below == "." else f"{below}/" + part.table["path"]
        tables.append(part.table.assign(path=path, **{SOURCE: source.name}))
    table = pd.concat(tables, ignore_index=True)
    text = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    table = table.fillna(dict.fromkeys(text, ""))
    first = ["path", "split", "label", "group", "weight", SOURCE]
    table = table[[*first, *(name for name in table if name not in first)]]
    joined = same_file_twice(Manifest(root, table), config.conflicts, notices)
    return joined.target.rename_classes(joined, {})  # a photo's rarest class, now of all boxes


def check_roots(sources: Sequence[Source], root: str) -> None:
    """Check that each source's folder exists; what is drawn on first use need not.

    Args:
        sources: Of a join.
        root: ``data.root`` of the join.

    Raises:
        DataError: One does not; the line names the nearest that does.
    """
    for source in sources:
        if str(source.data.reader).startswith("harbour"):
            continue
        try:
            existing_folder(str(source.root(root)), f"{KEY}: root of '{source.name}'")
        except DataError as error:
            where = source.data.source
            raise DataError(
                f"{error}" + (f"; it can be had from {where}" if where else "")
            ) from None


def _read(
    source: Source, config: DataConfig, names: dict[str, Counter[str]], notices: list[str]
) -> Manifest:
    """One source: its own reader, then its own classes, groups, split and weight."""
    from osprey.data.readers import read_source

    root, given = str(source.root(config.root)), config.given_split and source.data.given_split
    own, said = replace(source.data, root=root, given_split=given), list[str]()
    try:
        manifest = read_source(own, said)
        manifest = _with_classes(source, own, manifest, names, said)
        manifest = assign_groups(manifest, own.group)
    except DataError as error:
        notices += [f"source {source.name}: {line}" for line in said]
        raise DataError(f"source '{source.name}': {error}") from None
    table = manifest.table
    if source.weight != 1 and not manifest.target.one_label:
        raise DataError(
            f"{KEY}: weight of '{source.name}' weighs photos of one label in the loss: for "
            f"{manifest.target.description} use data.sampler=balanced data.balance_by=[{SOURCE}]"
        )
    if SOURCE in table:
        table = _renamed(source.name, table, said)
    if source.split or not given:
        table = table.assign(split=source.split)
    table = table.assign(weight=table["weight"] * source.weight)
    notices += [f"source {source.name}: {line}" for line in said]
    return Manifest(Path(os.path.abspath(manifest.root)), table)


def _with_classes(
    source: Source,
    own: DataConfig,
    manifest: Manifest,
    names: dict[str, Counter[str]],
    said: list[str],
) -> Manifest:
    """The samples with their class names tidied, then those of the join; notes the names as read.

    Raises:
        DataError: A class that is named is not there, or none is left.
    """
    if own.reader == "camera_traps":
        manifest = single_labels(manifest, said)
    raw = Counter(manifest.target.names(manifest))
    manifest = tidy_class_names(manifest, KEEP if own.case == "ask" else own.case, said)
    if own.classes is not None:
        manifest = only_classes(manifest, list(own.classes))
    if own.single_class is not None:
        manifest = manifest.target.merge_classes(manifest, own.single_class)
    known, target = manifest.classes, manifest.target
    for name in source.classes:
        if name not in known:
            hint = nearest(name, known) or f" (there are: {', '.join(known)})"
            raise DataError(f"classes: no {target.unit} is labelled '{name}'{hint}")
    left_out = [name for name, new in source.classes.items() if new is None]
    if left_out:
        kept = [name for name in known if name not in left_out]
        if not kept:
            raise DataError("its classes map to nothing: all are null, leave the source out")
        counts = Counter(target.names(manifest))
        shown = ", ".join(f"{name} {counts[name]}" for name in left_out)
        units = counted(sum(counts[name] for name in left_out), target.unit)
        said.append(f"left out by its classes: {units} ({shown})")
        manifest = target.keep_classes(manifest, kept)
    renamed = {old: new for old, new in source.classes.items() if new is not None}
    manifest = target.rename_classes(manifest, renamed) if renamed else manifest
    names[source.name] = _as_read(raw, source, set(manifest.classes))
    return manifest


def _as_read(raw: Counter[str], source: Source, there: set[str]) -> Counter[str]:
    """The names of a source's classes: as they were read, or as the source renames them."""
    found: Counter[str] = Counter()
    for name, count in raw.items():
        new = source.classes.get(tidy_name(name), name)
        if new is not None and (tidy_name(new) in there or new in there):
            found[new] += count
    return found


def _renamed(name: str, table: pd.DataFrame, said: list[str]) -> pd.DataFrame:
    """The table with its own column ``source`` under another name."""
    if copies_in(table).any():
        raise DataError(
            f"{KEY}: '{name}' has augmented copies (columns source and variant): join the photos "
            "themselves, and augment in training or afterwards"
        )
    other = next(n for n in ("source_photo", "own_source", "own_source_2") if n not in table)
    said.append(f"its column '{SOURCE}' as '{other}'")
    return table.rename(columns={SOURCE: other})


def _refuse_different(sources: Sequence[Source], parts: Sequence[Manifest]) -> None:
    """Refuse sources of different tasks."""
    first = parts[0].target
    for source, part in zip(sources, parts, strict=True):
        if part.target.name != first.name:
            raise DataError(
                f"{KEY}: '{sources[0].name}' has {first.name} and '{source.name}' "
                f"{part.target.name}: a training learns one of them, leave the others out"
            )


def _common(roots: Sequence[Path]) -> Path:
    """The folder that all of them lie in."""
    try:
        return Path(os.path.commonpath(roots))
    except ValueError:  # drives of Windows
        raise DataError(f"{KEY}: the sources lie on several drives: put them on one") from None
