"""A manifest with what a person decided about suspected boxes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from osprey.data.box_column import Box
from osprey.data.manifest import Manifest
from osprey.errors import DataError
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
from osprey.tasks.detection.suspects import MISSING, PLACED, SIDES, SWAPPED, boxes_decided

FIX = "fix"
_TO = tuple(f"to_{side}" for side in SIDES)
_COLUMNS = ("path", "what", "label", "suggested", *SIDES, *_TO)
_NEAR = 0.02  # pixels that a box may differ from the table's, which is rounded
_KINDS = (MISSING, SWAPPED, PLACED)


def decided(file: Path, manifest: Manifest, run: Path) -> Decided:
    """Apply an edited table.

    Args:
        file: The table: ``decision`` is empty, ``keep``, ``drop`` (the box goes), ``fix`` (the box
            gets the suggested class, or the place of the columns ``to_...``), or a class, which
            may be a new one: the box gets it, and one that is missing is added.
        manifest: The run's samples.
        run: Its folder, for messages.

    Raises:
        DataError: A column is missing, a number is none, or the table is of another run.
    """
    table = read_decisions(file, _COLUMNS)
    rows = {path: number for number, path in enumerate(manifest.table["path"])}
    counts: Counter[str] = Counter(kept=0, dropped=0, changed=0, open=0)
    photos: dict[int, list[Box | None]] = {}
    said: dict[int, list[list[Any]]] = {}
    refuse_twice(file, table[["path", "what", *SIDES, *_TO]].agg(" ".join, axis=1))
    names = set()
    columns = [*_COLUMNS, DECISION]
    for cells in table[columns].itertuples(index=False):
        each: dict[str, str] = dict(zip(columns, cells, strict=True))
        if each["path"] not in rows:
            raise of_another_run(file, run, each["path"])
        row = rows[each["path"]]
        boxes = photos.setdefault(row, list(manifest.box_lists[row]))
        place = _place(file, run, each, boxes)
        kind, after = _after(file, each, None if place is None else boxes[place])
        counts[kind] += 1
        if kind == "open":
            continue
        if place is not None:
            boxes[place] = after
        elif after is not None:
            boxes.append(after)
        about = after or _box(file, each, SIDES if place is not None else _TO)
        if kind == "changed":
            names.add(about[0])
        corners = [round(v, 2) for v in (*about[1:3], about[1] + about[3], about[2] + about[4])]
        said.setdefault(row, []).append([each[DECISION].casefold(), *corners])
    return Decided(_with(manifest, photos, said), counts, sorted(names))


def _with(
    manifest: Manifest,
    photos: dict[int, list[Box | None]],
    said: dict[int, list[list[Any]]],
) -> Manifest:
    """The manifest with some photos' boxes anew, and what was decided about them."""
    lists = [
        [box for box in photos.get(row, boxes) if box is not None]
        for row, boxes in enumerate(manifest.box_lists)
    ]
    before = earlier_decisions(manifest).tolist()
    words = []
    for row, text in enumerate(before):
        earlier = [[word, *corners] for word, corners in boxes_decided(text)]
        now = said.get(row, [])
        words.append(json.dumps([*earlier, *now]) if now else text)
    after = manifest.with_boxes(lists)
    return replace(after, table=after.table.assign(**{DECISION: words}))


def _place(file: Path, run: Path, each: dict[str, str], boxes: list[Box | None]) -> int | None:
    """Which of the photo's boxes a row is about; None: one that is missing."""
    if each["what"] not in _KINDS:
        raise DataError(
            f"--decisions: '{file}': what '{each['what']}' is none of {', '.join(_KINDS)}"
        )
    if each["what"] == MISSING:
        return None
    wanted = _box(file, each, SIDES)
    for place, box in enumerate(boxes):
        if box is None or box[0] != each["label"]:
            continue
        if np.allclose(box[1:], wanted[1:], rtol=0, atol=_NEAR):
            return place
    sides = " ".join(each[side] for side in SIDES)
    why = f"'{each['path']}' has no box of {each['label']} at {sides} in '{run}'"
    raise of_another_run(file, run, each["path"], why)


def _after(file: Path, each: dict[str, str], box: Box | None) -> tuple[str, Box | None]:
    """What a decision comes to, and the box after it; None: there is none."""
    word, missing = each[DECISION], box is None
    if not word:
        return "open", box
    if word.casefold() == KEEP or (missing and word.casefold() == DROP):
        return "kept", box
    if word.casefold() == DROP:
        return "dropped", None
    fixed = word.casefold() == FIX
    if missing or (fixed and each["what"] == PLACED):
        label = each["suggested"] if fixed else word
        return "changed", (label, *_box(file, each, _TO)[1:])
    assert box is not None
    label = each["suggested"] if fixed else word
    return ("kept" if label == box[0] else "changed"), (label, *box[1:])


def _box(file: Path, each: dict[str, str], columns: tuple[str, ...]) -> Box:
    """A row's box, of its label.

    Raises:
        DataError: It has no four numbers, or no area.
    """
    try:
        x, y, w, h = (float(each[column]) for column in columns)
    except ValueError:
        x = y = w = h = float("nan")
    if not (w > 0 and h > 0 and np.isfinite([x, y, w, h]).all()):
        text = " ".join(each[column] for column in columns)
        raise DataError(
            f"--decisions: '{file}': '{each['path']}' has no box at {', '.join(columns)}: '{text}'"
        )
    return each["label"], x, y, w, h
