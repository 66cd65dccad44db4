"""Boxes marked difficult count neither as found nor as missed, by the reader's choice."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osprey.config.schema import DataConfig
from osprey.data.manifest import Manifest
from osprey.data.readers import read_manifest
from osprey.imaging.boxes import Detections
from osprey.tasks.detection.coco import coco_metrics
from osprey.tasks.detection.difficult import counted_masks, counted_only, difficult_in
from osprey.tasks.detection.outputs import true_boxes

OBJECT = (
    "<object><name>{}</name><difficult>{}</difficult><bndbox><xmin>{}</xmin><ymin>{}</ymin>"
    "<xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"
)


def voc(root: Path) -> Path:
    """Three photos; on the first a plain and a difficult box, on the second a difficult one."""
    (root / "Annotations").mkdir(parents=True)
    (root / "JPEGImages").mkdir()
    objects = [
        [("cell", 0, 1, 1, 20, 20), ("cell", 1, 31, 31, 60, 70)],
        [("cell", 1, 1, 1, 30, 30)],
        [("cell", 0, 5, 5, 40, 40)],
    ]
    for number, some in enumerate(objects):
        cv2.imwrite(str(root / "JPEGImages" / f"{number}.jpg"), np.zeros((48, 64, 3), np.uint8))
        text = "".join(OBJECT.format(*one) for one in some)
        size = "<size><width>64</width><height>48</height></size>"
        file = root / "Annotations" / f"{number}.xml"
        file.write_text(f"<annotation><filename>{number}.jpg</filename>{size}{text}</annotation>")
    return root


def read(root: Path, **said: object) -> tuple[Manifest, list[str]]:
    notices: list[str] = []
    config = DataConfig(name="x", reader="voc", root=str(root), **said)  # type: ignore[arg-type]
    manifest = read_manifest(config, notices)
    return manifest.target.mend(manifest, [])[0], notices


def test_difficult_boxes_are_left_out_counted_and_told(tmp_path: Path) -> None:
    manifest, notices = read(voc(tmp_path / "voc"))
    assert (
        "boxes marked difficult: 2 boxes on 2 photos, learnt from, but neither found nor missed in "
        "validation and test, as in VOC (data.difficult=count counts them)"
    ) in notices
    assert manifest.table["difficult"].tolist() == [1, 1, 0]
    difficult = difficult_in(manifest.table)
    assert difficult is not None
    np.testing.assert_array_equal(difficult[0], [[30, 30, 60, 48]])  # cut at the border, as mended
    truth = [true_boxes(manifest, row, ["cell"]) for row in range(3)]
    counted, _ = counted_only(truth, truth, difficult)
    assert [len(photo) for photo in truth] == [2, 1, 1]  # to learn from
    assert [len(photo) for photo in counted] == [1, 0, 1]


def test_they_count_by_choice(tmp_path: Path) -> None:
    manifest, notices = read(voc(tmp_path / "voc"), difficult="count")
    assert (
        "boxes marked difficult: 2 boxes on 2 photos, counted as the others (data.difficult=count)"
        in notices
    )
    assert difficult_in(manifest.table) is None


def boxes(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows, dtype=np.float32).reshape(-1, 4)


def photo(rows: list[list[float]], scores: list[float] | None = None) -> Detections:
    count = len(rows)
    known = np.ones(count) if scores is None else np.array(scores)
    return Detections(boxes(rows), known.astype(np.float32), np.zeros(count, dtype=np.int64))


def test_what_is_found_on_a_difficult_box_is_no_false_alarm() -> None:
    plain, hard = [0.0, 0.0, 20.0, 20.0], [40.0, 0.0, 60.0, 20.0]
    truth = [photo([plain, hard])]
    found = [photo([hard, [41.0, 0.0, 61.0, 20.0], plain], [0.9, 0.8, 0.7])]
    strict = coco_metrics(truth, found, 1).scalars["ap50"]
    assert strict < 1
    counted = counted_only(truth, found, [boxes([hard])])
    assert [len(photo) for side in counted for photo in side] == [1, 1]
    assert coco_metrics(*counted, 1).scalars["ap50"] == pytest.approx(1)
    missed = counted_only(truth, [photo([plain], [0.5])], [boxes([hard])])
    assert coco_metrics(*missed, 1).scalars["ap50"] == pytest.approx(1)


def test_a_difficult_box_of_another_class_excuses_nothing() -> None:
    hard = boxes([[0, 0, 20, 20]])
    keep, kept = counted_masks((hard, np.array([1])), (hard, np.array([0])), hard)
    assert not keep[0] and kept[0]


corner = st.integers(0, 40)
box = st.builds(
    lambda x, y, w, h: [x, y, x + w, y + h], corner, corner, st.integers(1, 20), st.integers(1, 20)
)


@settings(max_examples=80, deadline=None)
@given(st.lists(box, max_size=5), st.lists(box, max_size=5), st.data())
def test_only_what_lies_on_a_difficult_box_is_left_out(
    true: list[list[int]], seen: list[list[int]], data: st.DataObject
) -> None:
    hard = [one for one in true if data.draw(st.booleans())]
    zeros = [np.zeros(len(rows), dtype=np.int64) for rows in (true, seen)]
    keep, kept = counted_masks((boxes(true), zeros[0]), (boxes(seen), zeros[1]), boxes(hard))
    assert [one for one, k in zip(true, keep, strict=True) if not k] == [
        one for one in true if one in hard
    ]
    for one, k in zip(seen, kept, strict=True):
        if one in true and one not in hard:
            assert k
        if one in hard:
            assert not k
