"""Answers of task=light, with the decoder and preprocessing the network was validated with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from osprey.tasks.predictor import PhotoPredictor
from reefkit.task import LightTask


@dataclass(frozen=True)
class Light:
    """The answer about one file, or why there is none.

    Attributes:
        file: As it was given.
        value: The number; None where the file cannot be read.
        failure: Why not, or None.
    """

    file: str
    value: float | None
    failure: str | None = None

    def record(self, classes: Sequence[str]) -> dict[str, Any]:
        """Plain data: ``{"file", "light"}`` or ``{"file", "failure"}``."""
        if self.value is None:
            return {"file": self.file, "failure": self.failure}
        return {"file": self.file, "light": round(self.value, 6)}


class LightPredictor(PhotoPredictor[Light]):
    """A trained light meter; loading, decoding and batches come with its base.

    Args:
        checkpoint: One of task=light.
        device: Where to compute; the CPU unless told otherwise.
    """

    def __init__(self, checkpoint: Path, device: torch.device | None = None) -> None:
        super().__init__(checkpoint, LightTask(), device)

    def answers(self, files: Sequence[Path], inputs: NDArray[np.uint8]) -> list[Light]:
        """The number of each prepared photo, uint8 [N, S, S, 3]."""
        with torch.inference_mode():
            found = self.model(self.images(inputs))[:, 0].tolist()
        return [Light(str(file), value) for file, value in zip(files, found, strict=True)]

    def unreadable(self, file: Path, failure: str) -> Light:
        """No number."""
        return Light(str(file), None, failure)
