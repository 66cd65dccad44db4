"""What a report says: numbers agree with their nouns, sentences have a space between them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake_box_run import make_box_run
from fake_run import make_run
from test_report import Page

from osprey.tasks.reporting import build_report

ONE_OF_MANY = r"\b1 (photos|boxes|files|classes|runs|groups|epochs|values|stages)\b"


def words(folder: Path) -> str:
    text = build_report(folder).read_text(encoding="utf-8")
    return Page(re.sub(r"<(style|script).*?</\1>", "", text, flags=re.DOTALL)).flat


@pytest.mark.parametrize("n", [1, 2, 9])
def test_a_detector_of_one_class(n: int, tmp_path: Path) -> None:
    said = words(make_box_run(tmp_path / "run", ["fish"], n))
    assert "from random weights; 1 class." in said
    averaged = "1 class" if "0 boxes test" not in said else "0 of 1 class, those with boxes"
    assert f"0.95 and {averaged}; AP75" in said
    assert not re.search(ONE_OF_MANY, said)
    assert not re.search(r"[a-z]\.[A-Z]", said), "a space after each sentence"
    assert "Without a box: 1 photo to validate, 1 photo to test. Every file could be read." in said


def test_a_classifier_of_two_photos(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", ["a", "b"], 2)
    (folder / "unreadable.csv").write_text("path,reason\nx.jpg,empty\n")
    said = words(folder)
    assert "1 file could not be read and was left out." in said
    assert not re.search(ONE_OF_MANY, said) and not re.search(r"[a-z]\.[A-Z]", said)
