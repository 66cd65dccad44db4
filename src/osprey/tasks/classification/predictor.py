"""Classify photos, with the decoder and preprocessing the model was validated with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from osprey.tasks.classification.plugin import ClassificationTask
from osprey.tasks.classification.tta import ask, merge_views
from osprey.tasks.predictor import NO_NUMBER, PhotoPredictor


@dataclass(frozen=True)
class Prediction:
    """The class probabilities of one file, or why it could not be read.

    Attributes:
        file: The photo's path as given.
        probabilities: float32 [C] in class order, or None where the file cannot be read.
        failure: Why the file cannot be read, or None.
    """

    file: str
    probabilities: NDArray[np.float32] | None
    failure: str | None = None

    def top(self, classes: Sequence[str]) -> list[tuple[str, float]]:
        """Rank the classes.

        Args:
            classes: Class names in the order of the outputs.

        Returns:
            Pairs of class and probability, highest first; empty for an unreadable file.
        """
        if self.probabilities is None:
            return []
        order = np.argsort(-self.probabilities, kind="stable")
        return [(classes[i], float(self.probabilities[i])) for i in order]

    def record(self, classes: Sequence[str], most: int = 5) -> dict[str, Any]:
        """The prediction as plain data: file, label, score and top, or file and failure.

        Args:
            classes: Class names in the order of the outputs.
            most: Number of classes under ``top``.

        Returns:
            Plain data with probabilities rounded to 6 digits.
        """
        ranked = self.top(classes)[:most]
        if not ranked:
            return {"file": self.file, "failure": self.failure}
        label, score = ranked[0]
        top = [[name, round(p, 6)] for name, p in ranked]
        return {"file": self.file, "label": label, "score": round(score, 6), "top": top}


class Predictor(PhotoPredictor[Prediction]):
    """A trained classifier with its preprocessing.

    Args:
        checkpoint: A checkpoint of Osprey's.
        device: Device to compute on; default the CPU.
        tta: Test-time augmentation: ``none``, ``flip`` or ``dihedral``.

    Raises:
        CheckpointError: The checkpoint is refused, or is not a classifier's.
    """

    def __init__(
        self, checkpoint: Path, device: torch.device | None = None, tta: str = "none"
    ) -> None:
        super().__init__(checkpoint, ClassificationTask(), device)
        self.tta = tta

    def probabilities(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Calibrated probabilities.

        Args:
            inputs: Preprocessed photos, uint8 [N, S, S, 3].

        Returns:
            float32 [N, C]; rows sum to 1.
        """
        with torch.inference_mode():
            logits = ask(self.model, self.images(inputs), self.tta)
        tempered = merge_views(logits, self.metadata.temperature) / self.metadata.temperature
        return cast("NDArray[np.float32]", tempered.softmax(dim=1).cpu().numpy())

    def answers(self, files: Sequence[Path], inputs: NDArray[np.uint8]) -> list[Prediction]:
        """One prediction per photo; NaN or infinite probabilities become a failure."""
        found = self.probabilities(inputs)
        return [
            Prediction(str(file), p) if np.isfinite(p).all() else self.unreadable(file, NO_NUMBER)
            for file, p in zip(files, found, strict=True)
        ]

    def unreadable(self, file: Path, failure: str) -> Prediction:
        """A prediction without probabilities."""
        return Prediction(str(file), None, failure)
