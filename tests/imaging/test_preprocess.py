"""One preprocessing for training and production: shapes, geometry, numbers and its plain form."""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osprey.errors import UserError
from osprey.imaging import Preprocess, resized

MODES = ["squash", "crop", "letterbox"]


def gradient(height: int, width: int) -> np.ndarray:
    """Red grows to the right, green downwards, blue is constant."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[..., 0] = np.linspace(0, 255, width)[None, :]
    image[..., 1] = np.linspace(0, 255, height)[:, None]
    image[..., 2] = 200
    return image


@given(
    height=st.integers(1, 400), width=st.integers(1, 400), size=st.integers(8, 96),
    mode=st.sampled_from(MODES), crop_pct=st.floats(0.2, 1.0),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_any_photo_becomes_a_square(
    height: int, width: int, size: int, mode: str, crop_pct: float
) -> None:
    image = gradient(height, width)
    before = image.copy()
    out = Preprocess(size=size, resize=mode, crop_pct=crop_pct)(image)
    assert out.shape == (size, size, 3)
    assert out.dtype == np.uint8
    assert out.flags.c_contiguous
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(1, 1), (5, 2000), (2000, 5), (1, 30000)])
def test_slivers(mode: str, shape: tuple[int, int]) -> None:
    assert Preprocess(size=64, resize=mode)(gradient(*shape)).shape == (64, 64, 3)


def test_a_photo_of_the_right_size_is_left_alone() -> None:
    image = gradient(64, 64)
    for mode in ("squash", "letterbox"):
        np.testing.assert_array_equal(Preprocess(size=64, resize=mode)(image), image)
    np.testing.assert_array_equal(Preprocess(size=64, resize="crop", crop_pct=1.0)(image), image)


def test_squash_uses_everything() -> None:
    out = Preprocess(size=50)(gradient(100, 300))
    assert np.abs(out[0, 0].astype(int) - [0, 0, 200]).max() < 6
    assert np.abs(out[-1, -1].astype(int) - [255, 255, 200]).max() < 6


def test_letterbox_keeps_the_aspect_and_pads_with_grey() -> None:
    out = Preprocess(size=60, resize="letterbox")(gradient(100, 300))
    assert (out[:20] == 114).all()
    assert (out[40:] == 114).all()
    assert (out[20:40, :, 2] == 200).all()
    tall = Preprocess(size=60, resize="letterbox")(gradient(300, 100))
    assert (tall[:, 20:40, 2] == 200).all()
    assert (tall[:, :20] == 114).all()


def test_crop_keeps_the_centre() -> None:
    image = gradient(100, 300)
    out = Preprocess(size=50, resize="crop", crop_pct=0.5)(image)
    # The short side becomes 100 and its middle 50 survive: rows 25 to 75, columns 125 to 175.
    np.testing.assert_array_equal(out, image[25:75, 125:175])


@given(height=st.integers(20, 500), width=st.integers(20, 500), size=st.integers(8, 80))
@settings(max_examples=60, deadline=None)
def test_crop_is_centred_and_symmetric(height: int, width: int, size: int) -> None:
    preprocess = Preprocess(size=size, resize="crop")
    out = preprocess(gradient(height, width))
    assert abs(float(out[..., 0].mean()) - 127.5) < 255 / size + 3
    assert abs(float(out[..., 1].mean()) - 127.5) < 255 / size + 3


@pytest.mark.parametrize(
    ("settings_", "side"),
    [
        ({"resize": "squash"}, 224),
        ({"resize": "letterbox"}, 224),
        ({"resize": "crop"}, 256),
        ({"resize": "crop", "crop_pct": 1.0}, 224),
    ],
)
def test_decode_side_is_what_the_resize_needs(settings_: dict[str, Any], side: int) -> None:
    assert Preprocess(size=224, **settings_).decode_side == side


@pytest.mark.parametrize("shape", [(240, 320), (500, 333), (900, 700), (448, 448), (1200, 1600)])
def test_shrinking_averages_like_inter_area(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image = cv2.GaussianBlur(noise, (0, 0), 1.5)
    area = cv2.resize(image, (224, 224), interpolation=cv2.INTER_AREA)
    mine = resized(image, 224, 224)
    linear = cv2.resize(image, (224, 224), interpolation=cv2.INTER_LINEAR)
    error = float(np.abs(mine.astype(int) - area).mean())
    assert error < 2
    assert error <= float(np.abs(linear.astype(int) - area).mean())


def test_a_checkerboard_averages_to_grey() -> None:
    board = np.indices((600, 600)).sum(axis=0) % 2 * 255
    image = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    assert np.abs(resized(image, 224, 224).astype(int) - 127).max() < 70
    assert np.abs(resized(image, 300, 300).astype(int) - 127).max() <= 1


def test_normalise() -> None:
    preprocess = Preprocess(size=8, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))
    batch = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    out = preprocess.normalise(batch)
    assert out.shape == (2, 3, 8, 8)
    assert out.dtype == np.float32
    assert out.flags.c_contiguous
    expected = (batch / 255 - [0.5, 0.25, 0.0]) / [0.5, 0.25, 1.0]
    np.testing.assert_allclose(out, expected.transpose(0, 3, 1, 2), atol=1e-6)


numbers = st.floats(0.0, 1.0)
spreads = st.floats(0.001, 10.0)


@given(
    size=st.integers(8, 4096), mode=st.sampled_from(MODES), crop_pct=st.floats(0.1, 1.0),
    mean=st.tuples(numbers, numbers, numbers), std=st.tuples(spreads, spreads, spreads),
)  # fmt: skip
def test_round_trip_through_json(
    size: int, mode: str, crop_pct: float, mean: Any, std: Any
) -> None:
    preprocess = Preprocess(size, mode, mean, std, crop_pct)
    assert Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict()))) == preprocess
    assert hash(preprocess) == hash(Preprocess.from_dict(preprocess.to_dict()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 4}, "preprocess: size must be a whole number 8 to 4096, not 4"),
        ({"size": 224.0}, "preprocess: size must be a whole number 8 to 4096, not 224.0"),
        ({"size": True}, "preprocess: size must be a whole number 8 to 4096, not True"),
        (
            {"resize": "sqash"},
            "preprocess: unknown resize 'sqash'; did you mean 'squash'? "
            "(one of squash, crop, letterbox)",
        ),
        (
            {"resize": 3},
            "preprocess: unknown resize 3 (one of squash, crop, letterbox)",
        ),
        (
            {"mean": [0.5, 0.5]},
            "preprocess: mean must be three numbers (R, G, B), not [0.5, 0.5]",
        ),
        ({"mean": "abc"}, "preprocess: mean must be three numbers (R, G, B), not 'abc'"),
        ({"mean": [0.5, 0.5, float("nan")]}, "preprocess: mean must be 0 to 1, not nan"),
        ({"mean": [0.5, 0.5, 114]}, "preprocess: mean must be 0 to 1, not 114"),
        ({"std": [0.0, 0.2, 0.2]}, "preprocess: std must be 0.001 to 10, not 0.0"),
        ({"std": [True, 0.2, 0.2]}, "preprocess: std must be a number, not True"),
        ({"crop_pct": "big"}, "preprocess: crop_pct must be a number, not 'big'"),
        ({"crop_pct": 1.5}, "preprocess: crop_pct must be 0.1 to 1, not 1.5"),
        ({"sise": 3}, "preprocess: unknown key 'sise'; did you mean 'size'?"),
        ({"__class__": 3}, "preprocess: unknown key '__class__'"),
    ],
)
def test_a_strangers_dict_is_checked(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        Preprocess.from_dict({**Preprocess(size=224).to_dict(), **change})
    assert str(caught.value) == message


def test_missing_keys_and_other_things_than_a_mapping() -> None:
    with pytest.raises(UserError, match=r"^preprocess: resize, mean, std, crop_pct missing$"):
        Preprocess.from_dict({"size": 224})
    with pytest.raises(UserError, match=r"^preprocess: expected a mapping, not list$"):
        Preprocess.from_dict([])  # type: ignore[arg-type]


@given(st.dictionaries(st.text(), st.one_of(st.none(), st.integers(), st.text(), st.floats())))
def test_no_dict_crashes(data: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Preprocess.from_dict(data)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_anything_but_uint8_rgb_is_a_mistake_in_the_program(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \[H, W, 3\]"):
        Preprocess(size=64)(image)


@given(
    height=st.integers(40, 300), width=st.integers(40, 300), size=st.integers(32, 160),
    mode=st.sampled_from(MODES), crop_pct=st.floats(0.5, 1.0), data=st.data(),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_pixels_lie_where_place_says(
    height: int, width: int, size: int, mode: str, crop_pct: float, data: st.DataObject
) -> None:
    preprocess = Preprocess(size=size, resize=mode, crop_pct=crop_pct)
    place = preprocess.place(height, width)
    x = data.draw(st.integers(0, width - 20))
    y = data.draw(st.integers(0, height - 20))
    x2 = data.draw(st.integers(x + 20, width))
    y2 = data.draw(st.integers(y + 20, height))
    photo = np.zeros((height, width, 3), np.uint8)
    photo[y:y2, x:x2] = (255, 0, 0)
    box = np.array([[x, y, x2, y2]], np.float32)
    placed = place.to_input(box)
    np.testing.assert_allclose(place.to_photo(placed), box, atol=1e-3)
    (left, top, right, bottom) = np.clip(placed[0], 0, size)
    out = preprocess(photo)
    found = (out[..., 0] > 127) & (out[..., 1] < 64)  # not the grey border
    if right - left < 2 or bottom - top < 2:
        return  # cut off, or so small that nothing of it need be left
    rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    edges = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    np.testing.assert_allclose(edges, [left, top, right, bottom], atol=1.05)


@pytest.mark.parametrize("shape", [(1, 1), (5, 2000), (2000, 5), (1, 30000)])
def test_the_middle_of_a_sliver_is_placed_in_the_middle(shape: tuple[int, int]) -> None:
    height, width = shape
    middle = np.array([[width / 2, height / 2, width / 2, height / 2]], np.float32)
    for mode in MODES:
        preprocess = Preprocess(size=64, resize=mode)
        placed = preprocess.place(height, width).to_input(middle)
        scale = preprocess.place(height, width).scale_x
        np.testing.assert_allclose(placed, 32, atol=max(1, scale))
