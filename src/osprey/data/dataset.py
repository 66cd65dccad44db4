"""Photos as uint8 arrays, targets as class indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from osprey.data.manifest import Manifest
from osprey.data.sampler import Key
from osprey.imaging import read_image

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


class PathList:
    """Paths in one buffer: forked workers share it, where a list of strings would be copied."""

    def __init__(self, paths: Sequence[str]) -> None:
        encoded = [path.encode("utf-8", "surrogateescape") for path in paths]
        self._ends = np.cumsum([len(path) for path in encoded], dtype=np.int64)
        self._buffer = np.frombuffer(b"".join(encoded), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        start = self._ends[index - 1] if index else 0
        raw = self._buffer[start : self._ends[index]].tobytes()
        return raw.decode("utf-8", "surrogateescape")


class PhotoDataset(Dataset[Batch]):
    """One split of a manifest.

    Args:
        manifest: The split's samples.
        classes: Class names in the order of the model's outputs.
        transform: From decoded photo (uint8 HWC) and a seed to model input (uint8 [S, S, 3]).
        min_side: Short side that decoding must not go below.
        seed: With epoch and index it seeds the transform, whichever worker runs it.
    """

    def __init__(
        self,
        manifest: Manifest,
        classes: Sequence[str],
        transform: Transform,
        *,
        min_side: int,
        seed: int,
    ) -> None:
        number = {name: i for i, name in enumerate(classes)}
        self.root = manifest.root
        self.paths = PathList(manifest.table["path"].tolist())
        self.targets = manifest.table["label"].map(number).to_numpy(dtype=np.int64)
        self.weights = manifest.table["weight"].to_numpy(dtype=np.float32)
        self.transform = transform
        self.min_side = min_side
        self.seed = seed

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: Key) -> Batch:
        epoch, index = key
        row = max(index, 0)  # padding repeats the first photo and is not counted
        photo = read_image(Path(self.root, self.paths[row]), min_side=self.min_side)
        seed = int(np.random.SeedSequence((self.seed, epoch, row)).generate_state(1)[0])
        return {
            "image": torch.from_numpy(self.transform(photo, seed)),
            "target": torch.tensor(self.targets[row]),
            "weight": torch.tensor(self.weights[row]),
            "index": torch.tensor(index),
        }
