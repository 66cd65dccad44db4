"""Sets that torchvision fetches: read where they lie, fetched where they do not."""

from __future__ import annotations

import hashlib
import pickle
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import Result
from helpers import train_config
from test_layouts import photo, prepared, read

from osprey.data.readers import read_manifest
from osprey.errors import DataError

Call = Callable[..., Result]


def pets(root: Path) -> None:
    lines: dict[str, list[str]] = {"trainval": [], "test": []}
    for number, breed in enumerate(("Abyssinian", "american_bulldog"), 1):
        for place in range(8):
            photo(root / "oxford-iiit-pet" / "images" / f"{breed}_{place}.jpg")
            part = "trainval" if place < 6 else "test"
            lines[part].append(f"{breed}_{place} {number} {number} 1")
    for part, some in lines.items():
        file = root / "oxford-iiit-pet" / "annotations" / f"{part}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(some) + "\n")


def flowers(root: Path) -> None:
    from scipy.io import savemat

    for number in range(1, 13):
        photo(root / "flowers-102" / "jpg" / f"image_{number:05d}.jpg")
    labels = np.array([[1 + number % 2 for number in range(12)]], dtype=np.uint8)
    savemat(root / "flowers-102" / "imagelabels.mat", {"labels": labels})
    parts = {"trnid": [[1, 2, 3, 4]], "valid": [[5, 6]], "tstid": [[7, 8, 9, 10, 11, 12]]}
    savemat(root / "flowers-102" / "setid.mat", {k: np.array(v) for k, v in parts.items()})


def food(root: Path) -> None:
    for split, each in (("train", 4), ("test", 2)):
        names = [f"{dish}/{split}{n}" for dish in ("apple_pie", "waffles") for n in range(each)]
        for name in names:
            photo(root / "food-101" / "images" / f"{name}.jpg")
        file = root / "food-101" / "meta" / f"{split}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(names) + "\n")


def eurosat(root: Path) -> None:
    for name in ("AnnualCrop", "Forest"):
        for number in range(8):
            photo(root / "eurosat" / "2750" / name / f"{name}_{number}.jpg", (64, 64))


@pytest.mark.parametrize(
    ("name", "make", "classes", "given"),
    [
        ("oxford_pets", pets, ["Abyssinian", "american_bulldog"], {"train": 12, "test": 4}),
        ("flowers102", flowers, None, {"train": 4, "val": 2, "test": 6}),
        ("food101", food, ["apple_pie", "waffles"], {"train": 8, "test": 4}),
        ("eurosat", eurosat, ["AnnualCrop", "Forest"], {"": 16}),
    ],
)
def test_sets_that_lie_here(
    tmp_path: Path, name: str, make: Callable[[Path], None], classes: Any, given: dict[str, int]
) -> None:
    make(tmp_path / "set")
    manifest, notices = read(name, tmp_path / "set")
    assert manifest.table["split"].value_counts().to_dict() == given and notices == []
    assert len(manifest.classes) == 2 and manifest.classes == (classes or manifest.classes)
    assert all((manifest.root / path).is_file() for path in manifest.table["path"])
    from_there, _ = read(name, manifest.root)  # as a finished run names it
    assert from_there.table.equals(manifest.table)
    assert len(prepared(name, tmp_path / "set").manifest.table) == sum(given.values())


def test_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pickles are read by torchvision alone, after it has checked their digests."""
    datasets = pytest.importorskip("torchvision").datasets
    folder = tmp_path / "set" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)

    def stored(name: str, content: object) -> list[str]:
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    def batch(count: int) -> dict[str, object]:
        pixels = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
        return {"data": pixels, "labels": [n % 2 for n in range(count)]}

    digests = stored("batches.meta", {"label_names": ["airplane", "automobile"]})
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [stored("data_batch_1", one := batch(8))])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [stored("test_batch", batch(4))])
    meta = {"filename": digests[0], "key": "label_names", "md5": digests[1]}
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)
    manifest, notices = read("cifar10", tmp_path / "set")
    assert manifest.table["split"].value_counts().to_dict() == {"train": 8, "test": 4}
    assert manifest.table["label"].tolist()[:3] == ["airplane", "automobile", "airplane"]
    first = cv2.imread(str(manifest.root / manifest.table["path"].iloc[0]))[..., ::-1]
    np.testing.assert_array_equal(first, one["data"][0].reshape(3, 32, 32).transpose(1, 2, 0))  # type: ignore[index]
    assert notices == [f"unpacked 12 photos of 'cifar10' to '{manifest.root}'"]
    (folder / "data_batch_1").write_bytes(b"changed")  # what is no longer torchvision's is not read
    with pytest.raises(DataError, match=r"^'.*cifar-10-batches-py' is not whole, as torchvision's"):
        read("cifar10", tmp_path / "set", f"data.unpacked={tmp_path / 'other'}")


def test_a_set_is_fetched_only_where_it_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("torchvision").datasets
    asked: list[str] = []

    class Fetching:
        def __init__(self, root: str, download: bool) -> None:
            asked.append(root)
            pets(Path(root))

    monkeypatch.setattr(datasets, "OxfordIIITPet", Fetching)
    words = ("experiment=oxford_pets", f"paths.cache={tmp_path}")
    for _ in range(2):
        manifest = read_manifest(train_config(*words).data, [])
        assert len(manifest.table) == 16
        assert manifest.root == tmp_path / "torchvision" / "oxford_pets" / "oxford-iiit-pet"
    assert asked == [str(tmp_path / "torchvision" / "oxford_pets" / ".partial")]


def test_without_a_network_one_line(
    here: Path, osprey: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object, **__: object) -> object:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", closed)
    for key in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(key, raising=False)
    result = osprey("split", "experiment=eurosat", "output=split.csv")
    assert "split: data=torchvision: 'eurosat' cannot be fetched, there is no network" in result.err
    result = osprey("train", "experiment=eurosat")
    assert result.code == 2
    assert result.err == (
        "osprey train: data=torchvision: 'eurosat' cannot be fetched, there is no network: "
        "data.root=FOLDER names a folder that holds 'eurosat'\n"
    )


def test_a_folder_without_the_set(tmp_path: Path) -> None:
    photo(tmp_path / "set" / "x.jpg")
    with pytest.raises(DataError) as caught:
        read("oxford_pets", tmp_path / "set")
    assert str(caught.value) == (
        f"'{tmp_path / 'set'}' is not 'oxford_pets' as torchvision lays it out "
        f"('{tmp_path}/set/annotations/trainval.txt' cannot be read (No such file or directory)): "
        "leave data.root out, and it is fetched"
    )
    with pytest.raises(DataError) as caught:
        read("oxford_pets", tmp_path / "set", "data.name=oxford_pet")
    assert str(caught.value) == (
        "data.name: torchvision's 'oxford_pet' is not known here; did you mean 'oxford_pets'? "
        "(one of oxford_pets, flowers102, food101, eurosat, cifar10)"
    )
