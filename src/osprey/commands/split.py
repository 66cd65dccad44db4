"""``osprey split``: cut a data set into train, val and test, and write the manifest."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from osprey.commands.doctoring.data import check_target, read_settings, telling
from osprey.commands.doctoring.words import own_settings, refuse_several, settings_lines
from osprey.config.compose import run_hydra
from osprey.config.fields import setting
from osprey.config.schema import DataConfig, TrainConfig
from osprey.data.augmented import copies_in
from osprey.data.folds import make_folds
from osprey.data.manifest import SPLITS, Manifest
from osprey.data.prepare import Prepared, prepare
from osprey.data.scarce import kept_in_train
from osprey.data.stratify import names_of
from osprey.errors import ConfigError, DataError
from osprey.system.console import counted, names_fitted, say, some_of
from osprey.system.outputs import own_path

_USAGE = """Cut a data set into train, val and test, and write the manifest.

  osprey split data=folder data.root=PHOTOS output=manifest.csv
  osprey split data=table data.root=PHOTOS data.file=labels.csv data.group=boat output=manifest.csv
  osprey split data=folder data.root=PHOTOS data.folds=5 output=manifest.csv
  osprey split data=table ... 'data.stratify=[season,species]' output=manifest.csv

Stratified by class, and by the columns of data.stratify (a cell may hold several names: a;b; boxes:
the classes of a photo's boxes), whole groups together, exact copies together. Settings of its own:

{settings}

Of the data's: data.val_fraction, data.test_fraction, data.folds, data.split_seed, data.stratify,
data.group, data.given_split (false: cut anew what has a split). With data.folds the manifest has a
column 'fold' too: fold data.fold tests, the next one validates. Photos are only ever read."""
_FOLD = "fold"  # the manifest's column
_BETWEEN = "between the rarest and the commonest"
_BLANK = "(blank)"  # what a photo without a name in a column is counted as


@dataclass
class SplitSettings:
    """Where the manifest goes."""

    output: str | None = setting(None, "the CSV to write; needed")


def main(argv: list[str]) -> int:
    """Split the data set that ``argv`` names."""
    if any(word in ("-h", "--help", "help") for word in argv):
        say(_USAGE.format(settings="\n".join(settings_lines(SplitSettings))))
        return 0
    own, words = own_settings(argv, SplitSettings)
    refuse_several(words, "split")
    shows = any(word.startswith(("--cfg", "--info")) for word in words)
    if own.output is None and not shows:
        raise ConfigError("output is not set: name the CSV to write with output=manifest.csv")

    def job(cfg: DictConfig) -> None:
        _split(read_settings(cfg, "split"), str(own.output))

    run_hydra("train", words, job, "osprey split")
    return 0


def _split(config: TrainConfig, output: str) -> None:
    target = check_target(output, "output", config.data)
    notices: list[str] = []
    with telling(notices):
        prepared = prepare(config.data, Path(config.paths.cache), notices)
    manifest = _with_folds(prepared.manifest, config.data)
    for line in _lines(manifest, prepared):
        say(line)
    for column in config.data.stratify:
        for line in _shares(manifest, column):
            say(line)
    with own_path(target, "output", force=False) as partial:
        manifest.table.to_csv(partial, index=False, lineterminator="\n")
    say(f"wrote   {target}")
    say()
    say("next:")
    words = ["osprey", "train", *([] if manifest.target.one_label else ["experiment=detect"])]
    words += ["data=table", f"data.root={manifest.root}", f"data.file={target}"]
    words += ["data.group=group"] if manifest.has_groups else []
    say(f"  {shlex.join(words)}")


def _with_folds(manifest: Manifest, config: DataConfig) -> Manifest:
    """The manifest with the fold of each sample; empty where a given test split has it."""
    if config.folds is None:
        return manifest
    if copies_in(manifest.table).any():
        raise DataError(
            "data.folds: the table has augmented copies (columns source and variant), which no "
            "fold is to test on: cut the photos' folds, then augment"
        )
    given = config.given_split and _keeps_test(manifest, config)
    free = manifest.table["split"] != "test" if given else manifest.table["split"].astype(bool)
    free[free] = ~kept_in_train(manifest.where(free))  # in train whichever fold is tested
    folds = make_folds(manifest.where(free), config.folds, config.split_seed, config.stratify)
    numbers = np.full(len(manifest.table), "", dtype=object)
    numbers[free.to_numpy()] = folds.astype(str)
    return replace(manifest, table=manifest.table.assign(**{_FOLD: numbers}))


def _keeps_test(manifest: Manifest, config: DataConfig) -> bool:
    """Whether the test split is the data's own: then fold ``fold`` is not it."""
    shared = manifest.where(pd.Series(~kept_in_train(manifest)))
    folds = make_folds(shared, config.folds or 2, config.split_seed, config.stratify)
    return bool(set(shared.table["split"][folds == config.fold]) != {"test"})


def _lines(manifest: Manifest, prepared: Prepared) -> Iterator[str]:
    """The figures: photos, groups and classes of each split."""
    table = manifest.table
    unreadable = len(prepared.unreadable)
    left = f" ({unreadable} unreadable, left out)" if unreadable else ""
    classes = counted(len(manifest.classes), "class")
    yield f"data    {counted(len(table), 'photo')} of {classes}{left}"
    if unreadable:
        reason = next(iter(prepared.unreadable.values()))
        more = f"; and {unreadable - 1} more" if unreadable > 1 else ""
        yield f"note    left out, cannot be read: {reason}{more}"
    for notice in prepared.notices:
        yield f"note    {notice}"
    yield ""
    target = manifest.target
    rows: list[tuple[str, list[str]]] = [("photos", [str(n) for n in _sizes(table["split"])])]
    rows.append(("share", [f"{100 * n / len(table):.1f}%" for n in _sizes(table["split"])]))
    if manifest.has_groups:
        first = table.drop_duplicates(["group", "split"])
        rows.append(("groups", [str(n) for n in _sizes(first["split"])]))
    yield from _table("", rows)
    counts = target.counts(manifest)
    totals = {n: sum(counts[s].get(n, 0) for s in SPLITS) for n in manifest.classes}
    sized = [{"label": n, "n": totals[n]} for n in manifest.classes]
    shown = some_of(sized, "n", f"classes {_BETWEEN}")
    yield ""
    lines: list[tuple[str, list[str]]] = []
    for row in shown:
        if isinstance(row, str):
            lines.append((row, []))
            continue
        lines.append((row["label"], [str(counts[s].get(row["label"], 0)) for s in SPLITS]))
    yield from _table(f"{target.unit if target.unit != 'box' else 'boxes'} of", lines)
    if _FOLD in table:
        yield ""
        sizes = table[table[_FOLD] != ""].groupby(_FOLD).size()
        yield f"folds   {', '.join(f'{fold}: {size}' for fold, size in sizes.items())} photos"


def _shares(manifest: Manifest, column: str) -> Iterator[str]:
    """How many photos of each split have each name of a column, and how even that is."""
    splits = manifest.table["split"].to_numpy(dtype=str)
    names = [each or [_BLANK] for each in names_of(manifest, column)]
    found = pd.DataFrame(
        [(name, split) for each, split in zip(names, splits, strict=True) for name in each],
        columns=["name", "split"],
    )
    counts = found.groupby(["name", "split"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=list(SPLITS), fill_value=0)
    known = counts.drop(index=_BLANK, errors="ignore").to_numpy()
    sizes = np.array(_sizes(manifest.table["split"]))
    shares = known[:, sizes > 0] / sizes[sizes > 0]
    whole = known.sum(axis=1, keepdims=True) / sizes.sum()
    off = float(np.abs(shares - whole).max(initial=0))
    yield ""
    sized = [{"label": n, "n": int(row.sum())} for n, row in counts.iterrows()]
    shown = some_of(sized, "n", f"values {_BETWEEN}")
    lines: list[tuple[str, list[str]]] = [
        (row, []) if isinstance(row, str)
        else (str(row["label"]), [str(n) for n in counts.loc[row["label"]]])
        for row in shown
    ]  # fmt: skip
    yield from _table(f"{column}", lines)
    yield f"  a value's share of a split is at most {100 * off:.1f} points off its share of all"


def _sizes(splits: Any) -> list[int]:
    counts = splits.value_counts()
    return [int(counts.get(split, 0)) for split in SPLITS]


def _table(title: str, rows: Sequence[tuple[str, list[str]]]) -> Iterator[str]:
    names = names_fitted([title, *(name for name, cells in rows if cells)], 3 * 9)
    yield "  " + names[title] + "".join(f"{split:>9}" for split in SPLITS)
    for name, cells in rows:
        yield f"  {names[name]}" + "".join(f"{c:>9}" for c in cells) if cells else f"  {name}"
