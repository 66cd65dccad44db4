"""Loader processes that are spawned, not forked, as on macOS, Windows and Python 3.14."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
from conftest import make_photos

from osprey.augmentation import Policy
from osprey.config.compose import CONFIG_DIR
from osprey.config.schema import DataConfig
from osprey.data.datamodule import DataModule
from osprey.data.folder_reader import read_folder
from osprey.imaging import Preprocess


def test_datasets_travel_by_pickle(tmp_path: Path) -> None:
    assert CONFIG_DIR.is_dir()
    config = DataConfig(reader="folder", root=str(make_photos(tmp_path / "photos", per_class=2)))
    manifest = read_folder(config, [])
    manifest.table["split"] = "train"
    preprocess = Preprocess(size=16)
    policy = Policy(["HorizontalFlip"], preprocess)
    data = DataModule(manifest, manifest.classes, preprocess, config, augment=(policy, 16))
    data.trainer = lambda: None  # type: ignore[assignment]  # what must never travel along
    for augmented in (False, True):
        dataset = data.dataset("train", augmented=augmented)
        packed = pickle.dumps(dataset)
        assert len(packed) < 20_000
        again = pickle.loads(packed)
        for index in range(len(dataset)):
            ours, theirs = dataset[(3, index)]["image"], again[(3, index)]["image"]
            assert np.array_equal(ours.numpy(), theirs.numpy())
