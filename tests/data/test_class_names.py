"""Names that are one class to people: merged and told, or asked about."""

from __future__ import annotations

import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osprey.data.class_names import tidy_class_names
from osprey.data.manifest import Manifest, complete
from osprey.errors import DataError


def manifest_of(labels: list[str]) -> Manifest:
    from pathlib import Path

    table = pd.DataFrame({"path": [f"{n}.png" for n in range(len(labels))], "label": labels})
    return complete(table, Path("photos"), "photos")


def tidied(labels: list[str], case: str = "ask") -> tuple[list[str], list[str]]:
    notices: list[str] = []
    manifest = tidy_class_names(manifest_of(labels), case, notices)
    return manifest.table["label"].tolist(), notices


def test_letters_and_blanks() -> None:
    decomposed = unicodedata.normalize("NFD", "Hüte")
    labels, notices = tidied(["Hüte", decomposed, "Tuna", "Tuna ", "cod"])
    assert labels == ["Hüte", "Hüte", "Tuna", "Tuna", "cod"]
    assert notices == [
        f"one class 'Hüte': '{decomposed}', 'Hüte' differ in blanks or in how letters are written",
        "one class 'Tuna': 'Tuna', 'Tuna ' differ in blanks or in how letters are written",
    ]


def test_capitals() -> None:
    labels = ["Tuna", "tuna", "tuna", "cod"]
    with pytest.raises(DataError) as refused:
        tidied(labels)
    assert str(refused.value) == (
        "classes 'tuna' (n=2) and 'Tuna' (n=1) differ in capitals alone: data.case=merge makes "
        "them one, data.case=keep leaves them apart"
    )
    assert tidied(labels, "keep") == (labels, [])
    assert tidied(labels, "merge") == (
        ["tuna", "tuna", "tuna", "cod"],
        ["one class 'tuna': also Tuna (data.case=merge)"],
    )


def test_boxes() -> None:
    table = pd.DataFrame(
        {
            "path": ["1.png", "2.png"],
            "width": [64, 64],
            "height": [64, 64],
            "boxes": ['[["Tuna ", 1, 1, 9, 9], ["cod", 2, 2, 9, 9]]', '[["Tuna", 1, 1, 9, 9]]'],
        }
    )
    from pathlib import Path

    notices: list[str] = []
    manifest = tidy_class_names(complete(table, Path("photos"), "photos"), "ask", notices)
    assert manifest.classes == ["Tuna", "cod"] and len(notices) == 1


@given(st.lists(st.text("aAüÜ u\u0308", min_size=1).filter(str.strip), min_size=1, max_size=12))
def test_twice_is_once(labels: list[str]) -> None:
    once, _ = tidied(labels, "merge")
    assert tidied(once, "ask") == (once, [])
    assert len({name.casefold() for name in once}) == len(set(once))
