"""Batches of photos with boxes: how samples become one, and how it travels between processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import default_collate

from osprey.imaging.boxes import Boxes


class BoxBatch(TypedDict):
    """What a loader of photos with boxes yields.

    ``image`` uint8 [B, S, S, 3]; ``boxes`` B tensors float32 [n, 4], corners in pixels of the
    input; ``labels`` B tensors int64 [n]; ``size`` int64 [B, 2], width and height of the photo;
    ``weight`` float32 [B]; ``index`` int64 [B], the row in the split, or -1 for padding that must
    not be counted.
    """

    image: Tensor
    boxes: list[Tensor]
    labels: list[Tensor]
    size: Tensor
    weight: Tensor
    index: Tensor


class BoxSample(TypedDict):
    """One row of a `BoxBatch`, as the dataset gives it."""

    image: Tensor
    boxes: Boxes
    labels: NDArray[np.int64]
    size: NDArray[np.int64]
    weight: np.float32
    index: np.int64


class _Flat(dict[str, Any]):
    """A `BoxBatch` whose boxes are pickled as one array.

    Each tensor on its own would take a file descriptor, of which there are few, and longer
    than the rest of the batch.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        rest = {key: self[key] for key in self if key not in ("boxes", "labels")}
        boxes, labels = torch.cat(self["boxes"]).numpy(), torch.cat(self["labels"]).numpy()
        return _batch, (rest, boxes, labels, [len(x) for x in self["labels"]])


def _batch(
    rest: dict[str, Tensor], boxes: Boxes, labels: NDArray[np.int64], counts: list[int]
) -> BoxBatch:
    parts = {
        "boxes": list(torch.split(torch.from_numpy(boxes), counts)),
        "labels": list(torch.split(torch.from_numpy(labels), counts)),
    }
    return cast("BoxBatch", _Flat({**rest, **parts}))


def collate_boxes(samples: Sequence[BoxSample]) -> BoxBatch:
    """Collate samples to a batch.

    Args:
        samples: Rows of a `BoxDataset`, all images of one size.

    Returns:
        The batch; boxes and labels stay one tensor per photo.
    """
    rest = {
        "image": default_collate([sample["image"] for sample in samples]),
        "size": torch.from_numpy(np.stack([sample["size"] for sample in samples])),
        "weight": torch.from_numpy(np.array([sample["weight"] for sample in samples])),
        "index": torch.from_numpy(np.array([sample["index"] for sample in samples])),
    }
    boxes = np.concatenate([sample["boxes"] for sample in samples])
    labels = np.concatenate([sample["labels"] for sample in samples])
    return _batch(rest, boxes, labels, [len(sample["labels"]) for sample in samples])
