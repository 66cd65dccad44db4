"""Photos as uint8 arrays, targets as class indices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Required, TypedDict, Unpack

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from osprey.data.cache import PhotoCache
from osprey.data.manifest import Manifest
from osprey.data.sampler import Key
from osprey.imaging import Preprocess, read_image, resized
from osprey.imaging.deep import Range
from osprey.system.path_list import PathList

Transform = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]


class Batch(TypedDict):
    """What a loader yields.

    ``image`` uint8 [B, S, S, 3]; ``target`` int64 [B]; ``weight`` float32 [B];
    ``index`` int64 [B], the row in the split, or -1 for padding that must not be counted.
    """

    image: Tensor
    target: Tensor
    weight: Tensor
    index: Tensor


class Sample(TypedDict):
    """One row of a `Batch`, as the dataset gives it."""

    image: Tensor
    target: np.int64
    weight: np.float32
    index: np.int64


class Decoding(TypedDict, total=False):
    """Keyword arguments of `Photos`."""

    min_side: Required[int]
    seed: Required[int]
    max_side: int | None
    cache: PhotoCache | None
    value_range: Range | None


@dataclass(frozen=True)
class AsInProduction:
    """The transform outside training. It holds little, since spawned workers get a copy of it."""

    preprocess: Preprocess

    def __call__(self, photo: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        """Photo uint8 HWC to model input uint8 [S, S, 3], whatever the seed."""
        return self.preprocess(photo)


def as_cached(photo: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """The transform of photos that were cached as model input."""
    return photo


def in_pieces(column: pd.Series[str]) -> Iterator[str]:
    """Iterate over a column's strings in chunks: single access is slow, a full list is large."""
    for start in range(0, len(column), 10_000):
        yield from column.iloc[start : start + 10_000].tolist()


class Photos:
    """The decoded photos of one split, and their metadata besides the targets.

    Args:
        manifest: The split's samples.
        min_side: Short side in pixels that decoding must not go below.
        seed: With epoch and row it seeds the transform, whichever worker runs it.
        max_side: Short side in pixels that larger photos are shrunk to once decoded, or None.
        cache: What `photo` returns, decoded beforehand, or None.
        value_range: Of samples of more than 8 bits, see `osprey.imaging.decode`.
    """

    targets: NDArray[np.int64]  # one a photo, for samplers that draw some classes more often
    collate: Callable[[Any], Any] | None = None  # samples to a batch; None: PyTorch's own way
    epochs = 0  # of the training that asks for the samples; 0 where that is not known

    def __init__(
        self,
        manifest: Manifest,
        *,
        min_side: int,
        seed: int,
        max_side: int | None = None,
        cache: PhotoCache | None = None,
        value_range: Range | None = None,
    ) -> None:
        self.root = manifest.root
        self.paths = PathList(in_pieces(manifest.table["path"]))
        self.weights = manifest.table["weight"].to_numpy(dtype=np.float32)
        self.min_side = min_side
        self.seed = seed
        self.max_side = max_side
        self.cache = cache
        self.value_range = value_range

    def __len__(self) -> int:
        return len(self.paths)

    def seed_of(self, epoch: int, row: int) -> int:
        """Seed of one photo's transform in one epoch, 32 bits."""
        return int(np.random.SeedSequence((self.seed, epoch, row)).generate_state(1)[0])

    def photo(self, row: int) -> NDArray[np.uint8]:
        """What the transform gets: a photo, uint8 [H, W, 3], read-only where it is cached.

        Raises:
            UnreadableImage: The file cannot be decoded.
        """
        if self.cache is not None:
            return self.cache[row]
        file = Path(self.root, self.paths[row])
        photo = read_image(file, min_side=self.min_side, value_range=self.value_range)
        return photo if self.max_side is None else _at_most(photo, self.max_side)


class PhotoDataset(Photos, Dataset[Sample]):
    """One split of a manifest with one label a photo.

    Args:
        manifest: The split's samples.
        classes: Class names in the order of the model's outputs.
        transform: From decoded photo (uint8 HWC) and a seed to model input (uint8 [S, S, 3]).
        decoding: What `Photos` takes.
    """

    def __init__(
        self,
        manifest: Manifest,
        classes: Sequence[str],
        transform: Transform,
        **decoding: Unpack[Decoding],
    ) -> None:
        super().__init__(manifest, **decoding)
        number = {name: i for i, name in enumerate(classes)}
        labels = in_pieces(manifest.table["label"])
        self.targets = np.fromiter((number[label] for label in labels), dtype=np.int64)
        self.transform = transform

    def __getitem__(self, key: Key) -> Sample:
        epoch, index = key
        row = max(index, 0)  # padding repeats the first photo and is not counted
        image = self.transform(self.photo(row), self.seed_of(epoch, row))
        return {
            "image": own_tensor(image),
            # NumPy's scalars: collated they are the same tensors, in a tenth of the time.
            "target": self.targets[row],
            "weight": self.weights[row],
            "index": np.int64(index),
        }


def own_tensor(image: NDArray[np.uint8]) -> Tensor:
    """Convert an image to a tensor; it is copied where it is read-only, as in the cache."""
    return torch.from_numpy(image if image.flags.writeable else image.copy())


def _at_most(photo: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Shrink a photo to a short side of ``side`` if it is larger: only JPEG decodes small."""
    height, width = photo.shape[:2]
    scale = side / min(height, width)
    if scale >= 1:
        return photo
    return resized(photo, max(side, round(width * scale)), max(side, round(height * scale)))
