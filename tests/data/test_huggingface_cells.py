"""What the cells and parts of Hugging Face tables say, where they are not as expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from parquet_sets import CELL, LEAVES, photo, read, written

from osprey.errors import DataError

pa = pytest.importorskip("pyarrow")
GEAR = {"names": ["Coverall", "Mask"], "_type": "ClassLabel"}


def photos(count: int, first: int = 0) -> Any:
    return pa.array([photo(first + n, size=(200, 100)) for n in range(count)], CELL)


def test_another_column_of_classes_is_read_anew(tmp_path: Path) -> None:
    kind = {"names": ["a", "b"], "_type": "ClassLabel"}
    features = {"img": {"_type": "Image"}, "fine": kind, "coarse": kind}
    columns = {"img": photos(2), "fine": pa.array([0, 1]), "coarse": pa.array([1, 0])}
    written(tmp_path / "set" / "t.parquet", columns, features)
    for name, labels in (("coarse", ["b", "a"]), ("fine", ["a", "b"]), ("coarse", ["b", "a"])):
        found, _ = read(tmp_path / "set", tmp_path / "cache", columns={"label": name})
        assert found.table["label"].tolist() == labels
    with pytest.raises(DataError, match=r"^data.columns.label: there is no column 'fin'; did "):
        read(tmp_path / "set", tmp_path / "cache", columns={"label": "fin"})


def test_a_test_part_without_classes_is_left_out_and_told(tmp_path: Path) -> None:
    labels = pa.array([0, 1, 2], pa.int64())
    written(tmp_path / "set" / "train.parquet", {"image": photos(3), "labels": labels}, LEAVES)
    written(tmp_path / "set" / "test.parquet", {"image": photos(2, 9)}, None)
    manifest, notices = read(tmp_path / "set", tmp_path / "cache")
    assert len(manifest.table) == 3
    assert notices[-1] == "left out, without a class, in 'test': 2 photos"


def test_each_part_has_its_own_order_of_classes(tmp_path: Path) -> None:
    for split, names in (("train", ["a", "b"]), ("test", ["b", "a"])):
        kinds = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        columns = {"image": photos(2, len(split)), "label": pa.array([0, 1])}
        written(tmp_path / "set" / f"{split}.parquet", columns, kinds)
    manifest, _ = read(tmp_path / "set", tmp_path / "cache")
    assert manifest.table["label"].tolist() == ["a", "b", "b", "a"]


def test_photos_of_several_classes_are_left_out_and_told(tmp_path: Path) -> None:
    kinds = {"image": {"_type": "Image"}, "labels": {"feature": GEAR, "_type": "Sequence"}}
    columns = {"image": photos(4), "labels": pa.array([[0], [1], [0, 1], []])}
    written(tmp_path / "set" / "train.parquet", columns, kinds)
    manifest, notices = read(tmp_path / "set", tmp_path / "cache")
    assert manifest.table["label"].tolist() == ["Coverall", "Mask"]
    assert "left out, of several classes, in 'train': 1 photo" in notices
    assert "left out, without a class, in 'train': 1 photo" in notices


def test_boxes_and_their_classes_in_columns_of_their_own(tmp_path: Path) -> None:
    boxes = pa.array([[[1.0, 2, 30, 40], [5.0, 5, 9, 9]], []])
    columns = {"image": photos(2), "bbox": boxes, "labels": pa.array([["cup", "fork"], []])}
    written(tmp_path / "set" / "train.parquet", columns, None)
    manifest, _ = read(tmp_path / "set", tmp_path / "cache")
    assert manifest.boxes(0)[1] == ["cup", "fork"] and len(manifest.boxes(1)[1]) == 0


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"bbox": [[1.0, 2, 3]], "category": ["a"]}, "the box [1.0, 2.0, 3.0] is not four numbers"),
        ({"bbox": [[1.0, 2, 3, float("nan")]], "category": ["a"]}, "the box [1.0, 2.0, 3.0, nan]"),
        ({"bbox": [[1.0, 2, 3, 4]], "category": ["a", "b"]}, "a photo with 1 boxes and 2 classes"),
    ],
)
def test_boxes_that_are_none(tmp_path: Path, cell: dict[str, Any], message: str) -> None:
    columns = {"image": photos(1), "objects": pa.array([cell])}
    written(tmp_path / "set" / "train.parquet", columns, None)
    with pytest.raises(DataError) as caught:
        read(tmp_path / "set", tmp_path / "cache")
    assert str(caught.value).startswith(f"'{tmp_path / 'set'}': {message}")


def test_objects_without_a_box_are_counted(tmp_path: Path) -> None:
    cell = {"bbox": [[1.0, 2, 30, 40], None], "category": ["a", "b"]}
    columns = {"image": photos(1), "objects": pa.array([cell])}
    written(tmp_path / "set" / "train.parquet", columns, None)
    manifest, notices = read(tmp_path / "set", tmp_path / "cache")
    assert manifest.boxes(0)[1] == ["a"] and notices[-1] == "left out, without a box: 1 object"


def test_a_column_of_splits_counts_before_the_files_names(tmp_path: Path) -> None:
    splits = ["train", "test", "restval"]
    columns = {"image": photos(3), "label": pa.array(["a", "b", "a"]), "split": pa.array(splits)}
    written(tmp_path / "set" / "train.parquet", columns, None)
    with pytest.raises(DataError, match=r"unknown split 'restval'.*data.split_names='\{restval:"):
        read(tmp_path / "set", tmp_path / "cache")
    said = {"restval": "train"}
    manifest, notices = read(tmp_path / "set", tmp_path / "cache", split_names=said)
    assert manifest.table["split"].tolist() == ["train", "test", "train"]
    assert notices[-1] == f"splits of '{tmp_path / 'set'}' are those of its column 'split'"


def test_a_column_that_holds_no_classes(tmp_path: Path) -> None:
    columns = {"image": photos(1), "label": pa.array(["a"])}
    written(tmp_path / "set" / "train.parquet", columns, None)
    with pytest.raises(DataError) as caught:
        read(tmp_path / "set", tmp_path / "cache", columns={"label": "image"})
    assert str(caught.value) == (
        f"'{tmp_path / 'set'}': column 'image' holds no classes: data.columns.label=COLUMN names "
        "another"
    )


def test_folders_of_several_subsets_are_told(tmp_path: Path) -> None:
    for place, name in enumerate(("small", "large")):
        columns = {"image": photos(2, 9 * place), "label": pa.array(["a", "b"])}
        written(tmp_path / "set" / name / "train" / "0000.parquet", columns, None)
    _, notices = read(tmp_path / "set", tmp_path / "cache")
    assert notices[-1] == (
        "Parquet files of 2 folders are read as one set: 'large' and 'small' "
        f"(data.root={tmp_path / 'set' / 'small'} reads one alone)"
    )


def test_what_save_to_disk_writes(tmp_path: Path) -> None:
    (tmp_path / "set" / "train").mkdir(parents=True)
    (tmp_path / "set" / "train" / "data-00000-of-00001.arrow").write_bytes(b"")
    with pytest.raises(DataError, match="holds Arrow files, as save_to_disk writes them: write"):
        read(tmp_path / "set", tmp_path / "cache")


def test_a_source_of_a_join(here: Path, osprey: Any) -> None:
    for name, first in (("one", 0), ("two", 120)):
        shades = pa.array([photo(first + 256 * 12 * n) for n in range(8)], CELL)
        columns = {"image": shades, "labels": pa.array([0, 1] * 4, pa.int64())}
        written(here / name / "train.parquet", columns, LEAVES)
    sources = ",".join(
        f"{{data: huggingface, name: {n}, root: {here / n}}}" for n in ("one", "two")
    )
    words = (f"data.sources=[{sources}]", f"paths.cache={here / 'cache'}", "output=split.csv")
    result = osprey("split", "data=join", "data.test_fraction=0.25", *words)
    assert result.code == 0, result.err
    assert "data    16 photos of 2 classes" in result.out
