"""Another data set to test a run on than the one it was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from osprey.config.groups.data import JOIN
from osprey.config.schema import DataConfig, EvalDataConfig
from osprey.data.check import check_files
from osprey.data.copies import resolve_conflicts, with_content
from osprey.data.keep_classes import only_classes
from osprey.data.manifest import Manifest
from osprey.data.readers import read_manifest
from osprey.data.value_range import outside_range
from osprey.errors import DataError
from osprey.system.console import counted


def read_external_dataset(
    asked: EvalDataConfig, trained: DataConfig, known: Manifest, cache: Path, notices: list[str]
) -> Manifest:
    """Read the data set under ``asked.root`` as samples of a run's classes.

    Args:
        asked: Location, reader and split; the reader defaults to class folders, or to the run's own
            for boxes.
        trained: The run's data settings; its ``classes`` and ``single_class`` are applied.
        known: The run's samples.
        cache: Folder where the results of decoding checks are stored.
        notices: Lines for the user are appended here.

    Returns:
        The samples; those without a split get ``asked.split``.

    Raises:
        DataError: It cannot be read, or has classes that the model does not have.
    """
    assert asked.root is not None
    reader = asked.reader or known.target.reader_of_another(trained.reader)
    if reader == JOIN:
        raise DataError(
            f"data.reader: the run was trained on several sets joined: say how '{asked.root}' is "
            "read, such as data.reader=coco"
        )
    config = replace(
        trained,
        root=asked.root,
        reader=reader,
        file=asked.file,
        filter=None,
        sources=[],
        given_split=True,
        label=asked.label or (trained.label if asked.reader is None else None),
        split_names={**(trained.split_names or {}), **(asked.split_names or {})},
        difficult=asked.difficult or trained.difficult,
        weights="use" if trained.weights == "ask" else trained.weights,  # no loss is made of them
    )
    other = read_manifest(config, notices)
    if other.target.name != known.target.name:
        raise DataError(
            f"'{asked.root}' holds {other.target.description}, and the run needs "
            f"{known.target.description}: set data.reader"
        )
    if trained.classes is not None and asked.single_class is None:
        other = only_classes(other, [name for name in trained.classes if name in other.classes])
    single_class = asked.single_class or trained.single_class
    if single_class is not None:
        other = other.target.merge_classes(other, single_class)
    strange = sorted(set(other.classes) - set(known.classes))
    if strange:
        raise DataError(
            f"'{asked.root}' has classes the model does not know: {', '.join(strange)} "
            f"(it knows: {', '.join(known.classes)}){_as_one(known)}"
        )
    ends = trained.value_range
    value_range = None if ends is None else (ends[0], ends[1])
    checked = check_files(other.root, other.table["path"].tolist(), cache, value_range)
    if dark := outside_range(checked.levels, value_range):
        notices.append(dark)
    other, bad = with_content(other, checked.digests), checked.unreadable
    if bad:
        count, first = counted(len(bad), "file"), next(iter(bad.values()))
        notices.append(f"left out, cannot be read: {count}, first: {first}")
        other = other.where(~other.table["path"].isin(list(bad)))
    other, _ = other.target.mend(other, notices)
    other = resolve_conflicts(other, asked.conflicts, notices)
    splits = other.table["split"].replace("", asked.split)
    return replace(other, table=other.table.assign(split=splits))


def _as_one(known: Manifest) -> str:
    """What a detector of one class can do about classes that are called otherwise."""
    if known.target.one_label or len(known.classes) != 1:
        return ""
    return f"; data.single_class={known.classes[0]} counts all of them as that"
