"""Datasets and loaders: uint8 NHWC batches, the same whichever worker makes them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import data_config, write_photo
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from osprey.data.datamodule import DataModule
from osprey.data.dataset import Batch
from osprey.data.manifest import Manifest
from osprey.data.readers import read_manifest
from osprey.imaging import Preprocess
from osprey.system.path_list import PathList

names = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    st.binary(max_size=20).map(os.fsdecode),  # names on disk are bytes, not always UTF-8
)


@given(st.lists(names, max_size=30))
@settings(max_examples=150, deadline=None)
def test_paths_come_back_as_they_went_in(paths: list[str]) -> None:
    packed = PathList(paths)
    assert len(packed) == len(paths)
    assert [packed[i] for i in range(len(packed))] == paths


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    root = tmp_path_factory.mktemp("photos")
    for split, count in (("train", 6), ("val", 5)):
        for label, level in (("dark", 20), ("light", 200)):
            for number in range(count):
                write_photo(root / split / label / f"{number}.png", level + number, (20, 30))
    return read_manifest(data_config(root), [])


def noisy(photo: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return photo[:16, :16] // 2 + rng.integers(0, 100, (16, 16, 3), dtype=np.uint8)


def module(manifest: Manifest, seed: int = 0, **changes: object) -> DataModule:
    config = data_config(manifest.root, batch_size=4, eval_batch_size=4, **changes)
    return DataModule(
        manifest, ["dark", "light"], Preprocess(size=16), config, seed=seed, augment=(noisy, 16)
    )


def test_batches_are_bytes_of_rows_columns_and_colours(manifest: Manifest) -> None:
    batches: list[Batch] = list(module(manifest, num_workers=0).train_dataloader())
    assert len(batches) == 3
    for batch in batches:
        assert batch["image"].shape == (4, 16, 16, 3)
        assert batch["image"].dtype == torch.uint8
        assert batch["target"].dtype == torch.int64
        assert batch["weight"].dtype == torch.float32
    indices = torch.cat([batch["index"] for batch in batches])
    assert sorted(indices.tolist()) == list(range(12))


def test_evaluation_is_plain_and_in_order(manifest: Manifest) -> None:
    data = module(manifest, num_workers=0)
    batches = list(data.val_dataloader())
    assert [len(batch["index"]) for batch in batches] == [4, 4, 2]
    table = data.manifest.split("val").table
    seen = 0
    for batch in batches:
        for image, target in zip(batch["image"], batch["target"], strict=True):
            path, label = table.loc[seen, ["path", "label"]]
            assert data.classes[int(target)] == label
            level = int(Path(path).stem) + (20 if label == "dark" else 200)
            assert image.unique().tolist() == [level], "the photo itself, not augmented"
            seen += 1
    assert seen == 10


def test_workers_do_not_change_the_batches(manifest: Manifest) -> None:
    alone = list(module(manifest, num_workers=0).train_dataloader())
    helped = list(module(manifest, num_workers=2).train_dataloader())
    for one, other in zip(alone, helped, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in ("image", "target", "index"))


def test_augmentation_changes_with_epoch_and_seed_and_with_nothing_else(manifest: Manifest) -> None:
    first, again, other = (module(manifest, s).dataset("train", augmented=True) for s in (0, 0, 1))
    assert torch.equal(first[0, 3]["image"], again[0, 3]["image"])
    for changed in (first[1, 3], first[0, 4], other[0, 3]):
        assert not torch.equal(first[0, 3]["image"], changed["image"])


def test_padding_is_a_photo_with_a_negative_index(manifest: Manifest) -> None:
    dataset = module(manifest).dataset("val")
    padding, real = dataset[0, -1], dataset[0, 0]
    assert padding["index"].item() == -1
    assert torch.equal(padding["image"], real["image"])


def test_weights_reach_the_batch(manifest: Manifest) -> None:
    weights = np.linspace(0, 2, len(manifest.table))
    weighted = Manifest(manifest.root, manifest.table.assign(weight=weights))
    dataset = module(weighted).dataset("train")
    got = [dataset[0, i]["weight"].item() for i in range(len(dataset))]
    assert got == pytest.approx(weighted.split("train").table["weight"].tolist())
