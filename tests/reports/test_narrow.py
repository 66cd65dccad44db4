"""Reports on a phone: nothing makes the page wider, what scrolls says so, taps hit."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from browser import browse
from fake_box_run import make_box_run
from fake_light_run import make_light_run
from fake_run import make_run

from osprey.reports.confusion import confusion_picture
from osprey.tasks.reporting import build_report

# Measured in the page itself: its width, parts that scroll without a cue, small targets, and what
# stands outside of the page before anything is scrolled.
MEASURE = """
  const all = (what) => [...page.querySelectorAll(what)];
  const seen = (box) => box.checkVisibility();
  const name = (box) => box.outerHTML.slice(0, 60);
  const overflows = (box) => box.scrollWidth > box.clientWidth + 1;
  const text = (cell) => {
    const range = page.createRange();
    range.selectNodeContents((cell.querySelector("span") ?? cell).firstChild);
    return range.getBoundingClientRect();
  };
  const isCut = (cell) => {
    const edge = cell.closest(".scroll").getBoundingClientRect().right, box = text(cell);
    return /\\d/.test(cell.textContent) && box.left < edge - 1 && box.right > edge + 1;
  };
  return {
    cut: all(".scroll td.n, .scroll td.bar").filter(seen).filter(isCut).map(name),
    width: page.documentElement.scrollWidth,
    wide: all(".scroll.more").length,
    uncued: all(".scroll").filter((box) => seen(box) && overflows(box)
      && !seen(box.previousElementSibling)).map(name),
    idle: all(".cue").filter((cue) => seen(cue) && !overflows(cue.nextElementSibling)).map(name),
    small: all("button, select, summary, label").filter(seen)
      .filter((box) => box.getBoundingClientRect().height < 24).map(name),
    headings: all("#classes thead th").filter(seen)
      .filter((box) => box.getBoundingClientRect().right <= page.documentElement.clientWidth)
      .map((box) => box.textContent.trim()),
  };
"""
LONG = [f"A species with a long name, number {i} (juvenile)" for i in range(27)]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("narrow")
    fish = ["cod", "sea bass", "Atlantic mackerel", "ling", "never seen"]
    folders = {
        "classifier": make_run(place / "a", fish[:3], 60, camera=["north", "south"]),
        "of many classes": make_run(place / "b", LONG, 120, light=LONG[:5]),
        "of hostile names": make_run(place / "h", ["w" * 300, "v" * 300, "u"], 60),
        "detector": make_box_run(place / "c", fish, 40, light=["day", "night"]),
        "of one class": make_box_run(place / "d", ["fish"], 40),
        "own": make_light_run(place / "e"),
    }
    return {name: build_report(run).read_text(encoding="utf-8") for name, run in folders.items()}


@pytest.fixture(scope="module")
def measured(reports: dict[str, str]) -> dict[str, dict[str, Any]]:
    """What a phone shows of each report."""
    found = browse(list(reports.values()), 390, MEASURE)
    return dict(zip(reports, found, strict=True))


def test_no_report_is_wider_than_the_phone(measured: dict[str, dict[str, Any]]) -> None:
    assert {name: page["width"] for name, page in measured.items() if page["width"] > 390} == {}


def test_no_report_is_wider_than_a_desk(reports: dict[str, str]) -> None:
    widths = browse(list(reports.values()), 1280, "return page.documentElement.scrollWidth;")
    assert max(widths) <= 1280, dict(zip(reports, widths, strict=True))


def test_what_scrolls_has_a_cue_and_nothing_else(measured: dict[str, dict[str, Any]]) -> None:
    for name, page in measured.items():
        assert (page["uncued"], page["idle"]) == ([], []), name
    assert measured["of many classes"]["wide"] > 0


def test_what_is_looked_for_first_is_seen_first(measured: dict[str, dict[str, Any]]) -> None:
    for name in ("classifier", "of many classes", "detector", "of one class"):
        assert measured[name]["headings"][:5] == ["Class", "n", "F1", "Precision", "Recall"], name


def test_no_number_is_cut(measured: dict[str, dict[str, Any]]) -> None:
    for name in ("classifier", "of many classes", "detector", "of one class"):
        assert measured[name]["cut"] == [], name


def test_targets_can_be_hit_with_a_finger(measured: dict[str, dict[str, Any]]) -> None:
    assert {name: page["small"] for name, page in measured.items() if page["small"]} == {}


def test_every_table_can_scroll_by_itself(reports: dict[str, str]) -> None:
    for name, text in reports.items():
        body = text[text.index("<body>") :]
        assert len(re.findall(r"<table", body)) == len(
            re.findall(r'<div class="scroll">\s*<table', body)
        ), name
        assert "scroll sideways for more" in text, name


@pytest.mark.parametrize(
    ("names", "drawn"),
    [
        (["cod", "a sea bass"], ["cod", "a sea bass"]),
        (["of_the_north_sea_1", "of_the_north_sea_10"], ["…ea_1", "…ea_10"]),
        (["a rather long species", "a rather long species too"], ["…species", "…species too"]),
        (["one long name of many letters"], ["one long name o…"]),
    ],
)
def test_names_on_the_axes(names: list[str], drawn: list[str]) -> None:
    text = confusion_picture(np.eye(len(names), dtype=np.int64), names)
    assert re.findall(r'<text class="end" data-name="\d+"[^>]*>([^<]*)<title>', text) == drawn


def test_names_that_begin_alike_are_told_apart(reports: dict[str, str]) -> None:
    names = re.findall(
        r'<text class="end" data-name="\d+"[^>]*>([^<]*)<title>', reports["of many classes"]
    )
    assert len(set(names)) == len(names) == 27
    assert names[13] == "…13 (juvenile)"
