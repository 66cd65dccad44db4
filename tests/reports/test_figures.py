"""What a report computes by itself, against definitions and known values."""

from __future__ import annotations

import re

import numpy as np
import pytest
from helpers import quick
from hypothesis import given
from hypothesis import strategies as st

from osprey.reports.figures import wilson
from osprey.reports.svg import Axis, frame, tag
from osprey.tasks.classification.report.figures import (
    confusions,
    coverage,
    macro_f1,
    reliability,
    thresholds,
    untempered,
)
from osprey.tasks.classification.report.record import Predictions


def predictions(scores: list[float], right: list[bool], split: str = "val") -> Predictions:
    """Answers of class 0 with these scores; the truth is 0 where right."""
    p = np.array([[s, 1 - s] for s in scores])
    labels = np.array([0 if r else 1 for r in right])
    zeros = np.zeros(len(scores), np.int64)
    return Predictions(split, [str(i) for i in range(len(scores))], labels, zeros, p[:, 0], p)


answers = st.lists(st.tuples(st.floats(0.5, 1.0), st.booleans()), min_size=1, max_size=120)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"), [(8, 10, 0.490, 0.943), (0, 10, 0.0, 0.278), (0, 0, 0.0, 1.0)]
)
def test_wilson_s_interval(right: int, n: int, low: float, high: float) -> None:
    assert wilson(right, n) == pytest.approx((low, high), abs=1e-3)


@quick
@given(st.floats(0.1, 10), st.lists(st.floats(-8, 8), min_size=6, max_size=6))
def test_raw_probabilities_come_back_from_the_table(
    temperature: float, logits: list[float]
) -> None:
    x = np.array(logits).reshape(2, 3)

    def softmax(z: np.ndarray) -> np.ndarray:
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    written = np.array([[float(f"{v:.8g}") for v in row] for row in softmax(x / temperature)])
    assert untempered(written, temperature) == pytest.approx(softmax(x), abs=1e-5)


@quick
@given(answers)
def test_thresholds_keep_their_promise_on_validation(pairs: list[tuple[float, bool]]) -> None:
    val = predictions([s for s, _ in pairs], [r for _, r in pairs])
    rows = thresholds(val, val)
    assert rows[0]["val"]["n"] == len(pairs)
    for row in rows[1:]:
        if row["threshold"] is not None:
            assert row["val"]["accuracy"] >= row["target"]
            assert row["val"]["n"] >= 10


def test_the_lowest_threshold_is_chosen() -> None:
    val = predictions([0.9] * 18 + [0.7] * 2 + [0.6] * 5, [True] * 18 + [False] * 2 + [False] * 5)
    assert [row["threshold"] for row in thresholds(val, val)] == [0.0, 0.7, 0.9, 0.9]
    sure = predictions([0.9] * 20, [True] * 20)
    assert [row["threshold"] for row in thresholds(sure, sure)] == [0.0, 0.0, 0.0, 0.0]
    never = predictions([0.9] * 20, [False] * 20)
    assert [row["threshold"] for row in thresholds(never, sure)] == [0.0, None, None, None]


@quick
@given(answers)
def test_coverage_ends_at_the_accuracy_of_all(pairs: list[tuple[float, bool]]) -> None:
    share, accuracy, cut = coverage(predictions([s for s, _ in pairs], [r for _, r in pairs]))
    assert (np.diff(share) > 0).all() and (np.diff(cut) < 0).all()
    assert share[-1] == 1
    assert accuracy[-1] == pytest.approx(np.mean([r for _, r in pairs]))


def test_reliability_counts_every_answer_once() -> None:
    found = predictions([0.61, 0.62, 0.95, 1.0], [True, False, True, True])
    bins = reliability(found.p, found.labels)
    assert [(b.n, b.right) for b in bins] == [(2, 0.5), (2, 1.0)]
    assert bins[0].score == pytest.approx(0.615)


def test_macro_f1_is_over_the_classes_that_have_photos() -> None:
    assert macro_f1(np.array([0, 0, 1]), np.array([0, 0, 2])) == pytest.approx(0.5)


def test_confusions_come_most_frequent_first() -> None:
    assert confusions(np.array([[5, 1], [3, 9]])) == [(1, 0, 3), (0, 1, 1)]


@quick
@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_ticks_are_few_and_inside(low: float, span: float) -> None:
    axis = Axis(low, low + span, 10, 110)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 7
    assert all(low - 1e-6 * span <= t <= low + span * (1 + 1e-6) for t in ticks)
    assert [axis(low), axis(low + span)] == pytest.approx([10, 110])


def test_ticks_leave_room_for_the_axis_name_and_can_be_whole() -> None:
    x, y = Axis(1, 2, 66, 338), Axis(0, 0.00018, 208, 12)
    drawn = re.findall(r">([^<>]+)</text>", frame(x, y, ("epoch", "learning rate")))
    assert "5e-5" in drawn and "1.5e-4" in drawn
    whole = frame(x, Axis(0, 2, 208, 12), ("true boxes", "boxes found"), whole=(True, True))
    assert re.findall(r">([^<>]+)</text>", whole)[:5] == ["0", "1", "2", "1", "2"]


def test_drawn_text_is_escaped() -> None:
    assert tag("text", "<a>", data_x='"&') == '<text data-x="&#34;&amp;">&lt;a&gt;</text>'
