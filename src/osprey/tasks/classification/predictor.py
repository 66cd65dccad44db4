"""Classify photos, with the decoder and preprocessing the model was validated with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from osprey.inference.reader import NO_NUMBER
from osprey.tasks.classification.plugin import ClassificationTask
from osprey.tasks.classification.reader import Prediction as Prediction
from osprey.tasks.classification.tta import ask, merge_views
from osprey.tasks.predictor import PhotoPredictor


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
