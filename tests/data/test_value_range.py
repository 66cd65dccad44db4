"""Photos of more than 8 bits: the set's range, the setting, and both on the way to an answer."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import COLOURS, TINY, Result
from PIL import Image, features

from osprey.config.schema import DataConfig
from osprey.data.prepare import Prepared, prepare
from osprey.errors import DataError

Call = Callable[..., Result]


def deep_photos(root: Path, ending: str = ".png", per_class: int = 6) -> Path:
    """`make_photos` as a camera of 12 bits has them, its brightest pixel 4,012."""
    rng = np.random.default_rng(0)
    for label, colour in COLOURS.items():
        (root / label).mkdir(parents=True)
        for number in range(per_class):
            noise = rng.integers(-300, 300, (40, 40, 3))
            pixels = np.clip(np.array(colour) * 14 + noise, 0, 3000).astype(np.uint16)
            pixels[0, 0] = 4012 if number == 0 else 3000
            cv2.imwrite(str(root / label / f"{number}{ending}"), pixels[..., ::-1])
    return root


def floats(root: Path) -> Path:
    for start, label in ((0.25, "a"), (0.5, "b")):
        (root / label).mkdir(parents=True)
        for number in range(4):
            pixels = np.linspace(start, 1.5 + number, 64, dtype=np.float32).reshape(8, 8)
            cv2.imwrite(str(root / label / f"{number}.tif"), pixels)
    return root


def prepared(root: Path, cache: Path, **said: object) -> Prepared:
    config = DataConfig(name="x", reader="folder", root=str(root), **said)  # type: ignore[arg-type]
    return prepare(config, cache)


WORDS = ("predict", "classify")
LINE = (
    "16-bit photos: the largest sample of 18 photos is 4,012 of 65,535, so white is 4,095 "
    "(data.value_range=[0,4095]); data.value_range=[0,65535] keeps them dark"
)


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_a_set_of_twelve_bits_is_scaled_and_told(tmp_path: Path, ending: str) -> None:
    root, cache = deep_photos(tmp_path / "set", ending), tmp_path / "cache"
    found = prepared(root, cache)
    assert found.value_range == (0, 4095) and LINE in found.notices
    assert prepared(root, cache).notices == found.notices  # from the cache, too


@pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow has no JPEG2000")
@pytest.mark.parametrize("ending", [".jp2", ".jpf", ".jpx"])
def test_grey_jpeg_2000_by_each_ending(tmp_path: Path, ending: str) -> None:
    root = tmp_path / "set"
    for start, label in ((100, "a"), (200, "b")):
        (root / label).mkdir(parents=True)
        for number in range(4):
            grey = np.full((40, 40), 400 * number + start, np.uint16)
            grey[0, 0] = 4012
            Image.fromarray(grey).save(root / label / f"{number}{ending}", "JPEG2000")
    assert prepared(root, tmp_path / "cache").value_range == (0, 4095)


def test_boxes_alike(tmp_path: Path) -> None:
    root = deep_photos(tmp_path / "set")
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    rows = [f"{path},fish,5,5,20,20" for path in paths]
    (tmp_path / "boxes.csv").write_text("\n".join(["path,label,x,y,w,h", *rows]) + "\n")
    columns = {key: key for key in ("path", "label", "x", "y", "w", "h")}
    file = str(tmp_path / "boxes.csv")
    config = DataConfig(name="x", reader="boxes", root=str(root), file=file, columns=columns)
    found = prepare(config, tmp_path / "cache")
    assert found.value_range == (0, 4095) and LINE in found.notices


def test_a_set_that_fills_its_range_is_left_as_it_is(tmp_path: Path) -> None:
    root = deep_photos(tmp_path / "set")
    cv2.imwrite(str(root / "red" / "bright.png"), np.full((9, 9), 20_000, dtype=np.uint16))
    found = prepared(root, tmp_path / "cache")
    assert found.value_range is None and found.notices == []


def test_the_setting_rules(tmp_path: Path) -> None:
    root = deep_photos(tmp_path / "set")
    found = prepared(root, tmp_path / "cache", value_range=[100, 3000])
    assert found.value_range == (100, 3000) and found.notices == []
    assert prepared(root, tmp_path / "cache", check_files=False).value_range is None


def test_floats_are_refused_with_the_setting(tmp_path: Path) -> None:
    root = floats(tmp_path / "set")
    with pytest.raises(DataError) as caught:
        prepared(root, tmp_path / "cache")
    assert str(caught.value) == (
        "data.value_range is not set, and the samples of 8 photos such as 'a/0.tif' have no range "
        "of their own (floats, 32 bits or signed numbers): name what is black and what is white "
        "with data.value_range=[LOW,HIGH]; they are 0.25 to 4.5"
    )
    found = prepared(root, tmp_path / "cache", value_range=[0, 4.5])
    assert len(found.manifest.table) == 8 and not found.unreadable


@pytest.mark.parametrize("value", ["[4095,0]", "[1]", "[1,2,3]"])
def test_a_range_that_is_none(here: Path, photos: Path, osprey: Call, value: str) -> None:
    result = osprey("train", "data=folder", f"data.root={photos}", f"data.value_range={value}")
    assert result.code == 2
    assert result.err == (
        "osprey train: data.value_range: two numbers are needed, the samples that are black and "
        "white, such as data.value_range=[0,4095]\n"
    )


def test_augmented_copies_are_not_black(here: Path, osprey: Call) -> None:
    deep_photos(here.parent / "set", per_class=2)
    paths = sorted(p.relative_to(here.parent / "set") for p in (here.parent / "set").rglob("*.png"))
    rows = [f"{path},{path.parent}" for path in paths]
    (here / "labels.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    words = ("--input_folder", "../set", "--output_folder", "copies", "--label_file", "labels.csv")
    result = osprey("augment", *words, "--new_label_and_weights_file", "new.csv", "--copies", "1")
    assert result.code == 0, result.err
    assert (
        "16-bit photos: the largest sample of 6 photos is 4,012 of 65,535, so white is 4,095\n"
        in result.out + result.err
    )
    copies = [cv2.imread(str(path)) for path in (here / "copies").rglob("*1.jpg")]
    assert len(copies) == 6 and min(pixels.mean() for pixels in copies) > 60


@pytest.mark.slow  # a training
def test_training_predict_and_classify_see_one_picture(here: Path, osprey: Call) -> None:
    deep_photos(here.parent / "set", per_class=8)
    words = [word for word in TINY if not word.startswith("export")]
    result = osprey("train", "data=folder", "data.root=../set", *words)
    assert result.code == 0, result.err
    assert LINE.replace("18", "24") in result.out
    run = (here / "runs" / "latest").resolve()
    card = json.loads((run / "bundle" / "card.json").read_text())
    assert card["preprocess"]["value_range"] == [0, 4095]
    assert "value_range:\n  - 0" in (run / "config.yaml").read_text()
    photo = "../set/red/3.png"
    one, other = (osprey(word, "--image", photo, "--verbose").out for word in WORDS)
    shallow = cv2.convertScaleAbs(cv2.imread(photo, cv2.IMREAD_UNCHANGED), alpha=255 / 4095)
    cv2.imwrite("shallow.png", shallow)
    third = osprey("predict", "--image", "shallow.png", "--verbose").out
    scores = [[float(n) for n in re.findall(r"0\.\d+", answer)] for answer in (one, other, third)]
    assert scores[0] and np.ptp(np.array(scores), axis=0).max() < 2e-3


def test_heic_among_the_photos_without_the_extra(
    here: Path, photos: Path, osprey: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(photos, here.parent / "set")
    heic = Path(__file__).parents[1] / "imaging" / "files" / "photo.heic"
    for name in ("IMG_1.HEIC", "IMG_2.HEIC"):
        shutil.copyfile(heic, here.parent / "set" / "red" / name)
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    config = DataConfig(name="x", reader="folder", root="../set")
    found = prepare(config, here.parent / "cache")
    assert len(found.unreadable) == 2 and found.notices == [
        "left out, HEIC: 2 photos; the extra that reads them: pip install 'osprey-vision[heic]'"
    ]
    monkeypatch.undo()
    pytest.importorskip("pi_heif")
    monkeypatch.chdir(here)
    assert not prepare(config, here.parent / "cache").unreadable  # not the answer of before
