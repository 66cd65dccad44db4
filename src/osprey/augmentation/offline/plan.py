"""What is to be made of each photo, decided before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from osprey.augmentation.offline.counts import Counts, class_targets, copies_of
from osprey.augmentation.offline.options import AugmentOptions
from osprey.augmentation.offline.sources import Sources
from osprey.augmentation.offline.variants import Job, free_mark
from osprey.data.manifest import Manifest
from osprey.data.naming import unique_stems
from osprey.data.splits import assign_groups
from osprey.data.tables import load_table
from osprey.errors import DataError, nearest
from osprey.system.console import counted
from osprey.system.paths import nearest_beside


@dataclass(frozen=True)
class Plan:
    """The photos, in order, and how many copies each gets.

    Attributes:
        manifest: The photos with groups, where copies are balanced by them.
        copies: int64 [N].
        jobs: One a photo.
    """

    manifest: Manifest
    copies: Counts
    jobs: list[Job]

    def lines(self) -> list[str]:
        """For each class its photos and copies, largest first."""
        table = self.manifest.table
        part = table.assign(copies=self.copies)[_to_augment(table)]
        each = part.groupby("label").agg(photos=("path", "size"), copies=("copies", "sum"))
        ranked = each.sort_values("photos", ascending=False, kind="stable")
        width = max(map(len, map(str, ranked.index)), default=0)
        rows = zip(ranked.index, ranked["photos"], ranked["copies"], strict=True)
        return [
            f"  {name!s:<{width}}  {counted(int(photos), 'photo')}, {int(copies)} copies"
            for name, photos, copies in rows
        ]


def make_plan(options: AugmentOptions, sources: Sources, notices: list[str]) -> Plan:
    """Decide how many copies each photo gets.

    Photos whose split is val or test get none: a figure is to say how photos are answered.

    Args:
        options: Balance, copies, targets.
        sources: The photos.
        notices: Lines for the user are appended here.

    Returns:
        The plan.

    Raises:
        DataError: A class has one photo, or the balance names what is not there.
    """
    manifest = _grouped(sources.manifest, options.balance_by)
    table = manifest.table
    train = _to_augment(table)
    if not train.any():
        raise DataError("--label_file: every photo is in val or test, of which no copies are made")
    part = table[train]
    targets = _targets(options, part, notices)
    groups = part["group"].tolist() if options.balance_by else None
    copies = np.zeros(len(table), dtype=np.int64)
    copies[train.to_numpy()] = copies_of(
        part["path"].tolist(),
        part["label"].tolist(),
        groups,
        targets,
        options.balance,
        options.seed,
    )
    if not train.all():
        notices.append(
            f"in val or test, so without copies: {counted(int((~train).sum()), 'photo')}"
        )
    return Plan(manifest, copies, _jobs(manifest, copies))


def _to_augment(table: pd.DataFrame) -> pd.Series[bool]:
    return table["split"].isin(["", "train"])


def _grouped(manifest: Manifest, by: str | None) -> Manifest:
    if by is None:
        return manifest
    try:
        return assign_groups(manifest, by)
    except DataError as error:
        said = str(error).replace("data.group", "--balance-by")
        raise DataError(said.partition(" (data.missing")[0]) from None


def _targets(options: AugmentOptions, part: pd.DataFrame, notices: list[str]) -> dict[str, int]:
    """How many photos each class is to have, originals included."""
    sizes = {str(k): int(v) for k, v in part["label"].value_counts(sort=False).sort_index().items()}
    if options.counts is not None:
        return _given_targets(Path(options.counts), sizes, notices)
    numbers = np.array(list(sizes.values()), dtype=np.int64)
    targets = class_targets(numbers, options.copies, options.balance)
    found = dict(zip(sizes, map(int, targets), strict=True))
    single = [name for name, count in sizes.items() if count == 1]
    if single and options.copies and options.balance != "none":
        raise DataError(
            f"{counted(len(single), 'class')} of one photo, such as '{single[0]}', of which "
            f"--balance {options.balance} would make {found[single[0]] - 1} copies: add photos, or "
            "take --balance none or --counts"
        )
    return found


def _given_targets(file: Path, sizes: Mapping[str, int], notices: list[str]) -> dict[str, int]:
    """The targets of a table ``label,count``, whatever its two columns are called."""
    if not file.is_file():
        raise DataError(f"--counts: there is no '{file}'{nearest_beside(file)}")
    table = load_table(file)
    if len(table.columns) != 2:
        raise DataError(
            f"--counts: '{file}' needs two columns, class and count, not {len(table.columns)}"
        )
    found: dict[str, int] = {}
    for name, count in zip(table.iloc[:, 0].astype(str), table.iloc[:, 1].astype(str), strict=True):
        if name.strip() not in sizes:
            hint = nearest(name.strip(), sizes)
            raise DataError(f"--counts: no photo to augment is labelled '{name.strip()}'{hint}")
        if name.strip() in found:
            raise DataError(f"--counts: '{file}' names '{name.strip()}' twice")
        if not count.strip().isdecimal():
            raise DataError(f"--counts: '{count}' of '{name.strip()}' is not a whole number")
        found[name.strip()] = int(count)
    missing = sorted(set(sizes) - set(found))
    if missing:
        notices.append(f"not in '{file}', so without copies: {', '.join(missing)}")
    fewer = sorted(name for name, count in found.items() if count < sizes[name])
    if fewer:
        notices.append(f"more photos than '{file}' asks for, all kept: {', '.join(fewer)}")
    return dict(sizes) | {name: max(count, sizes[name]) for name, count in found.items()}


def _jobs(manifest: Manifest, copies: Counts) -> list[Job]:
    """One job a photo; the names of its copies depend on those of all photos."""
    paths = [Path(path) for path in manifest.table["path"]]
    stems = {path: stem.as_posix() for path, stem in unique_stems(paths).items()}
    mark = free_mark([*stems.values(), *(path.with_suffix("").as_posix() for path in paths)])
    boxed = "boxes" in manifest.table
    rows = manifest.table.to_dict("records")
    jobs = []
    for path, row, count in zip(paths, rows, copies, strict=True):
        job = Job(path.as_posix(), stems[path] + mark, int(count))
        if boxed:
            size = int(row["width"]), int(row["height"])
            job = job._replace(boxes=str(row["boxes"]), size=size)
        jobs.append(job)
    return jobs
