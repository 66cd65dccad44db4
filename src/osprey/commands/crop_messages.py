"""What ``osprey crop`` says at its end: counts, tables, and the command that trains on them."""

from __future__ import annotations

import shlex

from osprey.data.crop_journal import EMPTY, CropJournal
from osprey.data.crop_labels import Labels
from osprey.system.console import counted, warn

EMPTY_PHOTOS = {
    "skip": "left out",
    "keep": "kept whole among the crops",
    "move": "put into no_detection/, which no table of crops names",
}


def say(no_detection: str, journal: CropJournal) -> None:
    """What came out, and where it stands."""
    crops, empty = journal.of("crop"), journal.of(*EMPTY)
    found = len({row["source"] for row in crops})
    made = f"{counted(len(crops), 'crop')} of {counted(found, 'photo')}"
    warn(f"{made}: {journal.folder / 'manifest.csv'}")
    if empty:
        warn(
            f"{len(empty)} with nothing found, {EMPTY_PHOTOS[no_detection]}: "
            f"{journal.folder / 'no_detection.csv'}"
        )
    failed = journal.of("failure")
    if failed:
        warn(
            f"{len(failed)} could not be read: {journal.folder / 'failures.csv'}, "
            f"first: {failed[0]['failure']}"
        )


def say_next(journal: CropJournal, labels: Labels) -> None:
    """The command that trains on the crops, where they have labels."""
    kept = journal.of("crop", "whole")
    table, group = "manifest.csv", [f"data.group={labels.source}"]
    if labels.columns:
        table, kept = "labels.csv", [row for row in kept if row["label"]]
        if "group" in labels.columns:  # of photos, as the crops of one are; data=table heeds it
            group = []
    twice = {row["source"] for row in kept if len(labels.rows.get(row["source"], ())) > 1}
    if twice:
        warn(
            f"{counted(len(twice), 'photo')} with several rows in the label file, and so their "
            "crops: training takes one label a crop"
        )
        return
    bare = sum(not row["label"] for row in kept)
    if bare:
        warn(
            f"without a label: {counted(bare, 'crop')}: put photos into class folders, or give "
            "--label_file, to train on them"
        )
    elif len({row["label"] for row in kept}) > 1:
        where = [f"data.root={journal.folder}", f"data.file={journal.folder / table}"]
        warn("next:")
        line = shlex.join(["osprey", "train", "data=table", *where, *group])
        warn(f"  {line}")
