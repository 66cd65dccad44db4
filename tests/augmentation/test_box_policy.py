"""Policies with boxes: what is painted and its box move together, by the seed alone."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from osprey.augmentation import BoxPolicy, Policy, check_policy
from osprey.augmentation.steps import _BOXLESS, BOX_CROPS, STEPS
from osprey.data.labelled import Labelled
from osprey.errors import ConfigError
from osprey.imaging import Preprocess

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "augmentation").glob("*.yaml"))
SMALL = Preprocess(size=64)
NEEDS: dict[str, dict[str, Any]] = {
    "AtLeastOneBBoxRandomCrop": {"height": 40, "width": 50},
    "Crop": {"x_max": 50, "y_max": 50},
    "CropAndPad": {"percent": [-0.1, 0.2]},
    "RandomSizedCrop": {"min_max_height": [30, 60]},
    "XYMasking": {"num_masks_x": 1, "num_masks_y": 1, "mask_x_length": 9, "mask_y_length": 9},
}
ALLOWED = sorted((STEPS | BOX_CROPS) - _BOXLESS)
# Edges stay edges: the box must fit to the pixel.
UPRIGHT: list[Any] = [
    *({name: NEEDS.get(name, {})} for name in sorted(BOX_CROPS)),
    *({name: NEEDS.get(name, {})} for name in ("Crop", "CropAndPad", "RandomSizedCrop")),
    *("CenterCrop", "D4", "HorizontalFlip", "LongestMaxSize", "PadIfNeeded", "RandomCrop"),
    *("RandomCropFromBorders", "RandomResizedCrop", "RandomRotate90", "RandomScale", "Resize"),
    *("SmallestMaxSize", "Transpose", "VerticalFlip"),
    {"Affine": {"scale": [0.5, 1.5], "translate_percent": [-0.2, 0.2]}},
]
# The box is that of the turned or bent rectangle.
BENT: list[Any] = [
    {"Affine": {"rotate": [-45, 45], "shear": [-10, 10], "scale": [0.6, 1.0]}},
    {"ElasticTransform": {"alpha": 50, "sigma": 10}},
    {"GridDistortion": {"distort_limit": [-0.3, 0.3]}},
    {"OpticalDistortion": {"distort_limit": [-0.3, 0.3]}},
    *("Perspective", "Rotate", "SafeRotate", "ShiftScaleRotate"),
    {"Rotate": {"limit": 40, "border_mode": 4}},
]


def surely(step: Any) -> Any:
    """The step with p = 1."""
    ((name, parameters),) = ({step: {}} if isinstance(step, str) else step).items()
    return {name: {**parameters, "p": 1.0}}


def painted(height: int, width: int, *boxes: tuple[int, int, int, int]) -> Labelled:
    """A dark photo with a bright rectangle in each box; labels 5, 6, ..."""
    image = np.full((height, width, 3), 20, np.uint8)
    for x, y, x2, y2 in boxes:
        image[y:y2, x:x2] = 240
    image.setflags(write=False)
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    return Labelled(image, corners, np.arange(5, 5 + len(boxes), dtype=np.int64))


def edges(lit: np.ndarray) -> list[int]:
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def check_form(photo: Labelled, size: int = 64) -> None:
    image, boxes, labels = photo
    assert (image.shape, image.dtype) == ((size, size, 3), np.uint8)
    assert image.flags.c_contiguous
    assert (boxes.dtype, labels.dtype) == (np.float32, np.int64)
    assert boxes.shape == (len(labels), 4)
    assert ((boxes >= 0) & (boxes <= size)).all()
    assert (boxes[:, 2:] - boxes[:, :2] > 0).all()


def same(one: Labelled, other: Labelled) -> bool:
    return all(map(np.array_equal, one, other))


rectangles = st.tuples(
    st.integers(70, 150), st.integers(70, 150), st.integers(25, 50), st.integers(25, 50),
    st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**63),
)  # fmt: skip


def augmented(step: Any, drawn: tuple[Any, ...]) -> Labelled:
    height, width, wide, high, across, down, seed = drawn
    x, y = round(across * (width - wide)), round(down * (height - high))
    photo = painted(height, width, (x, y, x + wide, y + high))
    done = BoxPolicy([surely(step)], SMALL)(photo, seed)
    check_form(done)
    assert set(done.labels) == {5}, "never lost, whatever is cut off"
    return done


@pytest.mark.parametrize("step", UPRIGHT, ids=str)
@given(drawn=rectangles)
@settings(max_examples=15, deadline=None)
def test_an_upright_box_fits_its_pixels(step: Any, drawn: tuple[Any, ...]) -> None:
    done = augmented(step, drawn)
    assert len(done.boxes) == 1
    found = edges(done.image[..., 0] > 127)
    np.testing.assert_allclose(found, done.boxes[0], atol=1.1)


@pytest.mark.parametrize("step", BENT, ids=str)
@given(drawn=rectangles)
@settings(max_examples=15, deadline=None)
def test_a_turned_box_holds_its_pixels(step: Any, drawn: tuple[Any, ...]) -> None:
    done = augmented(step, drawn)
    lit = done.image[..., 0] > 127
    covered = np.zeros_like(lit)
    for x, y, x2, y2 in done.boxes:
        area = slice(max(0, int(y - 1)), int(y2 + 2)), slice(max(0, int(x - 1)), int(x2 + 2))
        assert lit[area].any() or min(x2 - x, y2 - y) < 4
        covered[area] = True
    # A sliver may be left of a mirrored rectangle that is hardly in sight.
    assert (lit & ~covered).sum() <= 0.25 * max(lit.sum(), 1)
    inner = (done.boxes > 1) & (done.boxes < 63)
    if inner.all() and "border_mode" not in str(step):
        np.testing.assert_allclose(edges(lit), done.boxes[0], atol=2.5)


@pytest.mark.parametrize("name", ALLOWED)
def test_every_step_offered_runs_with_boxes_without_and_again(name: str) -> None:
    steps = [surely({name: NEEDS.get(name, {})})]
    one, other = BoxPolicy(steps, SMALL), BoxPolicy(steps, SMALL)
    for photo in (painted(80, 90, (5, 5, 40, 30), (30, 20, 85, 70)), painted(80, 90)):
        first = [one(photo, seed) for seed in range(2)]
        again = [other(photo, seed) for seed in (1, 0)][::-1]
        assert all(map(same, first, again))
        for done in first:
            check_form(done)
            assert set(done.labels) <= set(photo.labels)
            assert bool(len(done.labels)) == bool(len(photo.labels))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_takes_boxes(path: Path) -> None:
    policy = BoxPolicy(yaml.safe_load(path.read_text())["steps"], SMALL)
    copied = pickle.loads(pickle.dumps(policy))
    assert repr(copied) == repr(policy)
    photos = [painted(60, 80, (5, 5, 40, 30), (20, 20, 75, 55)), painted(60, 80)]
    photos += [painted(1, 1, (0, 0, 1, 1)), painted(300, 20, (0, 0, 20, 9)), painted(64, 64)]
    for seed, photo in enumerate(photos * 3):
        done = policy(photo, seed)
        check_form(done)
        assert bool(len(done.labels)) == bool(len(photo.labels))
        assert same(copied(photo, seed), done)


def test_pixels_are_those_of_a_policy_without_boxes() -> None:
    steps = yaml.safe_load(next(p for p in CONFIGS if p.stem == "standard").read_text())["steps"]
    photo = painted(90, 120, (0, 0, 120, 90))
    for seed in range(5):
        boxed, plain = BoxPolicy(steps, SMALL)(photo, seed), Policy(steps, SMALL)(photo.image, seed)
        np.testing.assert_array_equal(boxed.image, plain)


@pytest.mark.parametrize(("right", "kept"), [(44, True), (36, False)])
def test_a_box_is_cut_and_then_dropped(right: int, kept: bool) -> None:
    # Of the box 30..80 a crop up to 44 shows 28 %, one up to 36 shows 12 %.
    steps = [{"Crop": {"x_max": right, "y_max": 64, "p": 1.0}}]
    done = BoxPolicy(steps, SMALL)(painted(64, 64, (30, 0, 64, 64), (0, 0, 10, 10)), 0)
    assert done.labels.tolist() == ([5, 6] if right == 44 else [6])
    if kept:
        np.testing.assert_allclose(done.boxes[0], [30 * 64 / 44, 0, 64, 64], rtol=1e-5)


def test_what_two_crops_leave_counts_together() -> None:
    crops = [{"Crop": {"x_max": x, "y_max": 64, "p": 1.0}} for x in (32, 14)]
    photo = painted(64, 64, (0, 0, 4, 64), (0, 0, 64, 64))
    assert BoxPolicy(crops[:1], SMALL)(photo, 0).labels.tolist() == [5, 6]
    assert BoxPolicy(crops, SMALL)(photo, 0).labels.tolist() == [5], "of the other 22 % are left"


def test_a_photo_that_would_lose_all_its_boxes_is_taken_as_it_is() -> None:
    steps = [{"Crop": {"x_max": 20, "y_max": 64, "p": 1.0}}]
    photo = painted(64, 64, (30, 0, 64, 64))
    done = BoxPolicy(steps, SMALL)(photo, 0)
    np.testing.assert_array_equal(done.image, photo.image)
    np.testing.assert_array_equal(done.boxes, photo.boxes)
    sometimes = [{"Crop": {"x_max": 20, "y_max": 64, "p": 0.9}}, {"InvertImg": {"p": 1.0}}]
    inverted = [BoxPolicy(sometimes, SMALL)(photo, seed).image[0, 0, 0] == 235 for seed in range(9)]
    assert any(inverted), "another draw of the steps comes before that"


@pytest.mark.parametrize("wide", [0.2, 1e-4])
@pytest.mark.parametrize("name", sorted(BOX_CROPS))
def test_boxes_within_a_pixel_stop_no_run(name: str, wide: float) -> None:
    photo = painted(60, 80)
    boxes = np.array([[10.1, 10.1, 10.1 + wide, 10.1 + wide]], np.float32)
    photo = Labelled(photo.image, boxes, np.zeros(1, np.int64))
    policy = BoxPolicy([{name: NEEDS.get(name, {})}], SMALL)
    for seed in range(20):
        check_form(policy(photo, seed))


def test_a_box_that_is_hidden_is_dropped() -> None:
    sides = {"hole_height_range": [30, 30], "hole_width_range": [30, 30]}
    policy = BoxPolicy([{"CoarseDropout": {"num_holes_range": [1, 1], **sides, "p": 1.0}}], SMALL)
    found = set()
    for seed in range(40):
        done = policy(painted(64, 64, (20, 20, 40, 40), (0, 0, 64, 64)), seed)
        hidden = bool((done.image[20:40, 20:40] == 0).mean() > 0.75)
        assert done.labels.tolist() == ([6] if hidden else [5, 6])
        found.add(hidden)
    assert found == {True, False}


@pytest.mark.parametrize(
    ("steps", "boxes", "message"),
    [
        (
            ["RandomGridShuffle"],
            True,
            "augmentation step 'RandomGridShuffle' cannot be used with boxes: it misplaces them",
        ),
        (
            [{"OneOf": {"transforms": ["ThinPlateSpline", "NoOp"]}}],
            True,
            "augmentation step 'ThinPlateSpline' cannot be used with boxes: it misplaces them",
        ),
        (
            ["RandomSizedBBoxSafeCrop"],
            False,
            "augmentation step 'RandomSizedBBoxSafeCrop' goes with task=detection: it needs boxes",
        ),
        (
            ["BBoxSafeCrop"],
            True,
            "unknown augmentation step 'BBoxSafeCrop'; did you mean 'BBoxSafeRandomCrop'?",
        ),
        (["Mosaic"], True, "augmentation step 'Mosaic' is not available: use augmentation.mosaic"),
    ],
)
def test_messages(steps: Any, boxes: bool, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_policy(steps, boxes=boxes)
    assert str(caught.value) == message
