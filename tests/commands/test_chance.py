"""A result at chance level is said to be one, with the next thing to try."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TINY, Result, only_run

from osprey.tasks.classification.chance import chance_line


def figures(counts: dict[str, int], top1: float) -> dict[str, object]:
    rows = [{"label": label, "n": n} for label, n in counts.items()]
    return {"n": sum(counts.values()), "top1": top1, "per_class": rows}


@pytest.mark.parametrize(
    ("counts", "top1", "better"),
    [
        ({"a": 50, "b": 50}, 0.5, False),
        ({"a": 50, "b": 50}, 0.58, False),  # within what luck gives with so few
        ({"a": 50, "b": 50}, 0.65, True),
        ({"a": 90, "b": 10}, 0.90, False),  # 90% right and nothing learnt
        ({"a": 9000, "b": 1000}, 0.92, True),
    ],
)
def test_better_than_the_most_frequent_class(
    counts: dict[str, int], top1: float, better: bool
) -> None:
    assert (chance_line(figures(counts, top1)) == "") is better


def test_it_is_said(here: Path, photos: Path, osprey: Callable[..., Result]) -> None:
    words = [word for word in TINY if not word.startswith(("optimizer", "trainer.max_epochs"))]
    words += ["data=folder", f"data.root={photos}", "optimizer.lr=1e-9", "trainer.max_epochs=1"]
    result = osprey("train", *words, "data.test_fraction=0.5")
    assert result.code == 0, result.err
    (line,) = (line for line in result.out.splitlines() if line.startswith("note    "))
    assert line.startswith("note    hardly better than chance: always '")
    assert line.endswith(
        "; try other pretrained weights (experiment=probe is quick), more photos a class, "
        "more epochs, or more photos to test on"
    )
    page = (only_run(here) / "report.html").read_text(encoding="utf-8")
    assert "Hardly better than chance: always &#39;" in page


def test_a_run_without_a_test_split_says_that_its_figures_flatter(
    here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    words = ("train", "data=folder", f"data.root={photos}", *TINY, "data.test_fraction=0")
    result = osprey(*words)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert "test    none: validation, which also chose what is best, flatters" in lines


def test_what_is_not_above_chance_is_no_better() -> None:
    assert chance_line(figures({"a": 50, "b": 40}, 0.5)) == (
        "no better than chance: always 'a' is right for 0.556 of these 90, and the network for "
        "0.500; try other pretrained weights (experiment=probe is quick), more photos a class, "
        "or more epochs"
    )
