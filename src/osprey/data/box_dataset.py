"""Photos as uint8 arrays, and the boxes marked on each."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch.utils.data import Dataset

from osprey.data.box_batch import BoxSample, collate_boxes
from osprey.data.dataset import Decoding, Photos, in_pieces, own_tensor
from osprey.data.manifest import Manifest
from osprey.data.sampler import Key
from osprey.imaging import Preprocess
from osprey.imaging.boxes import Boxes


class Labelled(NamedTuple):
    """A photo and what is marked on it.

    Attributes:
        image: uint8 [H, W, 3].
        boxes: float32 [N, 4], corners in pixels of ``image``.
        labels: int64 [N], class ids.
    """

    image: NDArray[np.uint8]
    boxes: Boxes
    labels: NDArray[np.int64]


class LabelledPhotos(Protocol):
    """Photos by their row, as augmentation draws them."""

    def __len__(self) -> int: ...

    def labelled(self, row: int) -> Labelled:
        """One photo as decoded, with its boxes."""


# From all photos of the split, the row whose turn it is and a seed to a model's input.
BoxTransform = Callable[[LabelledPhotos, int, int], Labelled]


class BoxLists:
    """The boxes of many photos in three arrays, which forked workers share.

    Args:
        texts: For each photo, JSON ``[[label, x, y, w, h], ...]``, pixels from the top left.
        classes: Class names, numbered in this order.
    """

    def __init__(self, texts: Iterable[str], classes: Sequence[str]) -> None:
        number = {name: i for i, name in enumerate(classes)}
        corners, labels, ends = array("f"), array("i"), array("q", [0])
        for text in texts:
            for label, x, y, width, height in json.loads(text):
                corners.extend((x, y, x + width, y + height))
                labels.append(number[label])
            ends.append(len(labels))
        self._corners = np.array(corners, dtype=np.float32).reshape(-1, 4)
        self._labels = np.array(labels, dtype=np.int32)
        self._ends = np.array(ends, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, row: int) -> tuple[Boxes, NDArray[np.int64]]:
        """One photo's boxes, float32 [N, 4] corners, and class ids, int64 [N]."""
        part = slice(self._ends[row], self._ends[row + 1])
        return self._corners[part], self._labels[part].astype(np.int64)


class BoxDataset(Photos, Dataset[BoxSample]):
    """One split of a manifest with boxes.

    Args:
        manifest: The split's samples, with `BoxTarget`'s columns.
        classes: Class names in the order of the model's outputs.
        preprocess: How a photo becomes model input without augmentation.
        augment: Makes model inputs for training, or None.
        ready: The cache holds photos as ``preprocess`` leaves them.
        decoding: What `Photos` takes.
    """

    collate = staticmethod(collate_boxes)

    def __init__(
        self,
        manifest: Manifest,
        classes: Sequence[str],
        preprocess: Preprocess,
        *,
        augment: BoxTransform | None = None,
        ready: bool = False,
        **decoding: Unpack[Decoding],
    ) -> None:
        super().__init__(manifest, **decoding)
        table = manifest.table
        self.sizes = table[["width", "height"]].to_numpy(dtype=np.int64)
        self.boxes = BoxLists(in_pieces(table["boxes"]), classes)
        # One word a photo (its rarest class), for samplers that draw some photos more often.
        self.targets = pd.factorize(table["label"])[0].astype(np.int64)
        self.preprocess = preprocess
        self.augment = augment
        self.ready = ready

    def __getitem__(self, key: Key) -> BoxSample:
        epoch, index = key
        row = max(index, 0)  # padding repeats the first photo and is not counted
        if self.augment is None:
            image, boxes, labels = self._as_in_production(row)
        else:
            image, boxes, labels = self.augment(self, row, self.seed_of(epoch, row))
        return {
            "image": own_tensor(image),
            "boxes": boxes,
            "labels": labels,
            "size": self.sizes[row],
            "weight": self.weights[row],
            "index": np.int64(index),
        }

    def labelled(self, row: int) -> Labelled:
        """One photo as decoded, which may be smaller than the file says, with its boxes."""
        image = self.photo(row)
        boxes, labels = self.boxes[row]
        scales = np.array(image.shape[1::-1]) / self.sizes[row]
        return Labelled(image, (boxes * np.tile(scales, 2)).astype(np.float32), labels)

    def _as_in_production(self, row: int) -> Labelled:
        photo = self.photo(row)
        boxes, labels = self.boxes[row]
        width, height = self.sizes[row].tolist()
        placed = self.preprocess.place(height, width).to_input(boxes)
        return Labelled(photo if self.ready else self.preprocess(photo), placed, labels)
