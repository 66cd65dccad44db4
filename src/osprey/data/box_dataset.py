"""Photos as uint8 arrays, and the boxes marked on each."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch.utils.data import Dataset

from osprey.data.box_batch import BoxSample, collate_boxes
from osprey.data.dataset import Decoding, Photos, in_pieces, own_tensor
from osprey.data.labelled import Labelled
from osprey.data.manifest import Manifest
from osprey.data.sampler import Key
from osprey.imaging import Preprocess
from osprey.imaging.boxes import Boxes


class LabelledPhotos(Protocol):
    """Photos by row, as augmentation samples them."""

    def __len__(self) -> int: ...

    def labelled(self, row: int) -> Labelled:
        """One photo as decoded, with its boxes.

        Args:
            row: Row of the split.

        Returns:
            uint8 [H, W, 3], and boxes in its pixels.
        """


# From all photos of the split, a row, a seed and the fraction of training done to a model's input.
BoxTransform = Callable[[LabelledPhotos, int, int, float], Labelled]


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
        augment: Makes model inputs for training, or None.
        ready: The cache holds photos that ``preprocess`` has already resized.
        decoding: Keyword arguments of `Photos`.
        manifest: The split's samples, with `BoxTarget`'s columns.
        classes: Class names in the order of the model's outputs.
        preprocess: How a photo becomes model input without augmentation.
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
        # One class per photo (its rarest), for samplers that draw some photos more often.
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
            done = epoch / self.epochs if self.epochs else 0.0
            image, boxes, labels = self.augment(self, row, self.seed_of(epoch, row), done)
        return {
            "image": own_tensor(image),
            "boxes": boxes,
            "labels": labels,
            "size": self.sizes[row],
            "weight": self.weights[row],
            "index": np.int64(index),
        }

    def labelled(self, row: int) -> Labelled:
        """One photo as decoded, with its boxes.

        A JPEG may be decoded at a reduced scale; boxes are scaled with it.

        Args:
            row: Row of the split.

        Returns:
            uint8 [H, W, 3], float32 [N, 4] corners in its pixels, int64 [N].

        Raises:
            UnreadableImage: The file cannot be decoded.
        """
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
