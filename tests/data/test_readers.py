"""The folder reader: whatever lies on disk becomes a manifest, or one line that says why not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers import data_config, write_photo

from osprey.data.manifest import Manifest
from osprey.data.readers import READERS, read_manifest
from osprey.errors import DataError


def read(root: Path, *, data: str = "folder", **changes: object) -> tuple[Manifest, list[str]]:
    notices: list[str] = []
    return read_manifest(data_config(root, data, **changes), notices), notices


def refusal(root: Path | str, *, data: str = "folder", **changes: object) -> str:
    with pytest.raises(DataError) as caught:
        read_manifest(data_config(root, data, **changes), [])
    return str(caught.value)


def rows(manifest: Manifest) -> set[tuple[str, str, str]]:
    table = manifest.table
    return set(zip(table["path"], table["split"], table["label"], strict=True))


def make(root: Path, *names: str) -> Path:
    for name in names:
        write_photo(root / name)
    return root


def test_class_folders_without_splits(tmp_path: Path) -> None:
    manifest, notices = read(make(tmp_path, "cat/1.png", "cat/2.JPG", "dog/3.jpeg"))
    assert rows(manifest) == {
        ("cat/1.png", "", "cat"), ("cat/2.JPG", "", "cat"), ("dog/3.jpeg", "", "dog")
    }  # fmt: skip
    assert manifest.classes == ["cat", "dog"]
    assert notices == []
    assert set(manifest.table["weight"]) == {1.0}


@pytest.mark.parametrize("name", ["val", "Val", "valid", "validation", "VALIDATION", "dev"])
def test_whatever_the_validation_folder_is_called(tmp_path: Path, name: str) -> None:
    manifest, _ = read(make(tmp_path, "train/cat/1.png", f"{name}/cat/2.png", "Testing/dog/3.png"))
    assert rows(manifest) == {
        ("train/cat/1.png", "train", "cat"),
        (f"{name}/cat/2.png", "val", "cat"),
        ("Testing/dog/3.png", "test", "dog"),
    }


def test_folders_inside_class_folders_belong_to_the_class(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/night/cam 1/1.png", "train/cat/2.png", "val/dog/val/3.png")
    assert rows(read(tmp_path)[0]) == {
        ("train/cat/night/cam 1/1.png", "train", "cat"),
        ("train/cat/2.png", "train", "cat"),
        ("val/dog/val/3.png", "val", "dog"),
    }


def test_other_folders_beside_the_splits_are_left_out_and_named(tmp_path: Path) -> None:
    make(tmp_path, "train/a/1.png", "val/b/2.png", "kids/a/3.png", "extra/4.png")
    manifest, notices = read(tmp_path)
    assert {path for path, _, _ in rows(manifest)} == {"train/a/1.png", "val/b/2.png"}
    assert notices == ["left out, neither train, val nor test: extra, kids"]


def test_junk_is_told_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "a/1.png", "b/2.png", "a/.hidden.png", ".trash/a/3.png", "__MACOSX/a/._1.png")
    make(tmp_path, "__MACOSX/a/1.png", "@eaDir/a/1.png")
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "b" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "a" / "notes.txt").write_bytes(b"x")
    manifest, notices = read(tmp_path)
    assert {path for path, _, _ in rows(manifest)} == {"a/1.png", "b/2.png"}
    junk = tmp_path / "a" / "notes.txt"
    assert notices == [f"left out, not photos: 1 file such as '{junk}'"]


def test_loose_photos_beside_class_folders(tmp_path: Path) -> None:
    manifest, notices = read(make(tmp_path, "a/1.png", "b/2.png", "3.png"))
    assert len(manifest.table) == 2
    loose = tmp_path / "3.png"
    assert notices == [f"left out, in no class folder: 1 photo such as '{loose}'"]


def test_nothing_but_loose_photos(tmp_path: Path) -> None:
    make(tmp_path, "1.png", "2.png")
    assert refusal(tmp_path) == (
        f"photos lie directly in '{tmp_path}': put those of each class into a folder "
        "named after it, give a table with data.reader=table data.file=labels.csv, or, where "
        r"names say the class, a pattern such as data.label='(?P<label>[A-Za-z]+)_\d+'"
    )


def test_links_are_followed_but_never_in_a_circle(tmp_path: Path) -> None:
    make(tmp_path / "store", "1.png")
    make(tmp_path / "set", "cat/2.png", "cat/deep/3.png")
    (tmp_path / "set" / "dog").symlink_to(tmp_path / "store")
    (tmp_path / "set" / "cat" / "deep" / "loop").symlink_to(tmp_path / "set" / "cat")
    (tmp_path / "set" / "cat" / "self").symlink_to(tmp_path / "set")
    manifest, _ = read(tmp_path / "set")
    assert {path for path, _, _ in rows(manifest)} == {"dog/1.png", "cat/2.png", "cat/deep/3.png"}


def test_a_link_to_the_root_brings_no_validation_photos_into_train(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/1.png", "val/cat/2.png")
    (tmp_path / "train" / "cat" / "loop").symlink_to(tmp_path)
    assert rows(read(tmp_path)[0]) == {
        ("train/cat/1.png", "train", "cat"), ("val/cat/2.png", "val", "cat")
    }  # fmt: skip


def test_odd_names_come_back_as_they_are(tmp_path: Path) -> None:
    names = ["a b, c.png", "Größe.png", "two\nlines.png", 'a "quote".png', "100%.png", "魚.png"]
    make(tmp_path, *(f"Säge, rot/{name}" for name in names), "b/1.png")
    manifest, _ = read(tmp_path)
    assert {path for path, _, _ in rows(manifest)} == {f"Säge, rot/{n}" for n in names} | {
        "b/1.png"
    }
    manifest.write(tmp_path / "manifest.csv")
    again, _ = read(tmp_path, data="table", file="manifest.csv")
    assert rows(again) == rows(manifest)
    assert again.digest() == manifest.digest()


def test_names_that_are_no_text_are_left_out_and_told(tmp_path: Path) -> None:
    make(tmp_path, "a/1.png", "b/2.png", os.fsdecode(b"a/latin-\xe9.png"))
    manifest, notices = read(tmp_path)
    assert {path for path, _, _ in rows(manifest)} == {"a/1.png", "b/2.png"}
    name = f"{tmp_path}/a/latin-\N{REPLACEMENT CHARACTER}.png"
    assert notices == [f"left out, names not in UTF-8: 1 photo such as '{name}'"]
    (tmp_path / os.fsdecode(b"a/caf\xe9.txt")).write_text("")
    for notice in read(tmp_path)[1]:
        notice.encode()  # or printing it would fail


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    assert refusal(tmp_path).startswith(f"no photos under '{tmp_path}' (looked for .")
    assert refusal(tmp_path / "cart") == (
        f"data.root: there is no folder '{tmp_path}/cart'; did you mean 'cat'?"
    )
    assert refusal(tmp_path / "no" / "such") == (
        f"data.root: there is no folder '{tmp_path}/no/such' "
        f"(nor is there a folder '{tmp_path}/no')"
    )
    file = write_photo(tmp_path / "one.png")
    assert refusal(file) == f"data.root: '{file}' is a file, not a folder"


def test_unknown_reader(tmp_path: Path) -> None:
    assert refusal(tmp_path, reader="foldr") == (
        f"unknown data.reader 'foldr'; did you mean 'folder'? (one of auto, {', '.join(READERS)})"
    )
