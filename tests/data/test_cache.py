"""Cached photos are the same photos: bit for bit, after every change, in every process."""

from __future__ import annotations

import csv
import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from conftest import TIMES, TINY, Result, environment, only_run
from helpers import data_config, write_photo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osprey.augmentation import Policy
from osprey.data import caching, disk_cache
from osprey.data.cache import PhotoCache, Source, fill, memory_file
from osprey.data.datamodule import DataModule
from osprey.data.disk_cache import DiskCache
from osprey.data.folder_reader import read_folder
from osprey.data.manifest import Manifest
from osprey.data.stamps import file_stamps
from osprey.errors import DataError, UnreadableImage
from osprey.imaging import Preprocess
from osprey.system import memory as room

SIZES = ((20, 30), (31, 17), (16, 16), (90, 150), (300, 40))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Photos of many sizes and both kinds, some large enough to be shrunk."""
    rng = np.random.default_rng(0)
    for number in range(12):
        size = SIZES[number % len(SIZES)]
        noise = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
        suffix = "jpg" if number % 3 else "png"
        for split in ("train", "val"):
            path = tmp_path / "set" / split / "ab"[number % 2] / f"{number}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), noise)
    return tmp_path / "set"


def module(root: Path, folder: Path, said: list[str] | None = None, **changes: Any) -> DataModule:
    config = data_config(root, batch_size=4, eval_batch_size=5, **{"num_workers": 0, **changes})
    manifest = read_folder(config, [])
    preprocess = Preprocess(size=16, resize="crop", crop_pct=0.8)
    policy = Policy([{"RandomResizedCrop": {"scale": [0.3, 1.0]}}, "HorizontalFlip"], preprocess)
    return DataModule(
        manifest,
        manifest.classes,
        preprocess,
        config,
        seed=3,
        augment=(policy, policy.decode_side()),
        cache=folder,
        say=said.append if said is not None else lambda line: None,
    )


def batches(data: DataModule, epochs: int = 2) -> list[dict[str, torch.Tensor]]:
    data.setup("fit")
    loader = data.train_dataloader()
    found: list[Any] = []
    for epoch in range(epochs):
        loader.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]
        found += loader
    return [*found, *data.val_dataloader()]


def same(one: list[dict[str, torch.Tensor]], other: list[dict[str, torch.Tensor]]) -> bool:
    return len(one) == len(other) and all(
        a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_cached_batches_are_the_uncached(root: Path, tmp_path: Path, workers: int) -> None:
    plain = batches(module(root, tmp_path / "cache"))
    for kind in ("ram", "disk", "disk"):  # the second time from what was kept
        cached = module(root, tmp_path / "cache", cache=kind, num_workers=workers)
        assert same(batches(cached), plain), kind


def test_a_cached_photo_is_read_from_no_file(root: Path, tmp_path: Path) -> None:
    data = module(root, tmp_path / "cache", cache="ram")
    plain = batches(module(root, tmp_path / "cache"))
    data.setup("fit")
    for file in root.rglob("*.*g"):
        file.unlink()
    assert same(batches(data), plain), "and a loader built anew does not build the cache anew"


sizes = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=40)


@given(sizes, st.integers(0, 2**31))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_photos_come_back_as_they_went_in(
    tmp_path: Path, shapes: list[tuple[int, int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    photos = [rng.integers(0, 255, (*shape, 3), dtype=np.uint8) for shape in shapes]
    stamps = np.arange(len(photos), dtype=np.uint64)
    source = Source("train", len(photos), photos.__getitem__, stamps, "")
    place = DiskCache(tmp_path, tmp_path / str(seed), source)
    place.build(lambda: None)
    kept = place.open()
    assert isinstance(kept, PhotoCache)
    for cache in (fill(source, memory_file(), lambda: None), kept):
        assert len(cache) == len(photos)
        assert cache.size == sum(photo.nbytes for photo in photos)
        for row, photo in enumerate(photos):
            assert np.array_equal(cache[row], photo)
            assert not cache[row].flags.writeable


def test_a_process_that_was_spawned_maps_the_same_memory() -> None:
    photos = [np.full((2, 3, 3), level, np.uint8) for level in (1, 2)]
    source = Source("train", 2, photos.__getitem__, np.zeros(2, np.uint64), "")
    cache = fill(source, memory_file(), lambda: None)
    packed = pickle.dumps(cache)
    assert len(packed) < 2000
    reader = "import pickle, sys; c = pickle.load(sys.stdin.buffer); print(c[0].sum(), c[1].sum())"
    done = subprocess.run(
        [sys.executable, "-c", reader],
        input=packed,
        capture_output=True,
        env=environment(),
        check=True,
    )
    assert done.stdout.split() == [b"18", b"36"]


@pytest.mark.parametrize("size", [10**4, 10**12])
def test_other_ranks_share_what_the_first_made_or_failed_at(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(caching, "free_memory", lambda: size)
    sent: list[Any] = []

    def broadcast(made: Any) -> Any:
        sent.append(made)
        return sent[0]

    found = []
    for rank in (0, 1):
        data = module(root, tmp_path, cache="ram")
        strategy = SimpleNamespace(broadcast=broadcast)
        data.trainer = SimpleNamespace(global_rank=rank, world_size=2, strategy=strategy)  # type: ignore[assignment]
        try:
            data.setup("fit")
            found.append(data.dataset("train", augmented=True)[0, 5]["image"].tolist())
        except DataError as error:
            found.append(str(error))
    assert found[0] == found[1]
    assert isinstance(found[0], str) == (size == 10**4)
    assert not sent[1], "the second made nothing"


def test_memory_is_given_back(root: Path, tmp_path: Path) -> None:
    def held() -> int:
        gc.collect()
        links = (os.path.join("/proc/self/fd", x) for x in os.listdir("/proc/self/fd"))
        return sum("osprey-photos" in os.readlink(x) for x in links if os.path.islink(x))

    before = held()
    data = module(root, tmp_path, cache="ram")
    data.setup("fit")
    assert held() == before + 2
    del data
    assert held() == before


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "photos").iterdir())


def built(root: Path, folder: Path) -> list[str]:
    """Cache on disk, compare with the truth, and return what was said."""
    said: list[str] = []
    cached = batches(module(root, folder, said, cache="disk"))
    assert same(cached, batches(module(root, folder)))
    return said


def test_the_second_run_decodes_nothing(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    (first,) = built(root, folder)
    assert first.startswith("cache   24 photos decoded in ")
    files = kept(folder)
    (again,) = built(root, folder)
    assert again.startswith("cache   24 photos decoded earlier, ")
    assert kept(folder) == files
    assert len(files) == 4, "an index and its photos for each split"


def test_changed_files_are_decoded_anew(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    built(root, folder)
    photos = sorted((root / "train").rglob("*.png"))
    write_photo(photos[1], 7, (50, 50))
    os.utime(photos[2], ns=(1, 1))
    assert built(root, folder)[0] == "cache   built anew: 2 photos changed"
    assert len(kept(folder)) == 4, "what was kept before is replaced"
    photos[0].unlink()
    write_photo(root / "val" / "a" / "new.png", 9)
    (other,) = built(root, folder)
    assert other.startswith("cache   24 photos decoded in "), "other photos, none of them changed"


def test_folds_have_sets_of_their_own_and_the_last_used_are_kept(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fold(number: int) -> str:
        said: list[str] = []
        data = module(root, tmp_path / "cache", said, cache="disk")
        splits = np.where(np.arange(24) % 3 == number, "val", "train")
        data.manifest = Manifest(root, data.manifest.table.assign(split=splits))
        data.setup("fit")
        (line,) = said
        return line.removeprefix("cache   24 photos decoded ")[:7]

    def used_at(second: int) -> None:
        for file in kept(tmp_path / "cache"):
            if file.stat().st_mtime > 1000 and file.suffix == ".npz":
                os.utime(file, (second, second))

    monkeypatch.setattr(disk_cache, "_SETS", 4)
    for number in (0, 1):
        assert fold(number).startswith("in ")
        used_at(number + 1)
    assert [fold(1), fold(0)] == ["earlier"] * 2
    used_at(9)
    assert fold(0) == "earlier", "used last, though made first"
    assert fold(2).startswith("in ")
    assert len(kept(tmp_path / "cache")) == 8
    assert [fold(0), fold(2)] == ["earlier"] * 2
    assert fold(1).startswith("in ")


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def _scramble(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("which", "damage", "why"),
    [
        (".bin", _cut, "it was cut short"),
        (".bin", Path.unlink, "its photos were gone"),
        (".npz", _cut, "its index was damaged"),
        (".npz", _scramble, "its index was damaged"),
        (".npz", lambda file: file.write_bytes(b""), "its index was damaged"),
    ],
)
def test_damage_is_mended(
    root: Path, tmp_path: Path, which: str, damage: Callable[[Path], Any], why: str
) -> None:
    folder = tmp_path / "cache"
    built(root, folder)
    for file in kept(folder):
        if file.suffix == which:
            damage(file)
    assert built(root, folder)[0] == f"cache   built anew: {why}"
    assert built(root, folder)[0].startswith("cache   24 photos decoded earlier")


def test_another_size_is_another_cache(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    built(root, folder)
    data = module(root, folder, cache="disk")
    data.preprocess = Preprocess(size=20)
    plain = module(root, folder)
    plain.preprocess = data.preprocess
    assert same(batches(data), batches(plain))
    assert built(root, folder)[0].startswith("cache   24 photos decoded earlier")


def test_two_who_build_at_once_both_end_right(root: Path, tmp_path: Path) -> None:
    table = read_folder(data_config(root), []).split("train").table
    photos = [np.full((4, 4, 3), level, np.uint8) for level in range(len(table))]

    def place(read: Callable[[int], Any]) -> DiskCache:
        stamps = file_stamps(root, table["path"])
        return DiskCache(tmp_path, root, Source("train", len(photos), read, stamps, ""))

    second: list[PhotoCache] = []

    def read(row: int) -> Any:  # half-way through, another process begins and ends
        if row == 6:
            second.append(place(photos.__getitem__).build(lambda: None))
        return photos[row]

    caches = [place(read).build(lambda: None), *second, place(read).open()]
    for cache in caches:
        assert isinstance(cache, PhotoCache)
        assert all(np.array_equal(cache[i], photo) for i, photo in enumerate(photos))


@pytest.mark.parametrize("kind", ["ram", "disk"])
def test_too_large(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    reader = "free_memory" if kind == "ram" else "free_disk"
    monkeypatch.setattr(caching, reader, lambda *_: 20_000)
    with pytest.raises(DataError) as caught:
        module(root, tmp_path, cache=kind).setup("fit")
    way = "disk or none" if kind == "ram" else "none, another paths.cache"
    line = str(caught.value)
    assert line.startswith(f"data.cache={kind}: 24 photos need about 0.1 MB and 0.0 MB are free:")
    assert line.endswith(f": use data.cache={way}, or a smaller data.size")


@pytest.mark.parametrize("kind", ["ram", "disk"])
def test_room_that_vanishes_meanwhile(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    reader = "free_memory" if kind == "ram" else "free_disk"
    left = iter([1 << 40, 1 << 40])
    monkeypatch.setattr(caching, reader, lambda *_: next(left, 10_000_000))
    with pytest.raises(DataError, match=r"only 10.0 MB were left while the photos were decoded"):
        module(root, tmp_path / "cache", cache=kind).setup("fit")
    if kind == "disk":
        assert [file.suffix for file in kept(tmp_path / "cache")] == [".bin", ".npz"], "train alone"


def test_an_unreadable_photo_leaves_nothing_behind(root: Path, tmp_path: Path) -> None:
    (root / "train" / "a" / "10.jpg").write_bytes(b"\xff\xd8 cut")
    with pytest.raises(UnreadableImage):
        module(root, tmp_path / "cache", cache="disk").setup("fit")
    assert kept(tmp_path / "cache") == []


def test_a_full_disk(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("osprey.data.disk_cache.np.savez", full)
    with pytest.raises(DataError, match=r"cannot write to '.*' \(No space left on device\)"):
        module(root, tmp_path / "cache", cache="disk").setup("fit")
    assert kept(tmp_path / "cache") == []


def test_large_photos_are_bounded_in_training_alone(root: Path, tmp_path: Path) -> None:
    write_photo(root / "train" / "a" / "0.png", 100, (2000, 1000))
    data = module(root, tmp_path)
    row = data.manifest.split("train").table["path"].tolist().index("train/a/0.png")
    assert data.dataset("train", augmented=True).photo(row).shape == (128, 64, 3)
    assert data.dataset("train").photo(row).shape == (2000, 1000, 3)


LIMITS = {
    "version 2": ("0::/box", "box", "memory.max", "memory.current", "inactive_file"),
    "version 1": (
        "4:cpu,memory:/box",
        "memory/box",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
}


@pytest.mark.parametrize("version", LIMITS)
def test_a_container_s_limit_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    line, folder, limit, usage, droppable = LIMITS[version]
    group = tmp_path / folder
    group.mkdir(parents=True)
    (tmp_path / "self").write_text(f"7:pids:/\n{line}\n")
    (group / usage).write_text("600\n")
    (group / "memory.stat").write_text(f"{droppable} 100\nother 5\n")
    monkeypatch.setattr(room, "_CGROUP", tmp_path)
    monkeypatch.setattr(room, "_MEMBERSHIP", tmp_path / "self")
    (group / limit).write_text("1000\n")
    assert room.free_memory() == 500
    (group / limit).write_text("max\n")
    assert (room.free_memory() or 0) > 500


def figures(folder: Path) -> list[dict[str, str]]:
    with (only_run(folder) / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]


def test_a_cache_changes_no_figure(
    osprey: Callable[..., Result],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    photos: Path,
) -> None:
    words = ["train", "data=folder", f"data.root={photos}", "model=simple_cnn", *TINY]
    found = []
    for kind in ("none", "ram", "disk"):
        folder = here / kind
        folder.mkdir()
        monkeypatch.chdir(folder)
        result = osprey(*words, "augmentation=light", f"data.cache={kind}")
        assert result.code == 0, result.err
        assert ("cache   " in result.out) == (kind != "none")
        found.append(figures(folder))
    assert found[0] == found[1] == found[2]


def test_where_nothing_may_be_written(
    osprey: Callable[..., Result], here: Path, photos: Path
) -> None:
    words = ["train", "data=folder", f"data.root={photos}", *TINY, "data.cache=disk"]
    (here / "file").touch()
    result = osprey(*words, f"paths.cache={here / 'file'}")
    assert (result.code, result.err) == (
        2,
        f"osprey train: data.cache=disk: cannot write to '{here}/file/photos' (Not a directory): "
        "name another folder with paths.cache=FOLDER, or use data.cache=ram or none\n",
    )
    result = osprey(*words, f"paths.cache={photos}/cache")
    assert (result.code, result.err) == (
        2,
        f"osprey train: paths.cache: '{photos}/cache' lies inside data.root '{photos}', where "
        "nothing is written: run the command elsewhere, or name a folder with "
        "paths.cache=FOLDER\n",
    )
    assert not (photos / "cache").exists()
    assert not list(here.glob("runs/*/*"))


def test_manifests_stay_their_own(root: Path, tmp_path: Path) -> None:
    data = module(root, tmp_path, cache="ram")
    data.setup("fit")
    other = DataModule(
        Manifest(root, data.manifest.table), data.classes, Preprocess(size=16), data.config
    )
    assert other.dataset("val").cache is None
