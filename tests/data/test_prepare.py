"""From the data section to samples that can be trained on; unreadable files are found and named."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from helpers import data_config, write_photo

from osprey.data import check
from osprey.data.check import check_files
from osprey.data.prepare import prepare
from osprey.errors import DataError


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Name, size and time of everything under a folder."""
    stats = {str(p): p.stat() for p in folder.rglob("*")}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten photos a class, three of them broken in their own ways."""
    for darkest, label in ((40, "cat"), (140, "dog")):
        for number in range(10):
            file = tmp_path / "set" / label / f"{number}.jpg"
            write_photo(file, darkest + 10 * number, size=(48, 64))
    folder = tmp_path / "set" / "cat"
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.png").write_text("<html>404</html>")
    whole = (folder / "0.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    return tmp_path / "set"


def unreadable(root: Path, paths: list[str], cache: Path) -> set[str]:
    return set(check_files(root, paths, cache).unreadable)


BROKEN = {"cat/empty.jpg", "cat/text.png", "cat/cut.jpg"}


def test_broken_files_are_left_out_with_their_reasons(root: Path, tmp_path: Path) -> None:
    before = state_of(root)
    prepared = prepare(data_config(root), tmp_path / "cache")
    assert set(prepared.unreadable) == BROKEN
    assert all(reason and "\n" not in reason for reason in prepared.unreadable.values())
    assert len(set(prepared.unreadable.values())) == 3, "each file has a reason of its own"
    assert not BROKEN & set(prepared.manifest.table["path"])
    assert len(prepared.manifest.table) == 20
    assert set(prepared.manifest.table["split"]) == {"train", "val", "test"}
    assert state_of(root) == before, "nothing may be written into the data folder"


def test_the_check_can_be_turned_off(root: Path, tmp_path: Path) -> None:
    prepared = prepare(data_config(root, check_files=False), tmp_path / "cache")
    assert prepared.unreadable == {}
    assert set(prepared.manifest.table["path"]) >= BROKEN
    assert not (tmp_path / "cache").exists()
    assert "sha256" not in prepared.manifest.table, "no file was read"


def test_an_answer_is_remembered_until_a_file_changes(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []
    look_at = check._look_at
    monkeypatch.setattr(check, "_look_at", lambda *read: looked.append(read[1]) or look_at(*read))
    paths = sorted(str(p.relative_to(root)) for p in root.rglob("*.*"))
    first = check_files(root, paths, tmp_path / "cache")
    assert set(first.unreadable) == BROKEN
    assert len(looked) == len(paths)
    again = check_files(root, paths, tmp_path / "cache")
    assert again.unreadable == first.unreadable
    np.testing.assert_array_equal(again.digests, first.digests)
    assert len(looked) == len(paths), "the second time nothing is decoded and nothing hashed"
    write_photo(root / "cat" / "cut.jpg")  # mended
    assert unreadable(root, paths, tmp_path / "cache") == BROKEN - {"cat/cut.jpg"}
    stat = os.stat(root / "dog" / "0.jpg")
    (root / "dog" / "0.jpg").write_bytes(b"x" * stat.st_size)  # broken, of the same size
    os.utime(root / "dog" / "0.jpg", ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert "dog/0.jpg" in unreadable(root, paths, tmp_path / "cache")


def test_the_digest_is_that_of_the_files_bytes(root: Path, tmp_path: Path) -> None:
    prepared = prepare(data_config(root), tmp_path / "cache")
    for path, digest in prepared.manifest.table[["path", "sha256"]].itertuples(index=False):
        assert digest == hashlib.sha256((root / path).read_bytes()).hexdigest()
    paths = [f"dog/{n % 10}.jpg" for n in range(200)]  # more than a thread takes at once
    digests = check_files(root, paths, tmp_path / "cache").digests
    assert digests.shape == (200, 32) and digests.dtype == np.uint8
    np.testing.assert_array_equal(digests[:10], digests[130:140])
    assert len(np.unique(digests, axis=0)) == 10


def test_files_that_are_gone_are_told(root: Path, tmp_path: Path) -> None:
    assert unreadable(root, ["cat/0.jpg", "gone.jpg"], tmp_path / "c") == {"gone.jpg"}


def test_a_damaged_or_unwritable_cache_costs_nothing_but_time(root: Path, tmp_path: Path) -> None:
    check_files(root, ["cat/empty.jpg"], tmp_path / "cache")
    (kept,) = (tmp_path / "cache" / "checked").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    assert unreadable(root, ["cat/empty.jpg"], tmp_path / "cache") == {"cat/empty.jpg"}
    file = write_photo(tmp_path / "file.png")  # a cache folder cannot be made here
    assert unreadable(root, ["cat/empty.jpg"], file) == {"cat/empty.jpg"}


def test_nothing_readable(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/2.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True)
        (tmp_path / "set" / name).write_bytes(b"nothing")
    with pytest.raises(DataError) as caught:
        prepare(data_config(tmp_path / "set"), tmp_path / "cache")
    assert str(caught.value) == (
        f"none of the 2 photos under '{tmp_path}/set' can be read; the first, "
        f"{tmp_path}/set/a/1.png: is not a picture Osprey can read (JPEG, PNG, WebP, BMP, TIFF, "
        "GIF, PNM, AVIF, JPEG 2000 or HEIC)"
    )


def test_only_some_classes(root: Path, tmp_path: Path) -> None:
    write_photo(root / "fox" / "1.png")
    config = data_config(root, classes=["cat", "dog"])
    assert prepare(config, tmp_path / "cache").manifest.classes == ["cat", "dog"]
    with pytest.raises(DataError) as caught:
        prepare(data_config(root, classes=["cat", "dgo"]), tmp_path / "cache")
    assert str(caught.value) == "data.classes: no photo is labelled 'dgo'; did you mean 'dog'?"


def test_overfitting_takes_the_same_few_everywhere(root: Path, tmp_path: Path) -> None:
    manifest = prepare(data_config(root, overfit=4), tmp_path / "cache").manifest
    train, val, test = (manifest.split(name).table["path"].tolist() for name in manifest.counts())
    assert train == val == test
    assert len(set(train)) == 4
    assert manifest.counts()["train"] == {"cat": 2, "dog": 2}


def test_groups_of_a_table_are_kept_together(root: Path, tmp_path: Path) -> None:
    rows = [f"{label}/{n}.jpg,{label},trip{n // 2}" for label in ("cat", "dog") for n in range(10)]
    (root / "t.csv").write_text("\n".join(["path,label,group", *rows]))
    table = prepare(data_config(root, "table", file="t.csv"), tmp_path / "cache").manifest.table
    assert set(table["split"]) == {"train", "val", "test"}
    assert (table.groupby("group")["split"].nunique() == 1).all()
    assert table["group"].nunique() == 5


def test_a_column_of_the_users_own_called_labels_removes_nothing(tmp_path: Path) -> None:
    rows = []
    for number in range(12):
        write_photo(tmp_path / "set" / f"{number}.png", level=number)
        rows.append(f'{number}.png,{"ab"[number % 2]},"[""day"", ""net""]"\n')
    (tmp_path / "set" / "t.csv").write_text("path,label,labels\n" + "".join(rows))
    config = data_config(tmp_path / "set", "table", file="t.csv", check_files=False)
    done = prepare(config, tmp_path / "cache")
    assert len(done.manifest.table) == 12
    assert not [line for line in done.notices if "several labels" in line]
