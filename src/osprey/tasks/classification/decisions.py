"""A manifest with what a person decided about suspected labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from osprey.data.manifest import Manifest
from osprey.tasks.decisions import (
    DECISION,
    DROP,
    KEEP,
    Decided,
    earlier_decisions,
    of_another_run,
    read_decisions,
    refuse_twice,
)


def decided(file: Path, manifest: Manifest, run: Path) -> Decided:
    """Apply an edited table.

    Args:
        file: The table: ``decision`` is empty, ``keep``, ``drop``, or a class, which may be a new
            one.
        manifest: The run's samples.
        run: Its folder, for messages.

    Raises:
        DataError: A column is missing, or the table is of another run.
    """
    table = read_decisions(file, ("path", "label"))
    refuse_twice(file, table["path"])
    labels = dict(zip(manifest.table["path"], manifest.table["label"], strict=True))
    counts: Counter[str] = Counter(kept=0, dropped=0, changed=0, open=0)
    changed: dict[str, str] = {}
    said: dict[str, str] = {}
    dropped: set[str] = set()
    for path, label, decision in table[["path", "label", DECISION]].itertuples(index=False):
        _check(file, run, path, label, labels)
        if decision:
            said[path] = decision
        if not decision:
            counts["open"] += 1
        elif decision.casefold() == KEEP or decision == label:
            counts["kept"] += 1
        elif decision.casefold() == DROP:
            dropped.add(path)
            counts["dropped"] += 1
        else:
            changed[path] = decision
            counts["changed"] += 1
    rows = manifest.table
    after = rows.assign(
        label=rows["path"].map(changed).fillna(rows["label"]),
        **{DECISION: rows["path"].map(said).fillna(earlier_decisions(manifest))},
    )
    kept = after[~rows["path"].isin(list(dropped))].reset_index(drop=True)
    return Decided(replace(manifest, table=kept), counts, sorted(set(changed.values())))


def _check(file: Path, run: Path, path: str, label: str, labels: dict[str, str]) -> None:
    if path not in labels:
        raise of_another_run(file, run, path)
    if label != labels[path]:
        raise of_another_run(file, run, path, f"'{path}' is {labels[path]} in '{run}', not {label}")
