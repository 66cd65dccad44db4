"""Answers of task=light, with the decoder and preprocessing the network was validated with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from osprey.errors import UnreadableImage
from osprey.imaging import Preprocess, read_image
from osprey.models.checkpoint import load_model


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

    def record(self, classes: Any = None) -> dict[str, Any]:
        """Plain data: ``{"file", "light"}`` or ``{"file", "failure"}``."""
        if self.value is None:
            return {"file": self.file, "failure": self.failure}
        return {"file": self.file, "light": round(self.value, 6)}


class LightPredictor:
    """A trained light meter.

    Args:
        checkpoint: One of task=light.
        device: Where to compute; the CPU unless told otherwise.
    """

    def __init__(self, checkpoint: Path, device: torch.device | None = None) -> None:
        model, self.metadata = load_model(checkpoint)
        self.device = device or torch.device("cpu")
        self.model = model.to(self.device)
        self.preprocess = Preprocess.from_dict(self.metadata.preprocess)
        self.classes = self.metadata.classes

    def predict(self, files: Iterable[Path]) -> Iterator[Light]:
        """Yield one answer a file, in order."""
        for file in files:
            try:
                photo = read_image(file, min_side=self.preprocess.decode_side)
            except UnreadableImage as error:
                yield Light(str(file), None, str(error))
                continue
            pixels = self.preprocess.normalise(self.preprocess(photo)[None])
            with torch.inference_mode():
                answer = self.model(torch.from_numpy(pixels).to(self.device))
            yield Light(str(file), float(answer[0, 0]))
