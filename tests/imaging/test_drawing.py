"""Boxes drawn: a copy, inside the picture whatever the box, in letters that are there."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osprey.imaging import drawing
from osprey.imaging.drawing import draw_boxes

side = st.integers(1, 60)


@given(side, side, st.floats(-9, 70), st.floats(-9, 70), st.floats(0, 70), st.floats(0, 70))
def test_any_box_on_any_photo(
    height: int, width: int, x: float, y: float, w: float, h: float
) -> None:
    photo = np.full((height, width, 3), 90, np.uint8)
    boxes = np.array([[x, y, x + w, y + h]], np.float32)
    drawn = draw_boxes(photo, boxes, ["Größe 0.50"], [11])
    assert drawn.shape == photo.shape and drawn.dtype == np.uint8
    assert (photo == 90).all()


def test_only_the_box_and_its_name_are_drawn() -> None:
    photo = np.full((400, 600, 3), 90, np.uint8)
    drawn = draw_boxes(photo, np.array([[300, 200, 500, 350]], np.float32), ["fish"], [0])
    changed = (drawn != 90).any(axis=2)
    assert changed[200:350, 300].all() and changed[349, 300:500].all()
    assert not changed[215:340, 310:490].any() and not changed[:150].any()
    assert not changed[:, :290].any()
    assert (draw_boxes(photo, np.zeros((0, 4), np.float32), [], []) == photo).all()


@pytest.mark.parametrize("new", [True, False])
def test_names_can_be_told_apart(new: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if new and not hasattr(cv2, "FontFace"):
        pytest.skip("OpenCV before 5")
    if not new:
        monkeypatch.delattr(cv2, "FontFace", raising=False)
    drawing._tag.cache_clear()
    tags = [drawing._tag(text, 20, (0, 0, 0)) for text in ("cod", "eel", "mackerel")]
    drawing._tag.cache_clear()
    assert all(tag.max() > 200 and tag.min() == 0 for tag in tags)
    assert tags[0].shape != tags[1].shape or (tags[0] != tags[1]).any()
    assert tags[2].shape[1] > 1.5 * tags[0].shape[1]


def test_the_surest_lies_on_top() -> None:
    photo = np.full((100, 100, 3), 90, np.uint8)
    boxes = np.array([[20, 20, 70, 70]] * 2, np.float32)
    drawn = draw_boxes(photo, boxes, ["sure", "not"], [0, 1])
    assert tuple(drawn[69, 40]) == drawing.COLOURS[0]
