"""osprey preview: a sheet of training photos as augmentation makes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Result, make_squares
from PIL import Image

from osprey.imaging import Preprocess, read_image
from osprey.imaging.drawing import TRUE_BOX

STEP, DOWN = 228, 248  # pixels from tile to tile


def sheet_of(done: Result) -> np.ndarray:  # type: ignore[type-arg]
    assert done.code == 0, done.err
    (name,) = re.findall(r"^wrote   (\S+\.png): ", done.out, re.MULTILINE)
    with Image.open(name) as sheet:
        return np.asarray(sheet.convert("RGB"))


def tile(sheet: np.ndarray, row: int, column: int) -> np.ndarray:  # type: ignore[type-arg]
    top, left = 4 + row * DOWN, 4 + column * STEP
    return sheet[top : top + 224, left : left + 224].astype(int)


def test_photos_and_variants(here: Path, photos: Path, osprey: Callable[..., Result]) -> None:
    words = ["augmentation=heavy", "data=folder", f"data.root={photos}", "data.size=64"]
    done = osprey("preview", "photos=3", "variants=2", *words)
    sheet = sheet_of(done)
    assert sheet.shape == (3 * DOWN + 4, 3 * STEP + 4, 3)
    assert "not shown, made of whole batches on their device: mixup, cutmix, erasing\n" in done.out
    assert done.out.endswith(": augmentation=heavy, 3 photos, 2 variants each\n")
    firsts = [tile(sheet, row, 0) for row in range(3)]
    originals = [Preprocess(224)(read_image(path)) for path in photos.rglob("*.png")]
    for first in firsts:
        assert min(np.abs(first - other).max() for other in originals) == 0
    means = [first.mean(axis=(0, 1)) for first in firsts]
    assert min(np.abs(a - b).max() for a in means for b in means if a is not b) > 50  # each class
    assert np.abs(tile(sheet, 0, 1) - tile(sheet, 0, 2)).mean() > 5
    again = osprey("preview", "photos=3", "variants=2", *words)
    assert np.array_equal(sheet_of(again), sheet)
    assert not [path for path in (here / "runs").iterdir() if path.name != "preview"]


def test_boxes_are_drawn(here: Path, osprey: Callable[..., Result]) -> None:
    (here / "set").mkdir()
    root = make_squares(here / "set")
    words = ["task=detection", "model=ssdlite", "model.pretrained=false", "data.size=64"]
    words += ["model.freeze_batchnorm=false"]
    words += ["data=coco", f"data.root={root}", "data.file=boxes.json", "augmentation=detection"]
    done = osprey("preview", "photos=2", "variants=3", *words)
    sheet = sheet_of(done)
    for column in range(4):
        pixels = tile(sheet, 1, column)  # the first is of a photo without a square
        yellow = (pixels[..., 0] > 150) & (pixels[..., 2] < 120) & (pixels[..., 1] > 110)
        lines = (np.abs(pixels - TRUE_BOX).max(axis=2) < 30).nonzero()
        inside = yellow.nonzero()
        assert len(lines[0]) and len(inside[0])
        for axis in (0, 1):
            assert abs(lines[axis].min() - np.percentile(inside[axis], 1)) < 12
            assert abs(lines[axis].max() - np.percentile(inside[axis], 99)) < 12


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["photos=0"], "photos: '0' is not a whole number from 1 to 100"),
        (["variants=many"], "variants: 'many' is not a whole number from 1 to 100"),
        (["-m", "seed=1,2"], "preview shows one configuration: it takes no -m and no resume"),
    ],
)
def test_bad_words(
    words: list[str], line: str, here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    done = osprey("preview", "data=folder", f"data.root={photos}", *words)
    assert (done.code, done.err) == (2, f"osprey preview: {line}\n")
    assert not (here / "runs").exists()


def test_an_unknown_policy(here: Path, photos: Path, osprey: Callable[..., Result]) -> None:
    done = osprey("preview", "augmentation=hevy", "data=folder", f"data.root={photos}")
    assert done.code == 2 and "did you mean 'heavy'" in done.err
