"""What an answer that looks at nothing scores, and how sure a detector's AP is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osprey.data.manifest import Manifest, complete
from osprey.imaging.boxes import Detections
from osprey.tasks.classification import blind as of_classes
from osprey.tasks.detection import blind
from osprey.tasks.detection.chance import blind_line, chance_line
from osprey.tasks.detection.coco import coco_metrics
from osprey.tasks.detection.draws import ap_intervals
from osprey.tasks.detection.outputs import BoxOutputs, true_boxes

Box = tuple[str, float, float, float, float]


def photos(*boxes: list[Box], sides: tuple[int, int] = (200, 100)) -> Manifest:
    names = [f"{number}.jpg" for number in range(len(boxes))]
    table = pd.DataFrame({"path": names, "width": sides[0], "height": sides[1], "boxes": "[]"})
    return complete(table, Path("photos"), "photos").with_boxes(list(boxes))


def test_boxes_always_in_one_place_are_found_without_looking() -> None:
    same: list[list[Box]] = [[("fish", 20, 10, 150, 80)] for _ in range(30)]
    figures = blind.blind_figures(photos(*same), photos(*same))
    assert figures == {"ap50": pytest.approx(1), "ap75": pytest.approx(1), "map": pytest.approx(1)}
    larger: list[list[Box]] = [[("fish", 60, 30, 450, 240)] for _ in range(5)]
    assert blind.blind_figures(photos(*same), photos(*larger, sides=(600, 300)))["map"] > 0.99


def test_small_boxes_anywhere_are_not() -> None:
    draw = np.random.default_rng(0)
    places = [(float(x), float(y)) for x, y in draw.uniform(0, (190, 90), size=(120, 2))]
    boxes: list[list[Box]] = [[("fish", x, y, 10, 10)] for x, y in places]
    assert blind.blind_figures(photos(*boxes[:80]), photos(*boxes[80:]))["ap50"] < 0.1
    assert blind.blind_figures(photos(*boxes[:80]), photos([], [])) == {}
    assert blind.blind_figures(photos([], []), photos(*boxes[80:])) == {}
    both: list[list[Box]] = [[("fish", 20, 10, 150, 80)], [("crab", 20, 10, 150, 80)]]
    assert blind.blind_figures(photos(*both[:1] * 9), photos(*both))["ap50"] < 0.6


def test_class_frequencies() -> None:
    def split(*labels: str) -> Manifest:
        names = [f"{number}.jpg" for number in range(len(labels))]
        table = pd.DataFrame({"path": names, "label": labels})
        return complete(table, Path("photos"), "photos")

    figures = of_classes.blind_figures(split(*"aaab"), split(*"aabb"))
    assert figures["top1"] == 0.5
    assert figures["log_loss"] == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2)
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert of_classes.blind_figures(split(*"aaab"), split(*"ccca"))["top1"] == 0.25


def outputs(found: list[list[float]], size: int = 20) -> BoxOutputs:
    """Photos with one true box each; scores of a right box and of a wrong one."""
    truth = photos(*[[("fish", 10.0, 10.0, 50.0, 50.0)] for _ in found])
    right, wrong = [10, 10, 60, 60], [100, 10, 160, 60]
    answers = [
        Detections(
            np.array([right, wrong], np.float32)[np.argsort(-np.array(scores), kind="stable")],
            np.sort(np.array(scores, np.float32))[::-1].copy(),
            np.zeros(2, np.int64),
        )
        for scores in found
    ]
    real = [true_boxes(truth, row, ["fish"]) for row in range(len(found))]
    return BoxOutputs([f"{n}.jpg" for n in range(len(found))], answers, real)


score = st.floats(0.0625, 1, width=32)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(score, min_size=2, max_size=2), min_size=8, max_size=40))
def test_the_interval_holds_the_figure(found: list[list[float]]) -> None:
    these = outputs(found)
    measured = coco_metrics(these.truth, these.found, 1).scalars
    for key in ("ap50", "map"):
        ends = ap_intervals(these)[f"{key}_interval"]
        assert ends is not None and 0 <= ends[0] <= ends[1] <= 1 + 1e-9
        assert ends[0] - 0.1 <= measured[key] <= ends[1] + 0.1


def test_the_interval_narrows_with_photos_and_widens_with_groups() -> None:
    draw = np.random.default_rng(1)
    found = draw.uniform(0.1, 1, size=(400, 2)).round(4).tolist()

    def width(count: int, groups: list[str] | None = None) -> float:
        ends = ap_intervals(outputs(found[:count]), groups or [])["ap50_interval"]
        assert ends is not None
        return ends[1] - ends[0]

    assert width(400) < width(50) < width(12)
    alike = [[0.9, 0.2] if n // 10 % 2 else [0.2, 0.9] for n in range(100)]
    of_tens = [str(n // 10) for n in range(100)]
    one = ap_intervals(outputs(alike))["ap50_interval"]
    together = ap_intervals(outputs(alike), of_tens)["ap50_interval"]
    assert one is not None and together is not None
    assert together[1] - together[0] > 1.5 * (one[1] - one[0])
    assert ap_intervals(outputs(alike), ["a"] * 100)["ap50_interval"] is None, (
        "one group tells nothing of others"
    )


def test_more_boxes_than_are_counted_are_still_to_be_found() -> None:
    """COCO counts 100 detections of a class and photo, and all true boxes."""
    place = np.arange(200.0)[:, None] * [20, 0, 20, 0] + [0, 0, 10, 10]
    truth = [Detections(place, np.ones(200, np.float32), np.zeros(200, np.int64))] * 6
    scores = np.linspace(1, 0.5, 150, dtype=np.float32)
    found = [Detections(place[:150], scores, np.zeros(150, np.int64))] * 6
    these = BoxOutputs([f"{row}.jpg" for row in range(6)], found, truth)
    ap50 = coco_metrics(truth, found, 1).scalars["ap50"]
    ends = ap_intervals(these)["ap50_interval"]
    assert ends is not None
    np.testing.assert_allclose(ends, [ap50, ap50], atol=1e-9)


def test_a_detector_that_looks_at_nothing_is_said_to() -> None:
    figures = {"ap50": 0.6, "ap50_interval": [0.5, 0.7], "blind": {"ap50": 0.58}}
    assert chance_line(figures) == (
        "too few photos to tell the network from boxes that are the same in every photo: AP50 "
        "0.600 (0.500 to 0.700), and theirs 0.580; label more for testing"
    )
    assert chance_line({**figures, "blind": {"ap50": 0.6}}) == (
        "no better than boxes that are the same in every photo: AP50 0.600 (0.500 to 0.700), and "
        "theirs 0.600; try more epochs, pretrained weights, or a larger data.size"
    )
    of_one_group = {"ap50": 0.1, "ap50_interval": None, "blind": {"ap50": 0.6}}
    assert chance_line(of_one_group) == (
        "no better than boxes that are the same in every photo: AP50 0.100, and theirs 0.600; try "
        "more epochs, pretrained weights, or a larger data.size"
    )
    assert chance_line({**of_one_group, "ap50": 0.7}) == ""
    assert chance_line({**of_one_group, "ap50": None}) == "", "nothing was there to be found"
    assert chance_line({**figures, "blind": {"ap50": 0.4}}) == ""
    assert chance_line({"ap50": 0.6}) == ""


def test_fixed_boxes_stand_beside_how_sure_the_network_is() -> None:
    blind_ones = {"blind": {"ap50": 0.025, "ap75": 0.002, "map": 0.007}}
    line = "AP50 0.025, AP75 0.002, mAP 0.007: what the same boxes score in every photo"
    assert blind_line({"ap50_interval": None, "map_interval": None, **blind_ones}) == line
    ends = {"ap50_interval": [0.87, 0.919], "map_interval": [0.552, 0.601]}
    assert blind_line({**ends, **blind_ones}) == (
        f"{line}; the network's AP50 is 0.870 to 0.919, its mAP 0.552 to 0.601 (95%)"
    )
    assert blind_line(ends) == ""
