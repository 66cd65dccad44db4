"""report.html of detectors: the figures, the pictures, and what there may be none of."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_box_run import make_box_run
from test_report import HOSTILE, Page

from osprey.errors import UserError
from osprey.reports.run_record import read_run
from osprey.tasks.detection.report.figures import confusion, mistakes, totals
from osprey.tasks.detection.report.matching import (
    BESIDE,
    FAINT,
    MISTAKEN,
    NOTHING,
    TWICE,
    BoxTable,
    matched,
)
from osprey.tasks.detection.report.record import DetectorRun, read
from osprey.tasks.detection.report.worst import worst
from osprey.tasks.reporting import build_report

CLASSES = ["cod", "ling", "never seen"]
SECTIONS = {
    *("curves", "classes", "precision-recall", "counting", "mistakes"),
    *("slices", "data", "environment"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("box report") / "run"
    return make_box_run(place, CLASSES, 40, light=["day", "night"])


@pytest.fixture(scope="module")
def run(folder: Path) -> DetectorRun:
    return read(read_run(folder))


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(build_report(folder).read_text(encoding="utf-8"))


def table(*rows: tuple[int, int, float, float, float]) -> BoxTable:
    """Photo, class, score, and a square's place and side, all on one diagonal."""
    found = np.array(rows, dtype=np.float64).reshape(-1, 5)
    low, high = found[:, 3], found[:, 3] + found[:, 4]
    boxes = np.stack([low, low, high, high], axis=1).astype(np.float32)
    return BoxTable(found[:, 0].astype(int), found[:, 1].astype(int), found[:, 2], boxes)


def test_every_section_is_there(page: Page) -> None:
    assert page.ids >= SECTIONS
    assert [tag for tag, _ in page.tags].count("svg") == 3 + 2 + 2 + 1


def test_figures_are_the_summary_s(folder: Path, page: Page) -> None:
    test = json.loads((folder / "summary.json").read_text())["test"]
    low, high = test["ap50_interval"]
    assert (
        f"test AP50 {test['ap50']:.3f} found at an overlap of a half; 95% interval {low:.3f} to "
        f"{high:.3f}, n=40 photos"
    ) in page.flat
    assert f"test mAP {test['map']:.3f}" in page.flat
    assert f"2 of 3 classes, those with boxes; AP75 {test['ap75']:.3f}" in page.flat
    assert f"count error {test['count_error']:.2f}" in page.flat
    assert "false alarms 0.0% 0 of 1 photo without any box" in page.flat
    for row in test["per_class"][:2]:
        words = [f"{row[k]:.3f}" for k in ("f1", "precision", "recall")]
        ap = f"{row['ap50']:.3f} {row['ap']:.3f}"
        assert f"{row['label']} {row['n']} {' '.join(words)} {ap} 0.50" in page.flat
    assert "never seen 0 – – – – – 0.50" in page.flat
    assert "osprey train task=detection data=voc" in page.flat


def test_counts_of_the_tables_are_those_of_the_summary(run: DetectorRun) -> None:
    rows = run.figures["per_class"]
    matrix, all_classes = confusion(run), totals(run)
    assert matrix[:-1].sum(axis=1).tolist() == [row["n"] for row in rows]
    for label, row in enumerate(rows[:2]):
        hits, said = int(matrix[label, label]), int(matrix[:, label].sum())
        assert hits / row["n"] == pytest.approx(row["recall"])
        assert hits / said == pytest.approx(row["precision"])
    reasons = mistakes(run)
    wrong, missed = (sum(row["n"] for row in reasons[key]) for key in ("wrong", "missed"))
    assert wrong == all_classes["found"] - all_classes["right"] > 0
    assert missed == all_classes["boxes"] - all_classes["right"] > 0


def test_what_is_wrong_is_told_apart() -> None:
    truth = table((0, 0, 1, 0, 40), (0, 1, 1, 100, 40), (0, 0, 1, 200, 40), (1, 0, 1, 0, 40))
    rows = [
        *((0, 0, 0.9, 0, 40), (0, 0, 0.8, 1, 40), (0, 0, 0.7, 100, 40)),
        *((0, 0, 0.6, 215, 40), (0, 0, 0.5, 300, 40), (1, 0, 0.1, 0, 40)),
    ]
    found = table(*rows)
    m = matched(found, truth, found.scores >= 0.3, 3)
    assert m.hit.tolist() == [0, -1, -1, -1, -1, 3]
    assert m.wrong.tolist() == [0, TWICE, MISTAKEN, BESIDE, NOTHING, 0]
    assert m.other.tolist() == [-1, -1, 1, -1, -1, -1]
    assert m.missed.tolist() == [0, MISTAKEN, BESIDE, FAINT]
    alone = matched(table(), truth, np.zeros(0, bool), 3)
    assert alone.missed.tolist() == [NOTHING] * 4
    empty = matched(found, table(), found.scores >= 0.3, 3)
    assert empty.wrong.tolist() == [NOTHING] * 5 + [0]


def test_the_worst_come_first_and_no_photo_fills_the_page(run: DetectorRun) -> None:
    picks = worst(run)
    for kind in ("miss", "false_alarm"):
        rows = [pick.row for pick in picks if pick.kind == kind]
        assert 2 < len(rows) <= 24 and max(map(rows.count, rows)) <= 2
    alarms = [pick.score for pick in picks if pick.kind == "false_alarm"]
    assert alarms == sorted(alarms, reverse=True)
    signs = [pick.score for pick in picks if pick.kind == "miss"]
    assert signs == sorted(signs)


def test_rebuilds_byte_for_byte_elsewhere(folder: Path, tmp_path: Path) -> None:
    before = build_report(folder).read_bytes()
    moved = Path(shutil.copytree(folder, tmp_path / "moved"))
    (moved / "report.html").unlink()
    assert build_report(moved).read_bytes() == before


def test_pictures_and_mended_boxes_are_shown(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "boxes_mended.csv").write_text("path,label,x,y,w,h,what\na.jpg,cod,1,2,0,9,no area\n")
    (copy / "plots").mkdir()
    assert cv2.imwrite(str(copy / "plots" / "a.jpg"), np.zeros((9, 9, 3), np.uint8))
    photo = {"kind": "miss", "row": 3, "class_id": 0, "label": "cod", "path": "x/a.jpg"}
    photo |= {"score": 0.0, "why": "nothing found there", "picture": "plots/a.jpg"}
    gallery = {"split": "test", "photos": [photo, {**photo, "picture": "../../a.jpg"}]}
    (copy / "plots" / "gallery.json").write_text(json.dumps(gallery))
    page = Page(build_report(copy).read_text(encoding="utf-8"))
    (picture,) = [a for tag, a in page.tags if tag == "img"]
    assert picture["alt"] == "cod: nothing found there, x/a.jpg"
    assert str(picture["src"]).startswith("data:image/jpeg;base64,")
    assert "1 box was repaired or dropped." in page.flat
    assert "a.jpg cod 1, 2, 0, 9 no area" in page.flat


def test_without_a_test_split_validation_is_shown_and_said_so(tmp_path: Path) -> None:
    run = make_box_run(tmp_path / "run", CLASSES, 8, test=False)
    page = Page(build_report(run).read_text(encoding="utf-8"))
    assert "This run has no test split" in page.flat
    assert "val AP50" in page.flat and "test AP50" not in page.flat


def test_nothing_found_and_nothing_there(tmp_path: Path) -> None:
    run = make_box_run(tmp_path / "run", CLASSES, 1)
    page = Page(build_report(run).read_text(encoding="utf-8"))
    assert "test AP50 –" in page.flat
    assert "precision-recall" not in page.ids


def test_both_splits_stand_side_by_side(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    summary = json.loads((copy / "summary.json").read_text())
    twin = {"n": 80, "boxes": 99, "map": 0.5, "ap50": 0.75, "ap75": 0.625}
    summary["other_split"] = {"by": "random", "run": "made-up/before", "test": twin}
    (copy / "summary.json").write_text(json.dumps(summary))
    page = Page(build_report(copy).read_text(encoding="utf-8"))
    assert "at random made-up/before 80 99 0.750 0.625 0.500" in page.flat


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    columns = {"<b>light</b>": HOSTILE, "boat": "abc"}
    run = make_box_run(tmp_path / "run", HOSTILE, 30, **columns)
    (run / "boxes_mended.csv").write_text("path,label,x,y,w,h,what\n<svg onload=x>,<i>,,,,,<u>\n")
    text = build_report(run).read_text(encoding="utf-8")
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert not {tag for tag, _ in page.tags} & {"b", "u", "img"}
    assert not [n for _, attributes in page.tags for n in attributes if n.startswith("on")]
    assert HOSTILE[0] in page.flat


def test_the_filter_adds_up_to_the_totals(folder: Path, run: DetectorRun) -> None:
    text = build_report(folder).read_text(encoding="utf-8")
    found = re.search(r'id="samples">(.*?)</script>', text, re.DOTALL)
    assert found
    samples = json.loads(found[1])
    rows = np.array(samples["rows"]).reshape(-1, 5)
    all_classes = totals(run)
    assert rows[:, 2:].sum(axis=0).tolist() == [all_classes[k] for k in ("boxes", "found", "right")]
    assert samples["photos"] == 40
    assert [(s["name"], s["values"]) for s in samples["slices"]] == [("light", ["day", "night"])]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("predictions.csv", "path,label,score,x,y,w,h\ntest/00001.jpg,whale,0.9,1,1,9,9\n"),
        ("predictions.csv", "path,label,score,x,y,w,h\nelsewhere.jpg,cod,0.9,1,1,9,9\n"),
        ("predictions.csv", "path,label\n"),
        ("manifest.csv", "path,split,label,group,weight\n"),
        ("summary.json", "{"),
    ],
)
def test_a_damaged_file_is_one_line(name: str, content: str, folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / name).write_text(content)
    with pytest.raises(UserError, match="has a file that cannot be read: ") as error:
        build_report(copy)
    assert "\n" not in str(error.value)
