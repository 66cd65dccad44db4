"""Sets written by labelling tools' own writers are read as the tools' own readers count them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import data_config

from osprey.data.formats.registry import sniff_form
from osprey.data.readers import read_manifest

FOLDER = Path(__file__).parent / "made_by_tools"
SETS: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text())
CLASSES = ["fish", "gull"]
# As make.py draws them: x, y, right, bottom.
DECK = [("fish", 8, 8, 24, 20), ("gull", 32, 24, 56, 40)]


@pytest.mark.parametrize("one", SETS, ids=[one["set"] for one in SETS])
def test_counts_agree_with_the_tools_own_reader(one: dict[str, Any]) -> None:
    root = FOLDER / one["set"]
    file = str(root / one["file"]) if "file" in one else None
    notices: list[str] = []
    manifest = read_manifest(data_config(root, one["reader"], file=file), notices)
    labels = Counter(box[0] for boxes in manifest.box_lists for box in boxes)
    assert (len(manifest.table), sum(labels.values())) == (one["photos"], one["boxes"]), notices
    assert dict(labels) == one["labels"]
    names = [Path(path).name for path in manifest.table["path"]]
    corners, found = manifest.boxes(names.index("deck_1.jpg"))
    order = np.argsort(corners[:, 0])
    assert [found[place] for place in order] == [label for label, *_ in DECK]
    np.testing.assert_allclose(corners[order], [box for _, *box in DECK], atol=1.01)


@pytest.mark.parametrize("one", SETS, ids=[one["set"] for one in SETS])
def test_convert_knows_each_by_its_look(one: dict[str, Any]) -> None:
    assert sniff_form(FOLDER / one["set"] / one.get("file", ""))[0] == [one["reader"]]


def test_there_are_forty_files_of_five_tools() -> None:
    written = [
        path
        for path in FOLDER.rglob("*")
        if path.suffix in (".json", ".xml", ".txt", ".yaml", ".data", ".names")
        and path.parent != FOLDER
    ]
    assert len(written) >= 40
    assert len({one["tool"].partition(" ")[0] for one in SETS}) == 5
