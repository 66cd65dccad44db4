"""Scores and boxes of places as a detector's answers: what is chosen, refused, and the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import batched_nms

from osprey.errors import BundleError
from osprey.imaging import Preprocess
from osprey.imaging.boxes import Detections
from osprey.inference.card import Card
from osprey.inference.reader import Shown, reader_of
from osprey.tasks.detection.bundles import comparable, same_boxes
from osprey.tasks.detection.plugin import DetectionTask
from osprey.tasks.detection.prediction import BoxPrediction
from osprey.tasks.detection.reader import BoxReader, suppress

OPTIONS: dict[str, Any] = {
    "score_threshold": 0.1, "candidates": 2, "levels": [3, 1], "nms_iou": 0.5, "max_detections": 9,
}  # fmt: skip


def card_with(**options: Any) -> Card:
    preprocess = Preprocess(100, "squash").to_dict()
    return Card("detection", DetectionTask.reader, ["a", "b"], preprocess, "",
                thresholds=[0.0, 0.0], options={**OPTIONS, **options})  # fmt: skip


def read(card: Card, scores: Any, boxes: Any) -> BoxPrediction:
    outputs = [np.array([scores], dtype=np.float32), np.array([boxes], dtype=np.float32)]
    (found,) = BoxReader(card).read(outputs, [Shown("x.jpg", 200, 100)])
    return found


SCORES = [[0.9, 0.2], [0.8, 0.1], [0.7, 0.6], [0.3, 0.0]]
BOXES = [[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 70, 70], [80, 80, 120, 90]]


def test_what_is_chosen() -> None:
    # Level by level: of the first three places the two best scores, which overlap; both of class a.
    found = read(card_with(), SCORES, BOXES)
    assert found.record(["a", "b"]) == {
        "file": "x.jpg",
        "detections": [
            {"label": "a", "score": 0.9, "box": [0.0, 0.0, 20.0, 10.0]},
            {"label": "a", "score": 0.3, "box": [160.0, 80.0, 40.0, 10.0]},  # clipped
        ],
    }
    assert found.labels(["a", "b"]) == ["a", "a"]
    assert found.ranked(["a", "b"])[1] == ["a", 0.3, [160.0, 80.0, 40.0, 10.0]]
    assert found.rows(["a", "b"])[0] == ["x.jpg", "a", 0.9, 0.0, 0.0, 20.0, 10.0, ""]
    # Class by class: two of each; the third of a is not asked about.
    by_class = read(card_with(levels=None), SCORES, BOXES)
    assert [(b["label"], b["score"]) for b in by_class.boxes(["a", "b"])] == [
        ("a", 0.9), ("b", 0.6), ("b", 0.2),
    ]  # fmt: skip
    assert len(read(card_with(nms_iou=None), SCORES, BOXES).labels(["a", "b"])) == 3
    assert read(card_with(max_detections=1), SCORES, BOXES).labels(["a", "b"]) == ["a"]
    high = replace(card_with(), thresholds=[0.95, 0.0])
    assert read(high, SCORES, BOXES).rows(["a", "b"]) == [["x.jpg", *[""] * 7]]


def test_outputs_that_are_no_numbers_are_failures() -> None:
    scores = [[np.nan, 0.2], *SCORES[1:]]
    found = read(card_with(), scores, BOXES)
    assert found.failure is not None and "is not a number" in found.failure
    assert found.rows(["a", "b"]) == [["x.jpg", *[""] * 6, found.failure]]


@pytest.mark.parametrize(
    "options",
    [
        {"levels": [3, 0]}, {"levels": []}, {"levels": "31"}, {"levels": [True]}, {"candidates": 0},
        {"candidates": 1.5}, {"nms_iou": 2}, {"nms_iou": "high"}, {"score_threshold": None},
        {"score_threshold": float("nan")}, {"max_detections": -1}, {"surprise": 1},
    ],
)  # fmt: skip
def test_a_stranger_s_options(options: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match=r"^bundle 'b': its card.json is damaged \(its options"):
        reader_of(card_with(**options), "bundle 'b'")


def test_a_network_that_is_not_the_card_s() -> None:
    for scores, boxes in ((SCORES[:3], BOXES[:3]), (SCORES, BOXES[:3]), ([[0.1]] * 4, BOXES)):
        with pytest.raises(BundleError, match="answers otherwise than its card says"):
            read(card_with(), scores, boxes)


side = st.integers(0, 40)
one_box = st.tuples(side, side, side, side, st.integers(0, 2), st.integers(0, 10**6))


@settings(deadline=None, max_examples=300)
@given(
    st.lists(one_box, max_size=40, unique_by=lambda box: box[5]),
    st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 1.0]),
    st.integers(1, 50),
)
def test_suppression_is_torchvision_s(
    drawn: list[tuple[int, ...]], overlap: float, most: int
) -> None:
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h, _, _ in drawn], dtype=np.float32)
    boxes = boxes.reshape(-1, 4)
    labels = np.array([box[4] for box in drawn], dtype=np.int64)
    scores = np.array([box[5] / 1e6 for box in drawn], dtype=np.float32)
    expected = batched_nms(*map(torch.from_numpy, (boxes, scores, labels)), overlap)
    assert suppress(boxes, scores, labels, overlap, most).tolist() == expected[:most].tolist()


# ---------------------------------------------------------------- the same answer


def test_queries_in_another_order_are_the_same() -> None:
    draw = np.random.default_rng(0)
    scores, boxes = draw.random((2, 5, 3)), draw.random((2, 5, 4))
    turned = [scores[:, ::-1], boxes[:, ::-1]]
    (one,), (other,) = (
        comparable(card_with(nms_iou=None), outputs) for outputs in ([scores, boxes], turned)
    )
    np.testing.assert_array_equal(one, other)
    assert len(comparable(card_with(), [scores, boxes])) == 2


def answer(*boxes: tuple[float, float, float, float, float, int]) -> BoxPrediction:
    found = Detections(
        np.array([box[:4] for box in boxes], dtype=np.float32).reshape(-1, 4),
        np.array([box[4] for box in boxes], dtype=np.float32),
        np.array([box[5] for box in boxes], dtype=np.int64),
    )
    return BoxPrediction("x.jpg", 100, 100, found)


def test_noise_at_a_threshold_is_no_other_answer() -> None:
    card = replace(card_with(), thresholds=[0.5, 0.5])
    box = (10.0, 10.0, 30.0, 30.0)
    sure, moved = answer((*box, 0.9, 0)), answer((10.2, 10, 30, 30, 0.9, 0))
    assert same_boxes(card, sure, moved)
    assert same_boxes(card, answer((*box, 0.50001, 0)), answer((*box, 0.49999, 0)))
    assert same_boxes(card, answer((*box, 0.50001, 0)), answer())
    assert same_boxes(card, answer((*box, 0.3, 0)), answer())
    for other in (
        answer(), answer((*box, 0.9, 1)), answer((15, 10, 35, 30, 0.9, 0)), answer((*box, 0.4, 0)),
        answer((*box, 0.9, 0), (60, 60, 80, 80, 0.9, 0)), answer((*box, 0.9, 0), (*box, 0.9, 0)),
    ):  # fmt: skip
        assert not same_boxes(card, sure, other) and not same_boxes(card, other, sure)
