"""Two runs on the same photos: differences recomputed independently, photos known by bytes."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, log_loss

from osprey.errors import UserError
from osprey.imaging.boxes import Detections
from osprey.runs.folder import RunFolder
from osprey.runs.shared_samples import shared_samples
from osprey.tasks.bootstrap import drawn_photos
from osprey.tasks.classification import paired as of_classes
from osprey.tasks.detection import paired as of_boxes
from osprey.tasks.detection.changed import changed_photos
from osprey.tasks.detection.coco import coco_metrics
from osprey.tasks.detection.outputs import BoxOutputs, write_boxes

CLASSES = ["cod", "ling", "seal"]
KEYS = ("map", "ap50", "ap75")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 40))
def test_the_difference_of_classifiers_is_the_metrics_own(seed: int, count: int) -> None:
    draw = np.random.default_rng(seed)
    names = np.array(["a", "b", "c"])
    truth = draw.integers(0, 3, count)
    tables, values = [], []
    for _ in range(2):
        p = draw.dirichlet(np.ones(3), count)
        said = p.argmax(axis=1)
        table = pd.DataFrame(
            {"path": range(count), "label": names[truth], "predicted": names[said]}
        )
        tables.append(table.assign(**{f"p:{n}": p[:, i] for i, n in enumerate(names)}))
        values.append(
            {
                "top1": float((said == truth).mean()),
                "macro_f1": float(f1_score(truth, said, average="macro")),
                "log_loss": float(log_loss(truth, p, labels=[0, 1, 2])),
            }
        )
    with TemporaryDirectory() as place:
        runs = [RunFolder(Path(place, str(number))) for number in range(2)]
        for run, table in zip(runs, tables, strict=True):
            run.path.mkdir()
            table.to_csv(run.path / "predictions.csv", index=False)
        found = of_classes.paired_differences(runs[0], runs[1], "test", values[0])
        assert list(found) == ["top1", "macro_f1", "log_loss"]
        for key, each in found.items():
            assert each.n == count and each.low <= each.high
            assert each.value == pytest.approx(values[1][key] - values[0][key], abs=1e-9)
        for same in of_classes.paired_differences(runs[0], runs[0], "test", values[0]).values():
            assert (same.low, same.value, same.high) == (0, 0, 0) and not same.told_apart
        # One group alone says nothing of others, and other bytes are another photo.
        paths = [str(n) for n in range(count)]
        group = pd.DataFrame({"path": paths, "group": "boat", "sha256": paths})
        group.to_csv(runs[0].path / "manifest.csv", index=False)
        assert of_classes.paired_differences(runs[0], runs[1], "test", ["top1"]) == {}
        group.assign(group="", sha256="x").to_csv(runs[1].path / "manifest.csv", index=False)
        with pytest.raises(UserError, match="no photo of test is in both runs"):
            of_classes.shared_rows(runs[0], runs[1], "test")


def test_a_photo_is_the_same_by_its_bytes_else_by_its_name() -> None:
    def photos(**known: str) -> pd.DataFrame:
        return pd.DataFrame({"path": list(known), "sha256": list(known.values())})

    first = photos(same="1", changed="2", unknown="", moved="3", twin="4", twin_too="4", gone="5")
    second = photos(
        twin_here="4", same="1", changed="9", unknown="7", elsewhere="3", twin_there="4", new="6"
    )
    rows = shared_samples(first, second)
    pairs = zip(first["path"].iloc[rows[0]], second["path"].iloc[rows[1]], strict=True)
    assert list(pairs) == [("same", "same"), ("unknown", "unknown"), ("moved", "elsewhere")]


# ------------------------------------------------------------------ boxes


def some_boxes(draw: np.random.Generator, count: int) -> np.ndarray:
    low, sides = draw.uniform(0, 150, (count, 2)), draw.uniform(20, 60, (count, 2))
    return np.round(np.concatenate([low, low + sides], axis=1), 2).astype(np.float32)


def some_photos(
    draw: np.random.Generator, truth: Sequence[Detections], spread: float
) -> list[Detections]:
    """What a detector might find: subjects roughly in place, some missed, false alarms."""
    photos = []
    for real in truth:
        seen = draw.uniform(size=len(real)) < 0.8
        near = real.boxes[seen] + draw.normal(0, spread, (int(seen.sum()), 4)).round(2)
        boxes = np.concatenate([near, some_boxes(draw, int(draw.integers(0, 3)))])
        labels = np.append(real.labels[seen], draw.integers(0, 3, len(boxes) - len(near)))
        scores = draw.permutation(np.arange(1, 1000))[: len(boxes)] / 1000
        order = np.argsort(-scores)
        photos.append(
            Detections(
                boxes[order].astype(np.float32),
                scores[order].astype(np.float32),
                labels[order].astype(np.int64),
            )
        )
    return photos


def true_photos(draw: np.random.Generator, count: int) -> list[Detections]:
    each = [int(n) for n in draw.integers(0, 4, count)]
    each[0] = 2  # at least one box
    return [
        Detections(some_boxes(draw, n), np.ones(n, np.float32), draw.integers(0, 3, n))
        for n in each
    ]


def write_run(
    folder: Path,
    truth: Sequence[Detections],
    found: Sequence[Detections],
    *,
    order: Sequence[int] = (0, 1, 2),
    names: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> RunFolder:
    """What training leaves behind of a detector that knows the classes in some order."""
    folder.mkdir()
    paths = list(names) or [f"{n}.jpg" for n in range(len(truth))]
    write_boxes(folder / "predictions.csv", BoxOutputs(paths, list(found), []), CLASSES)
    rows = [{"label": CLASSES[i], "threshold": 0.5} for i in order]
    summary = {
        "classes": [CLASSES[i] for i in order],
        "test": {"n": len(truth), "per_class": rows},
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "split", "group", "sha256", "boxes"])
        for row, (path, photo) in enumerate(zip(paths, truth, strict=True)):
            corners = photo.boxes.astype(np.float64).round(2).tolist()
            text = json.dumps(
                [
                    [CLASSES[label], x, y, right - x, bottom - y]
                    for (x, y, right, bottom), label in zip(corners, photo.labels, strict=True)
                ]
            )
            writer.writerow([path, "test", groups[row] if groups else "", f"sha {row}", text])
    return RunFolder(folder)


def recomputed(
    truth: Sequence[Detections], sides: Sequence[Sequence[Detections]], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """COCO's own figures of photos that are drawn several times, second minus first."""
    rows = []
    for weight in weights.astype(int):
        again = np.repeat(np.arange(len(truth)), weight)
        figures = [
            coco_metrics([truth[i] for i in again], [found[i] for i in again], 3).scalars
            for found in sides
        ]
        rows.append([figures[1][key] - figures[0][key] for key in KEYS])
    return dict(zip(KEYS, np.array(rows).T, strict=True))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 12), st.booleans())
def test_the_difference_of_detectors_is_coco_s(seed: int, count: int, grouped: bool) -> None:
    draw = np.random.default_rng(seed)
    truth = true_photos(draw, count)
    sides = some_photos(draw, truth, 2), some_photos(draw, truth, 6)
    groups = [f"boat {n % 3}" for n in range(count)] if grouped else []
    draws = 20
    with TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(of_boxes, "DRAWS", draws)
        one = write_run(Path(place, "one"), truth, sides[0], groups=groups)
        other = write_run(Path(place, "other"), truth, sides[1], order=(2, 0, 1))
        found = of_boxes.paired_differences(one, other, "test", [*KEYS, "unheard of"])
        back = of_boxes.paired_differences(other, one, "test", KEYS)
        same = of_boxes.paired_differences(one, one, "test", KEYS)
    weights = drawn_photos(groups, count, draws)
    assert weights is not None
    measured = recomputed(truth, sides, np.ones((1, count)))
    drawn = recomputed(truth, sides, weights)
    assert sorted(found) == sorted(KEYS)
    for key in KEYS:
        ends = np.nanquantile(drawn[key], [0.025, 0.975])
        assert found[key].n == count
        assert found[key].value == pytest.approx(measured[key][0], abs=1e-6)
        assert (found[key].low, found[key].high) == pytest.approx(tuple(ends), abs=1e-6)
        assert (same[key].low, same[key].value, same[key].high) == (0, 0, 0)
        assert not same[key].told_apart
        if not grouped:  # the other way round the groups are those of a run that knows none
            assert back[key].value == pytest.approx(-found[key].value, abs=1e-12)
            assert (back[key].low, back[key].high) == pytest.approx(
                (-found[key].high, -found[key].low), abs=1e-12
            )


@pytest.fixture
def boxes() -> tuple[list[Detections], list[Detections], list[Detections]]:
    draw = np.random.default_rng(5)
    truth = true_photos(draw, 8)
    return truth, some_photos(draw, truth, 2), some_photos(draw, truth, 6)


Boxes = tuple[list[Detections], list[Detections], list[Detections]]


def test_photos_that_were_renamed_are_known_by_their_bytes(boxes: Boxes, tmp_path: Path) -> None:
    truth, one, other = boxes
    first = write_run(tmp_path / "one", truth, one)
    second = write_run(tmp_path / "other", truth, other)
    moved = write_run(tmp_path / "moved", truth, other, names=[f"new/{n}.jpg" for n in range(8)])
    expected = of_boxes.paired_differences(first, second, "test", KEYS)
    assert of_boxes.paired_differences(first, moved, "test", KEYS) == expected
    photo = changed_photos(first, moved, "test")[0].photos[0]
    assert photo.paths[1] == f"new/{photo.paths[0]}"


def test_photos_of_other_bytes_and_other_true_boxes_are_told(boxes: Boxes, tmp_path: Path) -> None:
    truth, one, other = boxes
    first = write_run(tmp_path / "one", truth, one)
    second = write_run(tmp_path / "other", [truth[0], *truth[:0:-1]], other)
    with pytest.raises(UserError, match="the true boxes of test are not the same in"):
        of_boxes.paired_differences(first, second, "test", KEYS)
    table = (second.path / "manifest.csv").read_text().replace("sha ", "other ")
    (second.path / "manifest.csv").write_text(table)
    with pytest.raises(UserError, match=r"no photo of test is in both runs: .* has 8, .* has 8"):
        of_boxes.paired_differences(first, second, "test", KEYS)
    (second.path / "manifest.csv").unlink()
    with pytest.raises(UserError, match=r"has no whole manifest\.csv"):
        of_boxes.paired_differences(first, second, "test", KEYS)


def test_the_hundred_surest_boxes_of_a_photo_count(boxes: Boxes, tmp_path: Path) -> None:
    truth, one, _ = boxes
    other = []
    for real in truth:  # what is right comes after a hundred that are not
        wrong = np.tile(np.array([[180, 180, 199, 199]], np.float32), (100, 1))
        sure = np.linspace(0.9, 0.8, 100, dtype=np.float32)
        labels = np.full(100, real.labels[0] if len(real) else 0)
        scores = np.append(sure, real.scores * np.float32(0.5))
        every = np.concatenate([wrong, real.boxes])
        other.append(Detections(every, scores, np.append(labels, real.labels)))
    runs = write_run(tmp_path / "one", truth, one), write_run(tmp_path / "other", truth, other)
    found = of_boxes.paired_differences(*runs, "test", ["ap50"])["ap50"]
    expected = recomputed(truth, (one, other), np.ones((1, 8)))["ap50"][0]
    assert found.value == pytest.approx(expected, abs=1e-6)


def test_what_changed_is_counted_by_hand(boxes: Boxes, tmp_path: Path) -> None:
    truth, _, _ = boxes
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int))
    alarm = Detections(
        np.array([[180, 180, 199, 199]], np.float32), np.ones(1, np.float32), np.zeros(1, int)
    )
    counts = [len(photo) for photo in truth]
    blind = write_run(tmp_path / "blind", truth, [nothing] * 8)
    perfect = write_run(tmp_path / "perfect", truth, truth)
    alarmed = write_run(tmp_path / "alarmed", truth, [alarm] * 8)
    fewer, more, *others = changed_photos(blind, perfect, "test")
    assert fewer.count == 0 and [group.count for group in others] == [0, 0, 0]
    assert more.count == len(more.photos) == sum(n > 0 for n in counts)
    said = [photo.answers[1][0] for photo in more.photos]
    assert said[0] == f"{max(counts)} of {max(counts)} found, 0 false alarms"  # the largest first
    groups = changed_photos(blind, alarmed, "test")
    assert [group.count for group in groups] == [0, 0, 0, 8, 0]
    empty = groups[3].photos[counts.index(0)]
    assert [text for text, _ in empty.answers] == [
        "no subject, 0 false alarms",
        "no subject, 1 false alarm (cod)",
    ]
    assert changed_photos(perfect, perfect, "test")[1].count == 0


def test_photos_without_a_group_are_drawn_by_themselves() -> None:
    """Those of a group together; two without one not, whatever the groups are called."""
    counts = drawn_photos(["a", "", "a", "", "3"], 5, 200)
    assert counts is not None and counts.sum(axis=1).max() > 5
    assert (counts[:, 0] == counts[:, 2]).all()
    for one, other in ((1, 3), (3, 4), (1, 0)):
        assert (counts[:, one] != counts[:, other]).any()
    assert drawn_photos(["a", "a"], 2, 10) is None
    alone = drawn_photos([], 4, 10)
    assert alone is not None and (alone.sum(axis=1) == 4).all()
