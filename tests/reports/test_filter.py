"""The choice of a class and a slice: all of the page follows, the matrix too."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from browser import browse
from fake_box_run import make_box_run
from fake_run import make_run
from test_report import samples_of

from osprey.reports.photo_map import TILE, map_payload, sheet_of
from osprey.tasks.reporting import build_report

# Class 2 of the first slice's first value; what the matrix then shows, and where it stands.
CHOOSE = """
  page.getElementById("by-class").value = "2";
  page.getElementById("by-slice").value = "0:0";
  page.getElementById("filter").dispatchEvent(new Event("change"));
  const cells = [...page.querySelectorAll("[data-at]")];
  return {
    counts: cells.filter((cell) => cell.getAttribute("visibility") === "visible")
      .map((cell) => [Number(cell.dataset.at), cell.querySelector("rect").dataset.said,
        cell.querySelector("text.rate")?.textContent ?? ""]),
    bright: cells.filter((cell) => !cell.classList.contains("dim"))
      .map((cell) => Number(cell.dataset.at)),
    strong: [...page.querySelectorAll("svg .strong[data-name]")].map((text) => text.dataset.name),
    moved: page.querySelector(".matrix .scroll").scrollLeft,
    said: page.getElementById("chosen").textContent,
  };
"""


def chosen(text: str) -> dict[str, Any]:
    (found,) = browse([text], 390, CHOOSE)
    return dict(found)


def test_the_classifier_s_matrix_is_counted_anew(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", ["a", "b", "c"], 60, light=["day", "night"])
    text = build_report(run).read_text(encoding="utf-8")
    samples, found = samples_of(text), chosen(text)
    rows = zip(samples["labels"], samples["predicted"], strict=True)
    codes: Any = samples["slices"][0]["codes"]  # type: ignore[index]
    pairs = Counter(pair for pair, code in zip(rows, codes, strict=True) if code == 0)
    said = {at: text for at, text, _ in found["counts"]}
    assert set(said) == {i * 3 + j for i, j in pairs}  # type: ignore[operator]
    for (i, j), n in pairs.items():
        total = sum(count for (row, _), count in pairs.items() if row == i)
        name = f"{'abc'[i]} answered as {'abc'[j]}"  # type: ignore[index]
        assert said[i * 3 + j] == f"{name}: {n} of {total} ({n / total:.1%})"  # type: ignore[operator]
    assert {at for at in found["bright"] if at // 3 != 2 and at % 3 != 2} == set()
    assert found["strong"] == ["2", "2"]


def test_the_detector_s_matrix_follows(tmp_path: Path) -> None:
    run = make_box_run(tmp_path / "run", ["cod", "ling", "bass", "none"], 40, light=["day", "dusk"])
    text = build_report(run).read_text(encoding="utf-8")
    found = chosen(text)
    samples: Any = json.loads(json.dumps(samples_of(text)))
    pairs = np.array(samples["pairs"]).reshape(-1, 3)
    codes = np.array(samples["slices"][0]["codes"])
    inside = pairs[codes[pairs[:, 0]] == 0]
    counts = Counter((inside[:, 1] * 5 + inside[:, 2]).tolist())
    assert {at for at, _, _ in found["counts"]} == set(counts)
    for at, said, shown in found["counts"]:
        assert f": {counts[at]} of " in said
        if at // 5 == 4:
            assert said.startswith("false alarm of ") and "false alarms (" in said
            assert shown == str(counts[at]), "a number, for there is no telling of how many"
    assert found["said"].startswith("20 photos, ")


def test_a_matrix_of_many_classes_is_moved_to_the_class(tmp_path: Path) -> None:
    names = [f"species {i}" for i in range(60)]
    run = make_run(tmp_path / "run", names, 200, light=["day", "night"])
    text = build_report(run).read_text(encoding="utf-8")
    script = CHOOSE.replace('value = "2"', 'value = "40"')
    (found,) = browse([text], 390, script)
    assert found["moved"] > 200 and found["strong"] == ["40", "40"]


def test_the_map_s_card_is_not_one_of_the_mistakes(tmp_path: Path) -> None:
    """It appears where a photo is pointed at, whatever is chosen."""
    run = make_run(tmp_path / "run", ["a", "b"], 20)
    points = map_payload(np.zeros((2, 2), np.float32), [0, 1], ["a/1.jpg", "b/2.jpg"], {})
    (run / "plots").mkdir(exist_ok=True)
    (run / "plots" / "map.json").write_text(json.dumps({"how": "", "of": 2, "points": points}))
    cv2.imwrite(str(run / "plots" / "map.jpg"), sheet_of(np.zeros((2, TILE, TILE, 3), np.uint8)))
    text = build_report(run).read_text(encoding="utf-8")
    assert browse([text], 1280, 'return page.getElementById("map-shown").hidden') == [True]
