"""The recipes of known layouts, each on a miniature drawn as its set is published."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import TINY, Result, make_photos
from helpers import train_config

from osprey.config.schema import TrainConfig
from osprey.data.manifest import Manifest
from osprey.data.prepare import Prepared, prepare
from osprey.data.readers import read_manifest
from osprey.data.splits import groups_of_set
from osprey.errors import DataError

Call = Callable[..., Result]
FISH = ["ALB", "BET", "DOL", "LAG", "NoF", "OTHER", "SHARK", "YFT"]
SPECIES = [
    *("Amphibia", "Animalia", "Arachnida", "Aves", "Fungi", "Insecta", "Mammalia", "Mollusca"),
    *("Plantae", "Reptilia"),
]
shades = iter(range(1, 1 << 24))


def photo(file: Path, size: tuple[int, int] = (20, 16)) -> Path:
    """A photo unlike every other."""
    number = next(shades)
    bits = np.array([number >> place & 1 for place in range(20)], np.uint8).reshape(4, 5)
    pixels = np.full((size[1], size[0], 3), 90, np.uint8)
    pixels[:16, :20] = 200 * np.kron(bits, np.ones((4, 4), np.uint8))[..., None]
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), pixels)
    return file


def table(file: Path, rows: Sequence[Sequence[object]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as target:
        csv.writer(target).writerows(rows)
    return file


def recipe(name: str, root: Path, *more: str) -> TrainConfig:
    return train_config(f"experiment={name}", f"data.root={root}", *more)


def prepared(name: str, root: Path, *more: str) -> Prepared:
    cache = root.parent / "cache"
    return prepare(recipe(name, root, f"paths.cache={cache}", *more).data, cache)


def read(name: str, root: Path, *more: str) -> tuple[Manifest, list[str]]:
    notices: list[str] = []
    config = recipe(name, root, f"paths.cache={root.parent / 'cache'}", *more)
    return read_manifest(config.data, notices), notices


# ---------------------------------------------------------------- the fisheries competition


def fisheries(top: Path, per_class: int = 8) -> Path:
    number = 0
    for label in FISH:
        for _ in range(per_class):
            photo(top / "train" / label / f"img_{(number := number + 1):05d}.jpg", (64, 36))
    for one in range(2):
        photo(top / "test_stg1" / f"img_9{one:04d}.jpg", (64, 36))
    return top / "train"


def fish_boxes(top: Path, root: Path) -> Path:
    """As the boxes were published: a JSON a class, every rectangle a "rect", two ways of names."""
    for label in FISH:
        if label == "NoF":
            continue
        entries = []
        for place, file in enumerate(sorted((root / label).iterdir())):
            rectangle = {"class": "rect", "height": 9.0, "width": 20.0, "x": 3.0, "y": 4.0 + place}
            name = file.name if label in ("BET", "OTHER") else f"../data/train/{label}/{file.name}"
            some = [rectangle] * (place > 0)
            entries.append({"annotations": some, "class": "image", "filename": name})
        (top / f"{label.lower()}_labels.json").write_text(json.dumps(entries, indent=4))
    return top


def test_fisheries(tmp_path: Path) -> None:
    found = prepared("fisheries", fisheries(tmp_path / "set"))
    assert found.manifest.classes == FISH and len(found.manifest.table) == 64
    assert set(found.manifest.table["split"]) == {"train", "val", "test"}


def test_fisheries_boxes(tmp_path: Path) -> None:
    root = fisheries(tmp_path / "set", per_class=4)
    labels = tmp_path / "labels"
    labels.mkdir()
    fish_boxes(labels, root)
    manifest, notices = read("fisheries_boxes", root, f"data.file={labels}")
    assert manifest.classes == [name for name in FISH if name != "NoF"]
    assert len(manifest.table) == 28 and sum(map(len, manifest.box_lists)) == 21
    row = manifest.table["path"].tolist().index("BET/img_00006.jpg")
    np.testing.assert_array_equal(manifest.boxes(row)[0], [[3, 5, 23, 14]])
    assert manifest.boxes(row)[1] == ["BET"]
    assert "left out, named by no annotation: 4 photos such as 'NoF/img_00017.jpg'" in notices


def test_sloth_there_and_back(tmp_path: Path, osprey: Call) -> None:
    root = fisheries(tmp_path / "set", per_class=2)
    labels = tmp_path / "labels"
    labels.mkdir()
    fish_boxes(labels, root)
    words = ("--images", root, "--input")
    out = tmp_path / "coco.json"
    assert (
        osprey("convert", *words, labels, "--from", "sloth", "--to", "coco", "--output", out).code
        == 0
    )
    content = json.loads(out.read_text())
    assert len(content["images"]) == 14 and len(content["annotations"]) == 7
    back = tmp_path / "back.json"
    assert osprey("convert", *words, out, "--to", "sloth", "--output", back).code == 0
    entries = json.loads(back.read_text())
    assert sum(len(entry["annotations"]) for entry in entries) == 7
    assert {r["class"] for e in entries for r in e["annotations"]} == set(FISH) - {"NoF"}


# ---------------------------------------------------------------- species, jungle


def species(top: Path) -> Path:
    for label in SPECIES:
        for number in range(10):
            photo(top / "train" / label / f"{number}.jpg")
    for number in range(3):
        photo(top / "test" / f"{number}.jpg")
    return top


def test_species(tmp_path: Path) -> None:
    found = prepared("species", species(tmp_path / "set"))
    assert found.manifest.classes == SPECIES
    counts = found.manifest.counts()
    assert {split: sum(some.values()) for split, some in counts.items()} == {
        "train": 80, "val": 10, "test": 10
    }  # fmt: skip
    test = tmp_path / "set" / "test"
    assert any(
        line.startswith(f"left out, in no class folder: 3 photos such as '{test}/")
        for line in found.notices
    )


@pytest.mark.slow  # a training
def test_species_submission(here: Path, osprey: Call) -> None:
    make_photos(here.parent / "set")
    assert osprey("train", "data=folder", "data.root=../set", *TINY[:-1]).code == 0
    test = here / "test"
    for number, label in enumerate(("red", "blue", "green")):
        file = test / f"{number + 7}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes((here.parent / "set" / label / f"{label}_03.png").read_bytes())
    (test / "99.png").write_bytes(b"")
    for command in ("predict", "classify"):
        words = ("--folder", "test", "--output", f"{command}.csv", "--format", "ids")
        assert osprey(command, *words).code == 0
        rows = list(csv.reader((here / f"{command}.csv").open()))
        assert rows == [["id", "label"], ["7", "2"], ["8", "0"], ["9", "1"], ["99", ""]]


JUNGLE = ["bird", "blank", "elephant", "human"]


def clip(file: Path, frames: int, level: int) -> None:
    av = pytest.importorskip("av")
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            pixels = np.full((64, 64, 3), (level + 6 * number) % 256, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def jungle(top: Path) -> Path:
    labels = [[0], [1], [2], [3], [0], [1], [2], [3], [0, 3], []]
    rows: list[list[object]] = [["filename", *JUNGLE]]
    for number, some in enumerate(labels):
        name = f"CL{number:04d}.mp4"
        clip(top / "micro" / name, 9, 20 * number)
        rows.append([name, *(f"{float(place in some)}" for place in range(len(JUNGLE)))])
    table(top / "train_labels.csv", rows)
    table(top / "submission_format.csv", [rows[0], *([row[0], 0, 0, 0, 0] for row in rows[1:])])
    return top


def test_jungle_clips(tmp_path: Path) -> None:
    root = jungle(tmp_path / "set")
    before = sorted(root.rglob("*"))
    manifest, notices = read("jungle", root)
    assert manifest.classes == JUNGLE and len(manifest.table) == 32
    assert manifest.table["group"].nunique() == 8
    assert notices[:2] == [
        "left out, of several classes: 1 row such as 'CL0008.mp4'",
        "left out, of no class: 1 row such as 'CL0009.mp4'",
    ]
    assert notices[-1] == "4 frames of each of 8 clips (data.frames)"
    assert sorted(root.rglob("*")) == before
    first = [cv2.imread(str(manifest.root / path)) for path in manifest.table["path"][:4]]
    levels = [int(pixels.mean().round()) for pixels in first]
    assert first[0].shape == (64, 64, 3)
    np.testing.assert_allclose(levels, [0, 18, 30, 48], atol=4)  # frames 0, 3, 5, 8 of nine
    again, _ = read("jungle", root)
    assert again.root == manifest.root
    fewer, _ = read("jungle", root, "data.frames=1")
    assert len(fewer.table) == 8


def test_a_table_without_a_class(tmp_path: Path) -> None:
    root = jungle(tmp_path / "set")
    with pytest.raises(DataError) as caught:
        read("jungle", root, "data.file=submission_format.csv")
    assert str(caught.value) == (
        f"'{root / 'submission_format.csv'}': no row is of one class alone"
    )
    table(root / "odd.csv", [["filename", "bird"], ["CL0001.mp4", "1"], ["CL0002.mp4", "yes"]])
    with pytest.raises(DataError) as caught:
        read("jungle", root, "data.file=odd.csv")
    assert str(caught.value) == (
        f"'{root / 'odd.csv'}' line 3: 'bird' is not a number: each column but 'filename' must be "
        "a class, 1 or 0"
    )
    (root / "micro" / "CL0000.mp4").unlink()
    with pytest.raises(DataError) as caught:
        read("jungle", root)
    assert str(caught.value) == (
        f"'{root / 'train_labels.csv'}' lists 1 of 8 clips that are not under '{root}', first "
        "'CL0000.mp4'; is data.root right? (data.missing=skip leaves them out)"
    )
    assert len(read("jungle", root, "data.missing=skip")[0].table) == 28


def test_one_column_a_class_of_photos(tmp_path: Path) -> None:
    rows: list[list[object]] = [["image", "cat", "dog"]]
    for number in range(4):
        photo(tmp_path / "set" / "photos" / f"{number}.jpg")
        rows.append([f"{number}.jpg", number % 2, 1 - number % 2])
    file = table(tmp_path / "labels.csv", rows)
    config = train_config(
        "data=class_columns", f"data.root={tmp_path / 'set'}", f"data.file={file}"
    )
    manifest = read_manifest(config.data, [])
    assert manifest.table["path"].tolist() == [f"photos/{n}.jpg" for n in range(4)]
    assert manifest.table["label"].tolist() == ["dog", "cat", "dog", "cat"]


# ---------------------------------------------------------------- iWildCam, WILDS, fashion


def test_iwildcam(tmp_path: Path) -> None:
    root = tmp_path / "set"
    images: list[dict[str, Any]] = []
    annotations = []
    for number in range(60):
        name = f"{number:08x}-21bc-11ea-a13a-137349068a90.jpg"
        photo(root / "train" / name)
        images.append(
            {
                "id": name[:-4],
                "file_name": name,
                "location": number // 5,
                "seq_id": f"s{number // 3}",
            }
            | {"seq_num_frames": 3, "frame_num": number % 3, "width": 20, "height": 16}
            | {"datetime": "2013-06-05 05:44:19.000"}
        )
        annotations.append(
            {"id": f"a{number}", "image_id": name[:-4], "category_id": 0 if number % 2 else 2}
            | {"count": 1}
        )
    names = [
        {"id": 0, "name": "empty", "count": 30},
        {"id": 2, "name": "tayassu pecari", "count": 9},
    ]
    content = {"annotations": annotations, "images": images, "categories": names}
    (root / "iwildcam2020_train_annotations.json").write_text(json.dumps(content))
    found = prepared("iwildcam", root)
    assert found.manifest.classes == ["empty", "tayassu pecari"]
    spread = found.manifest.table.groupby("location")["split"].nunique()
    assert len(spread) == 12 and (spread == 1).all()
    (root / "train" / images[7]["file_name"]).unlink()
    with pytest.raises(DataError, match=r"\(1 of 60 are missing\); .*data.missing=skip leaves"):
        read("iwildcam", root)
    manifest, notices = read("iwildcam", root, "data.missing=skip")
    assert len(manifest.table) == 59
    skipped = f"1 photo such as '{images[7]['file_name']}'"
    assert f"left out, not there (data.missing=skip): {skipped}" in notices


def wilds(top: Path) -> Path:
    head = ["split", "location_remapped", "location", "sequence_remapped", "sequence", "year"]
    head += ["datetime", "frame_num", "image_id", "y", "filename", "category_id"]
    rows: list[list[object]] = [head]
    places = {"train": [1, 2, 3], "val": [4], "test": [5], "id_val": [1], "id_test": [2]}
    for split, some in places.items():
        for number in range(4):
            name = f"{split}-{number}.jpg"
            photo(top / "train" / name)
            y, place = number % 2, some[number % len(some)]
            rows.append([split, place, place * 7, number, "s", 2013, "2013-01-01", 0, name[:-4], y])
            rows[-1] += [name, 10 * y]
    table(top / "metadata.csv", rows)
    table(top / "categories.csv", [["y", "category_id", "name"], [0, 0, "empty"], [1, 10, "puma"]])
    return top


def test_wilds_iwildcam(tmp_path: Path) -> None:
    found = prepared("wilds_iwildcam", wilds(tmp_path / "iwildcam_v2.0"))
    assert found.manifest.counts() == {
        split: {"empty": 2, "puma": 2} for split in ("train", "val", "test")
    }
    assert found.notices == [
        "left out, of the splits id_test and id_val (places that train has too): 8 photos"
    ]
    assert found.manifest.table["path"].iloc[0] == "train/train-0.jpg"
    with pytest.raises(DataError) as caught:
        read("wilds_iwildcam", tmp_path / "iwildcam_v2.0" / "train")
    assert str(caught.value) == (
        f"there is no '{tmp_path}/iwildcam_v2.0/train/metadata.csv': data.root is the folder that "
        "holds metadata.csv"
    )


STYLES = """\
id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName
15970,Men,Apparel,Topwear,Shirts,Navy Blue,Fall,2011,Casual,Turtle Check Men Navy Blue Shirt
39386,Men,Apparel,Bottomwear,Jeans,Blue,Summer,2012,Casual,Peter England Men Party, Blue, Jeans
59263,Women,Accessories,Watches,Watches,Silver,Winter,2016,Casual,Titan Women Silver Watch
12345,Men,Apparel,Topwear,Shirts,White,Fall,2011,Casual,"Quoted, with care"
39403,Women,Apparel,Topwear,Shirts,Red,Fall,2011,Casual,Never published
"""


def test_fashion_products(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for number in (15970, 39386, 59263, 12345):
        photo(root / "images" / f"{number}.jpg")
    (root / "styles.csv").write_text(STYLES)
    manifest, notices = read("fashion_products", root)
    assert manifest.table["path"].tolist() == [
        f"images/{n}.jpg" for n in (15970, 39386, 59263, 12345)
    ]
    assert manifest.table["productDisplayName"].tolist()[1::2] == [
        "Peter England Men Party, Blue, Jeans",
        "Quoted, with care",
    ]
    assert manifest.table["label"].tolist() == ["Topwear", "Bottomwear", "Watches", "Topwear"]
    assert f"'{root / 'styles.csv'}' read with commas in the last cell of 1 lines" in notices
    assert "left out, not there (data.missing=skip): 1 photo such as '39403'" in notices
    # Seven of the published products have no name, and the archive holds the whole set twice.
    with (root / "styles.csv").open("a") as file:
        file.write("12346,Men,Apparel,Topwear,Shirts,Red,Fall,2011,Casual,\n")
    photo(root / "images" / "12346.jpg")
    shutil.copytree(root / "images", root / "myntradataset" / "images")
    named, notices = read("fashion_products", root)
    named = groups_of_set(named, recipe("fashion_products", root).data, notices)
    assert set(named.table["path"]) == set(manifest.table["path"])
    line = "left out, without 'group' (data.missing=skip): 1 photo such as 'images/12346.jpg'"
    assert line in notices
    photo(root / "myntradataset" / "images" / "12345.jpg")  # no copy any more
    with pytest.raises(DataError, match=r"'12345' may be 'images/12345\.jpg' or 'myntrada"):
        read("fashion_products", root)
    with pytest.raises(DataError) as caught:
        read("fashion_products", root, "data.open_last=false")
    assert str(caught.value) == (
        f"'{root / 'styles.csv'}' cannot be read as CSV: line 3 has 12 cells, its first line 10: "
        "put a cell with a separator in it in quotes, or add data.open_last=true if it is the last"
    )
