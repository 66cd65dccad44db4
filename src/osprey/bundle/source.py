"""What every format of a bundle is written from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from osprey.imaging import Preprocess


class FromBytes(nn.Module):
    """A network that normalises its photos itself, so that whoever asks it need not.

    Args:
        network: From normalised float [B, 3, S, S] to a tensor, or several.
        preprocess: Mean and standard deviation.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, preprocess: Preprocess) -> None:
        super().__init__()
        self.network = network
        mean, std = (
            torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)
            for values in (preprocess.mean, preprocess.std)
        )
        self.register_buffer("scale", (1 / (255 * std)).float())
        self.register_buffer("shift", (mean / std).float())

    def forward(self, photos: Tensor) -> Any:
        """Outputs about photos, uint8 [B, S, S, 3]."""
        return self.network(photos.permute(0, 3, 1, 2).float() * self.scale - self.shift)


@dataclass(frozen=True)
class Source:
    """A network on its way into a bundle.

    Attributes:
        whole: The network, on the CPU in evaluation mode: uint8 [B, S, S, 3] to its outputs.
        size: S, in pixels.
        names: Of its outputs.
        photos: Some training photos as it sees them, each uint8 [1, S, S, 3]; read when asked for.
    """

    whole: FromBytes
    size: int
    names: Sequence[str]
    photos: Iterable[NDArray[np.uint8]]
