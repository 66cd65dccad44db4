"""data=huggingface from Parquet files here, and the one line where there is no network."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY, Result
from parquet_sets import CELL, LEAVES, NAMES, photo, read, written

from osprey.config.schema import DataConfig
from osprey.data.manifest import Manifest
from osprey.data.readers import read_manifest
from osprey.errors import DataError

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

Call = Callable[..., Result]


def leaves(root: Path) -> Path:
    """As the set of bean leaves lies on the hub: a file a split, four photos a class in train."""
    shade = 0
    for split, each in (("train", 4), ("validation", 2), ("test", 1)):
        labels = [number for number in range(3) for _ in range(each)]
        photos = [photo(shade + i, "PNG" if i % 2 else "JPEG") for i in range(len(labels))]
        shade += len(labels)
        columns = {"image": pa.array(photos, CELL), "labels": pa.array(labels, pa.int64())}
        written(root / "data" / f"{split}-00000-of-00001.parquet", columns, LEAVES)
    return root


def test_classes_by_their_names_and_splits_by_theirs(tmp_path: Path) -> None:
    root = leaves(tmp_path / "leaves")
    before = sorted(root.rglob("*"))
    manifest, notices = read(root, tmp_path / "cache")
    assert manifest.counts() == {
        split: {name: each for name in NAMES}
        for split, each in (("train", 4), ("val", 2), ("test", 1))
    }
    assert notices == [f"unpacked 21 photos of '{root}' to '{manifest.root}'"]
    assert manifest.root.parent == tmp_path / "cache" and sorted(root.rglob("*")) == before
    first = manifest.root / manifest.table["path"].iloc[0]
    assert first.read_bytes() == photo(0)["bytes"] and first.suffix == ".jpg"
    assert manifest.table["path"].iloc[1].endswith(".png")


def test_photos_are_written_once_and_anew_where_a_file_has_changed(tmp_path: Path) -> None:
    root = leaves(tmp_path / "leaves")
    manifest, _ = read(root, tmp_path / "cache")
    again, notices = read(root, tmp_path / "cache")
    assert again.root == manifest.root and notices == []
    from_there, _ = read(manifest.root, tmp_path / "other")  # as a finished run names it
    assert from_there.table.equals(manifest.table) and not (tmp_path / "other").exists()
    (root / "data" / "test-00000-of-00001.parquet").unlink()
    fewer, _ = read(root, tmp_path / "cache")
    assert fewer.root != manifest.root and len(fewer.table) == 18


def test_of_two_processes_that_unpack_one_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = leaves(tmp_path / "leaves")
    manifest, _ = read(root, tmp_path / "cache")
    moved = manifest.root.rename(tmp_path / "aside")
    from osprey.data import unpacked

    def late(samples: Any, folder: Path) -> Any:
        yield from unpacked_rows(samples, folder)
        moved.rename(manifest.root)  # the other one is done

    unpacked_rows = unpacked._written
    monkeypatch.setattr(unpacked, "_written", late)
    again, notices = read(root, tmp_path / "cache")
    assert again.table.equals(manifest.table) and notices == []
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [manifest.root.name]


def test_rows_without_a_class_are_counted(tmp_path: Path) -> None:
    columns = {
        "image": pa.array([photo(n) for n in range(4)] + [None], CELL),
        "labels": pa.array([0, 1, -1, None, 2], pa.int64()),
    }
    written(tmp_path / "set" / "train.parquet", columns, LEAVES)
    for _ in range(2):  # also where the photos lie there already
        manifest, notices = read(tmp_path / "set", tmp_path / "cache")
        assert manifest.table["label"].tolist() == ["healthy", "rust"]
        assert notices[-2:] == [
            "left out, without a class, in 'train': 2 photos",
            "left out, without a photo: 1 photo",
        ]


def test_columns_by_name_without_types(tmp_path: Path) -> None:
    photos = [photo(n)["bytes"] for n in range(3)]
    written(tmp_path / "set" / "all.parquet", {"img": photos, "species": ["a", "b", "b"]}, None)
    manifest, _ = read(tmp_path / "set", tmp_path / "cache")
    assert manifest.table["label"].tolist() == ["a", "b", "b"]
    assert manifest.table["split"].tolist() == ["", "", ""]


def test_several_classes_are_asked_about(tmp_path: Path) -> None:
    kind = {"names": ["a", "b"], "_type": "ClassLabel"}
    features = {"img": {"_type": "Image"}, "fine_label": kind, "coarse_label": kind}
    numbers = pa.array([0, 1], pa.int64())
    columns = {"img": pa.array([photo(1), photo(2)], CELL), "fine_label": numbers}
    written(tmp_path / "set" / "t.parquet", columns | {"coarse_label": numbers}, features)
    with pytest.raises(DataError) as caught:
        read(tmp_path / "set", tmp_path / "cache")
    assert str(caught.value) == (
        f"'{tmp_path / 'set'}': fine_label and coarse_label may be meant: choose with "
        "data.columns.label=fine_label"
    )
    assert not list((tmp_path / "cache").iterdir())  # nothing half-written
    found, _ = read(tmp_path / "set", tmp_path / "cache", columns={"label": "coarse_label"})
    assert found.classes == ["a", "b"]
    with pytest.raises(DataError, match=r"^data.columns.label: there is no column 'coarse'; did "):
        read(tmp_path / "set", tmp_path / "cache2", columns={"label": "coarse"})


def boxes(tmp_path: Path, cells: list[Any], features: Any) -> tuple[Manifest, list[str]]:
    columns = {"image": pa.array([photo(n, size=(200, 100)) for n in range(2)], CELL)}
    kinds = {"image": {"_type": "Image"}, "objects": features}
    file = tmp_path / "set" / "train-00000-of-00001.parquet"
    written(file, columns | {"objects": pa.array(cells)}, kinds)
    return read(tmp_path / "set", tmp_path / "cache")


GEAR = {"names": ["Coverall", "Mask"], "_type": "ClassLabel"}
NUMBER = {"dtype": "float32", "_type": "Value"}


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([[10, 20, 30, 40], [0, 0, 200, 100]], ""),
        ([[10, 20, 40, 60], [100, 60, 180, 90], [120, 50, 190, 99]], "corners, x1, y1, x2, y2: "),
        ([[0.05, 0.2, 0.15, 0.4], [0, 0, 1, 1]], "fractions of the photo: x, y, w, h"),
    ],
    ids=["sides", "corners", "fractions"],
)
def test_boxes_in_any_form(tmp_path: Path, rows: list[list[float]], line: str) -> None:
    cells = [
        {
            "bbox": [[float(v) for v in row] for row in rows],
            "category": [1] + [0] * (len(rows) - 1),
        },
        {"bbox": [], "category": []},
    ]
    nested = {"feature": {"bbox": {"feature": NUMBER, "_type": "Sequence"}, "category": GEAR}}
    manifest, notices = boxes(tmp_path, cells, {**nested, "_type": "Sequence"})
    assert manifest.classes == ["Coverall", "Mask"] and len(manifest.table) == 2
    corners, names = manifest.boxes(0)
    assert names[0] == "Mask"
    np.testing.assert_allclose(corners[0], [10, 20, 40, 60], atol=1e-3)
    assert manifest.table[["width", "height"]].to_numpy().tolist() == [[200, 100]] * 2
    told = [notice for notice in notices if "read as" in notice]
    assert [line in notice for notice in told] == ([True] if line else [])


def test_boxes_as_a_list_of_objects(tmp_path: Path) -> None:
    cells = [[{"bbox": [1.0, 2, 30, 40], "category": "cup"}], []]
    manifest, _ = boxes(tmp_path, cells, [{"bbox": [NUMBER], "category": {"_type": "Value"}}])
    assert manifest.boxes(0)[1] == ["cup"]


def test_a_path_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(photo(1)["bytes"])
    cells = [{"bytes": None, "path": "../secret.jpg"}]
    columns = {"image": pa.array(cells, CELL), "labels": pa.array([0], pa.int64())}
    written(tmp_path / "set" / "train.parquet", columns, LEAVES)
    with pytest.raises(DataError) as caught:
        read(tmp_path / "set", tmp_path / "cache")
    assert str(caught.value) == (
        f"a photo's path '../secret.jpg' leads out of '{tmp_path / 'set'}'"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: None, "data.root: there is no Parquet file under '{}'; leave data.root out "
         "for a set of the hub, data.name=NAME"),
        (lambda root: (root / "x.parquet").write_bytes(b"PAR1 no"),
         "'{}/x.parquet' is not a Parquet file ("),
    ],
)  # fmt: skip
def test_folders_without_a_set(
    here: Path, osprey: Call, make: Callable[[Path], object], message: str
) -> None:
    root = here.parent / "set"
    root.mkdir()
    make(root)
    result = osprey("train", "data=huggingface", "data.name=beans", f"data.root={root}")
    assert result.code == 2
    assert result.err.startswith("osprey train: " + message.format(root))
    assert result.err.count("\n") == 1


OFFLINE = (
    "osprey train: data=huggingface: 'nobody/no-such-set' cannot be fetched, there is no "
    "network: data.root=FOLDER reads the set's Parquet files from a folder\n"
)


@pytest.mark.slow  # the hub's client tries again and again
def test_without_a_network_one_line(
    here: Path, osprey: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datasets")

    def closed(*_: object, **__: object) -> object:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", closed)
    result = osprey("train", "data=huggingface", "data.name=nobody/no-such-set")
    assert (result.code, result.err) == (2, OFFLINE)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("ConnectionError", OFFLINE),
        ("DatasetNotFoundError", "osprey train: data=huggingface: the hub has no set "
         "'nobody/no-such-set' that may be read without a login\n"),
        ("scripts", "osprey train: data=huggingface: 'nobody/no-such-set' is a program, not data, "
         "and no code of the hub's is run here\n"),
    ],
)  # fmt: skip
def test_what_the_hub_refuses_is_one_line(
    here: Path, osprey: Call, monkeypatch: pytest.MonkeyPatch, error: str, message: str
) -> None:
    datasets = pytest.importorskip("datasets")
    raised = {
        "ConnectionError": ConnectionError("Couldn't reach\nthe hub"),
        "DatasetNotFoundError": datasets.exceptions.DatasetNotFoundError("not there"),
        "scripts": RuntimeError("Dataset scripts are no longer supported, but found x.py"),
    }

    def load(*_: object) -> object:
        raise raised[error]

    monkeypatch.setattr(datasets, "load_dataset", load)
    result = osprey("train", "data=huggingface", "data.name=nobody/no-such-set")
    assert (result.code, result.err) == (2, message)


def test_the_hubs_own_reader_gives_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `load_dataset` returns, here of the files that it would have fetched."""
    datasets = pytest.importorskip("datasets")
    root = leaves(tmp_path / "leaves")
    files = {name: str(next(root.rglob(f"{name}-*"))) for name in ("train", "validation", "test")}
    whole = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "hf"))
    monkeypatch.setattr(datasets, "load_dataset", lambda *_: whole)
    config = DataConfig(
        name="user/beans", reader="huggingface", root="", unpacked=str(tmp_path / "cache")
    )
    manifest = read_manifest(config, [])
    expected, _ = read(root, tmp_path / "cache")
    assert manifest.table.equals(expected.table)
    assert manifest.root == tmp_path / "cache" / "hub-user--beans"


@pytest.mark.slow  # a training
def test_train_and_eval(here: Path, osprey: Call) -> None:
    root = leaves(here.parent / "leaves")
    words = ["data=huggingface", "data.name=user/beans", f"data.root={root}", *TINY]
    result = osprey("train", *words, "trainer.max_epochs=1")
    assert result.code == 0, result.err
    assert "data    user/beans: train 12, val 6, test 3 photos of 3 classes" in result.out
    assert (here / "runs" / "user-beans-simple_cnn").is_dir()
    assert osprey("eval", "run=latest").code == 0


def test_neither_a_name_nor_a_folder(osprey: Call) -> None:
    result = osprey("split", "data=huggingface", "output=m.csv")
    assert (result.code, result.err) == (
        2,
        "osprey split: data.name is not set: data.name=NAME is a set of Hugging Face's hub, "
        "data.root=FOLDER one of Parquet files\n",
    )
