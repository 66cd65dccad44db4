"""Photos with boxes: the same batches from any number of workers, with a cache or without."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from helpers import data_config, train_config
from hypothesis import given, settings
from hypothesis import strategies as st

from osprey.data.box_dataset import BoxLists, LabelledPhotos
from osprey.data.datamodule import DataModule
from osprey.data.labelled import Labelled
from osprey.data.manifest import Manifest, complete
from osprey.imaging import Preprocess
from osprey.tasks.loading import make_data
from osprey.tasks.settings import DataSettings

CLASSES = ["cod", "eel"]
COUNTS = {"train": 10, "val": 7, "test": 3}


def paint(path: Path, size: tuple[int, int], boxes: list[list[Any]]) -> None:
    """A dark photo with a bright rectangle where each box is."""
    width, height = size
    pixels = np.full((height, width, 3), 30, np.uint8)
    for _, x, y, w, h in boxes:
        pixels[y : y + h, x : x + w] = 220
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 98])


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Photos of several sizes, 0 to 3 boxes each, one of them large enough to decode small."""
    root, rng, rows = tmp_path_factory.mktemp("boxes"), np.random.default_rng(0), []
    for split, count in COUNTS.items():
        for number in range(count):
            size = (400, 600) if number == 1 else (80 + number, 60)
            boxes = []
            for _ in range(number % 4):
                x, y = rng.integers(0, size[0] - 30), rng.integers(0, size[1] - 30)
                w, h = rng.integers(10, 30, 2)
                boxes.append([CLASSES[number % 2], *map(int, (x, y, w, h))])
            path = f"{split}/{number}.jpg"
            paint(root / path, size, boxes)
            label = boxes[0][0] if boxes else "nothing"
            rows.append((path, split, label, *size, json.dumps(boxes)))
    columns = ["path", "split", "label", "width", "height", "boxes"]
    return complete(pd.DataFrame(rows, columns=columns), root, "photos")


def mirrored(photos: LabelledPhotos, row: int, seed: int, done: float) -> Labelled:
    """An augmentation that needs seed, row and boxes; input side 40."""
    image, boxes, labels = photos.labelled(row)
    scale = 40 / np.array(image.shape[1::-1])
    boxes = (boxes * np.tile(scale, 2)).astype(np.float32)
    image = cv2.resize(image, (40, 40))
    if seed % 2:
        image, boxes = (
            image[:, ::-1].copy(),
            (boxes * [-1, 1, -1, 1])[:, [2, 1, 0, 3]] + [40, 0, 40, 0],
        )
    return Labelled(image, boxes.astype(np.float32), labels)


def module(
    manifest: Manifest, tmp_path: Path, resize: str = "letterbox", **changes: Any
) -> DataModule:
    config = data_config(manifest.root, batch_size=4, eval_batch_size=4, **changes)
    preprocess = Preprocess(size=40, resize=resize)
    return DataModule(
        manifest, CLASSES, preprocess, config,
        augment=(mirrored, 40), cache=tmp_path / "cache", say=lambda _: None,
    )  # fmt: skip


def batches(data: DataModule) -> list[Any]:
    data.setup("fit")
    return [*data.train_dataloader(), *data.val_dataloader()]


def same(some: list[Any], others: list[Any]) -> bool:
    def equal(one: Any, other: Any) -> bool:
        if isinstance(one, list):
            return len(one) == len(other) and all(map(torch.equal, one, other))
        return torch.equal(one, other)

    return len(some) == len(others) and all(
        equal(one[key], other[key]) for one, other in zip(some, others, strict=True) for key in one
    )


def test_batches_are_what_they_say(manifest: Manifest, tmp_path: Path) -> None:
    found = list(module(manifest, tmp_path, num_workers=0).train_dataloader())
    assert len(found) == 2
    for batch in found:
        assert list(batch) == ["image", "size", "weight", "index", "boxes", "labels"]
        assert batch["image"].shape == (4, 40, 40, 3)
        assert batch["image"].dtype == torch.uint8
        assert batch["size"].shape == (4, 2)
        assert (batch["size"].dtype, batch["index"].dtype) == (torch.int64, torch.int64)
        assert batch["weight"].dtype == torch.float32
        assert len(batch["boxes"]) == len(batch["labels"]) == 4
        for row, boxes, labels in zip(batch["index"], batch["boxes"], batch["labels"], strict=True):
            truth = json.loads(manifest.split("train").table["boxes"][int(row)])
            assert boxes.shape == (len(truth), 4)
            assert (boxes.dtype, labels.dtype) == (torch.float32, torch.int64)
            assert [CLASSES[i] for i in labels] == [label for label, *_ in truth]


@pytest.mark.parametrize("resize", ["squash", "letterbox"])
def test_evaluation_boxes_lie_round_what_they_mark(
    manifest: Manifest, tmp_path: Path, resize: str
) -> None:
    found = list(module(manifest, tmp_path, resize, num_workers=0).val_dataloader())
    assert [batch["index"].tolist() for batch in found] == [[0, 1, 2, 3], [4, 5, 6]]
    assert found[0]["size"].tolist() == [[80, 60], [400, 600], [82, 60], [83, 60]]
    boxes_seen = 0
    for batch in found:
        for image, boxes in zip(batch["image"].numpy(), batch["boxes"], strict=True):
            inside = np.zeros((40, 40), bool)
            for x, y, x2, y2 in boxes.numpy():
                middle = image[int((y + y2) / 2), int((x + x2) / 2)]
                assert middle.min() > 180
                inside[int(y) : int(np.ceil(y2)), int(x) : int(np.ceil(x2))] = True
                boxes_seen += 1
            assert (
                image[~cv2.dilate(inside.astype(np.uint8), np.ones((3, 3))).astype(bool)].max()
                < 125
            )
    assert boxes_seen == sum(map(len, map(json.loads, manifest.split("val").table["boxes"])))


@pytest.mark.parametrize("changes", [{"num_workers": 2}, {"cache": "ram"}, {"cache": "disk"}])
def test_workers_and_caches_change_no_number(
    manifest: Manifest, tmp_path: Path, changes: dict[str, Any]
) -> None:
    plain = batches(module(manifest, tmp_path, num_workers=0))
    data = module(manifest, tmp_path, **{"num_workers": 0, **changes})
    assert same(batches(data), plain)
    assert (data.dataset("val").cache is not None) == ("cache" in changes)


def test_a_run_goes_on_in_mid_epoch_with_the_same_batches(
    manifest: Manifest, tmp_path: Path
) -> None:
    whole = module(manifest, tmp_path, num_workers=0).train_dataloader()
    again = module(manifest, tmp_path, num_workers=0).train_dataloader()
    again.batch_sampler.start = 1  # type: ignore[union-attr]
    assert same(list(again), list(whole)[1:])
    again.batch_sampler.set_epoch(1)  # type: ignore[union-attr]
    assert not same(list(again), list(whole))


def test_padding_and_pickle(manifest: Manifest, tmp_path: Path) -> None:
    dataset = module(manifest, tmp_path).dataset("val")
    assert dataset[0, -1]["index"] == -1
    assert torch.equal(dataset[0, -1]["image"], dataset[0, 0]["image"])
    copied = pickle.loads(pickle.dumps(dataset))
    for row in range(len(dataset)):
        one, other = dataset[0, row], copied[0, row]
        assert all(np.array_equal(one[key], other[key]) for key in one)  # type: ignore[literal-required]


def test_a_sampler_draws_by_the_label_of_the_photo(manifest: Manifest, tmp_path: Path) -> None:
    data = module(manifest, tmp_path, num_workers=0, sampler="balanced")
    labels = manifest.split("train").table["label"]
    targets = data.dataset("train").targets
    assert pd.Series(targets).groupby(labels).nunique().tolist() == [1] * labels.nunique()
    assert len(set(targets)) == labels.nunique()
    assert len(list(data.train_dataloader())) == 2


def test_a_configuration_makes_loaders_with_mosaics(manifest: Manifest, tmp_path: Path) -> None:
    words = ["augmentation=detection_strong", "data.num_workers=0", "data.batch_size=4"]
    words += ["task=detection", "model=fcos"]
    config = train_config("data=folder", f"data.root={manifest.root}", *words)
    found = []
    for cache in ("none", "ram"):
        config.data.cache = cache
        found.append(
            batches(make_data(DataSettings.from_config(config), manifest, Preprocess(size=32)))
        )
    assert same(*found)
    for batch in found[0]:
        assert batch["image"].shape[1:] == (32, 32, 3)
        assert all(((boxes >= 0) & (boxes <= 32)).all() for boxes in batch["boxes"])


def test_the_trainers_last_epochs_have_no_mosaics(manifest: Manifest, tmp_path: Path) -> None:
    words = ["data.num_workers=0", "data.batch_size=4", "task=detection", "model=fcos"]
    words += ["augmentation=none", "augmentation.mosaic=1", "augmentation.mosaic_until=0.5"]
    config = train_config("data=folder", f"data.root={manifest.root}", *words)
    module = make_data(DataSettings.from_config(config), manifest, Preprocess(size=32))
    module.trainer = pl.Trainer(max_epochs=4, logger=False, enable_checkpointing=False)
    dataset = module.train_dataloader().dataset
    plain = module.dataset("train")
    for epoch, expected in enumerate((False, False, True, True)):
        alike = np.array_equal(dataset[epoch, 3]["image"], plain[0, 3]["image"])
        assert alike == expected, epoch


sides = st.floats(0, 1000, width=32)
photos_of_boxes = st.lists(
    st.lists(st.tuples(st.sampled_from(CLASSES), sides, sides, sides, sides), max_size=4),
    max_size=9,
)


@given(photos_of_boxes)
@settings(max_examples=100, deadline=None)
def test_box_lists_give_back_each_photos_boxes(photos: list[list[tuple[Any, ...]]]) -> None:
    lists = BoxLists(map(json.dumps, photos), CLASSES)
    assert len(lists) == len(photos)
    for row, truth in enumerate(photos):
        boxes, labels = lists[row]
        assert [CLASSES[i] for i in labels] == [box[0] for box in truth]
        assert boxes.shape == (len(truth), 4)
        assert (boxes.dtype, labels.dtype) == (np.float32, np.int64)
        wanted = [(x, y, x + w, y + h) for _, x, y, w, h in truth]
        np.testing.assert_array_equal(boxes, np.array(wanted, np.float32).reshape(-1, 4))
