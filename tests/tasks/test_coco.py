"""COCO's figures, the matching behind thresholds, and the thresholds themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osprey.imaging.boxes import Detections, iou, match
from osprey.tasks.detection.coco import coco_metrics
from osprey.tasks.detection.metrics import best_thresholds, compute_metrics
from osprey.tasks.detection.outputs import BoxOutputs


def photo(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    """Boxes as corners, score and label."""
    table = np.array(rows, dtype=np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


FULL = photo((0, 0, 10, 10, 1, 0), (50, 50, 90, 90, 1, 1))
NOTHING = photo()


def test_what_is_all_found_is_perfect() -> None:
    found = coco_metrics([FULL, NOTHING], [FULL, NOTHING], 2)
    assert found.scalars["map"] == found.scalars["ap50"] == pytest.approx(1.0)
    assert found.scalars["ap_small"] == pytest.approx(1.0)
    assert math.isnan(found.scalars["ap_large"])
    assert found.per_class.tolist() == pytest.approx(np.ones((2, 2)))
    assert found.precision.shape == (2, 101)


def test_photos_with_many_boxes_are_not_mixed_up() -> None:
    """Every box has a number of its own, over all photos: the evaluation tells them by it."""
    photos = []
    for count in (3, 9, 1, 40, 7):
        low = np.arange(count, dtype=np.float32)[:, None] * 20 * np.ones(2, np.float32)
        boxes = np.concatenate([low, low + 16], axis=1)
        photos.append(Detections(boxes, np.ones(count, np.float32), np.zeros(count, np.int64)))
    sure = [Detections(p.boxes, p.scores / (i + 1), p.labels) for i, p in enumerate(photos)]
    assert coco_metrics(photos, sure, 1).scalars["map"] == pytest.approx(1.0)
    # Nine surest boxes misplaced: precision 51 / 60 up to the last recall, 51 / 60.
    sure[1] = Detections(photos[1].boxes + 500, np.full(9, 2, np.float32), photos[1].labels)
    assert coco_metrics(photos, sure, 1).scalars["ap50"] == pytest.approx(86 / 101 * 51 / 60)


def test_nothing_found_and_nothing_there() -> None:
    assert coco_metrics([FULL], [NOTHING], 2).scalars["map"] == 0.0
    assert math.isnan(coco_metrics([NOTHING], [FULL], 2).scalars["map"])


def test_figures_are_those_of_the_peer() -> None:
    """Torchmetrics wraps the same evaluation with its own bookkeeping."""
    import torch
    from torchmetrics.detection import MeanAveragePrecision

    draw = np.random.default_rng(0)
    truth, found = [], []
    for _ in range(12):
        low = draw.uniform(0, 200, (8, 2))
        boxes = np.concatenate([low, low + draw.uniform(8, 150, (8, 2))], axis=1)
        labels = draw.integers(0, 3, 8)
        noisy = boxes + draw.normal(0, 2, boxes.shape)
        truth.append(Detections(boxes.astype(np.float32), np.ones(8, np.float32), labels))
        scores = draw.uniform(0, 1, 8).astype(np.float32)
        found.append(Detections(noisy.astype(np.float32), scores, draw.permutation(labels)))
    ours = coco_metrics(truth, found, 3)
    peer = MeanAveragePrecision(
        backend="faster_coco_eval",
        class_metrics=True,
    )
    plain = [
        [
            {
                "boxes": torch.from_numpy(p.boxes),
                "labels": torch.from_numpy(p.labels),
                "scores": torch.from_numpy(p.scores),
            }
            for p in photos
        ]
        for photos in (found, truth)
    ]
    peer.update(*plain)
    theirs = peer.compute()
    for ours_name, name in (("map", "map"), ("ap50", "map_50"), ("ap75", "map_75"),
                            ("ap_small", "map_small"), ("ap_large", "map_large")):  # fmt: skip
        assert ours.scalars[ours_name] == pytest.approx(float(theirs[name]), abs=1e-6)
    assert ours.per_class[:, 0].tolist() == pytest.approx(theirs["map_per_class"].tolist())


def test_a_true_box_is_found_once() -> None:
    truth = np.array([[0, 0, 10, 10]], dtype=np.float32)
    found = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [20, 20, 30, 30]], dtype=np.float32)
    assert match(found, truth).tolist() == [0, -1, -1]
    assert match(found[:0], truth).tolist() == [] and match(found, truth[:0]).tolist() == [-1] * 3


corners = st.tuples(*[st.floats(0, 100, width=32)] * 4).map(
    lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3]))
)


@given(st.lists(corners, max_size=6), st.lists(corners, max_size=6))
@settings(max_examples=60, deadline=None)
def test_overlaps(a: list[tuple[float, ...]], b: list[tuple[float, ...]]) -> None:
    first, second = (np.array(v, dtype=np.float32).reshape(-1, 4) for v in (a, b))
    shared = iou(first, second)
    assert shared.shape == (len(a), len(b))
    assert ((shared >= 0) & (shared <= 1 + 1e-5)).all()
    assert np.allclose(shared, iou(second, first).T)
    known = match(first, second)
    taken = known[known >= 0]
    assert len(set(taken.tolist())) == len(taken)


def test_the_threshold_is_where_f1_is_highest() -> None:
    truth = photo((0, 0, 10, 10, 1, 0), (20, 20, 30, 30, 1, 0))
    found = photo(
        (0, 0, 10, 10, 0.9, 0), (20, 20, 30, 30, 0.6, 0), (50, 50, 60, 60, 0.4, 0),
        (70, 70, 80, 80, 0.3, 0),
    )  # fmt: skip
    outputs = BoxOutputs(["a", "b"], [found, photo((1, 1, 5, 5, 0.7, 0))], [truth, NOTHING])
    # Between 0.6 and 0.4; none known of the other.
    assert best_thresholds(outputs, 2) == [pytest.approx(0.5), 0.5]
    report = compute_metrics(outputs, [0.5, 0.5], ["fish", "crab"])
    assert report["per_class"][0] | {"ap": 0, "ap50": 0} == {
        "label": "fish", "n": 2, "precision": 2 / 3, "recall": 1.0, "f1": 0.8,
        "ap": 0, "ap50": 0, "threshold": 0.5,
    }  # fmt: skip
    assert report["per_class"][1]["ap"] is None
    assert (report["count_error"], report["empty"]) == (0.5, {"n": 1, "with_false_alarm": 1})


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.0078125, 1, width=32), st.booleans()), min_size=1, max_size=8),
    st.lists(st.integers(0, 3), max_size=8),
)
def test_the_threshold_lets_its_own_score_pass(
    drawn: list[tuple[float, bool]], steps: list[int]
) -> None:
    """Also of scores that only the last digit tells apart: what is kept has the best F1."""
    scores = [np.float32(score) for score, _ in drawn]
    for place, step in enumerate(steps[: len(scores) - 1], 1):  # neighbours of the one before
        for _ in range(step):
            scores[place] = np.nextafter(scores[place - 1], np.float32(0), dtype=np.float32)
    boxes = [(30 * n, 0, 30 * n + 10, 10, float(s), 0) for n, s in enumerate(scores)]
    real = [(*box[:4], 1, 0) for box, (_, right) in zip(boxes, drawn, strict=True) if right]
    outputs = BoxOutputs(["a"], [photo(*boxes)], [photo(*real) if real else NOTHING])
    (threshold,) = best_thresholds(outputs, 1)
    reached = compute_metrics(outputs, [threshold], ["fish"])["per_class"][0]["f1"]
    every = [compute_metrics(outputs, [float(s)], ["fish"])["per_class"][0]["f1"] for s in scores]
    assert reached == pytest.approx(max(every)) or not real
