"""Name what is on photos, with the decoder and preprocessing the model was validated with."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from osprey.errors import UnreadableImage
from osprey.imaging import Preprocess, read_image
from osprey.models.checkpoint import load_model
from osprey.tasks.classification.plugin import ClassificationTask
from osprey.tasks.classification.tta import ask, merge_views
from osprey.tasks.registry import check_task


@dataclass(frozen=True)
class Prediction:
    """What a model said of one file, or why it could not be asked.

    Attributes:
        file: The photo's path as given.
        probabilities: float32 [C] in class order, or None where the file cannot be read.
        failure: Why the file cannot be read, or None.
    """

    file: str
    probabilities: NDArray[np.float32] | None
    failure: str | None = None

    def top(self, classes: Sequence[str]) -> list[tuple[str, float]]:
        """Classes with their probabilities, most likely first; empty for an unread file."""
        if self.probabilities is None:
            return []
        order = np.argsort(-self.probabilities, kind="stable")
        return [(classes[i], float(self.probabilities[i])) for i in order]

    def record(self, classes: Sequence[str], most: int = 5) -> dict[str, Any]:
        """The prediction as plain data: file, label, score and top, or file and failure."""
        ranked = self.top(classes)[:most]
        if not ranked:
            return {"file": self.file, "failure": self.failure}
        label, score = ranked[0]
        top = [[name, round(p, 6)] for name, p in ranked]
        return {"file": self.file, "label": label, "score": round(score, 6), "top": top}


class Predictor:
    """A trained model and its preprocessing, ready to be asked.

    Args:
        checkpoint: One of Osprey's checkpoints.
        device: Where to compute; the CPU unless told otherwise.
        tta: Test-time augmentation: ``none``, ``flip`` or ``dihedral``.

    Raises:
        CheckpointError: The checkpoint is refused, or is no classifier's.
    """

    def __init__(
        self, checkpoint: Path, device: torch.device | None = None, tta: str = "none"
    ) -> None:
        self.tta = tta
        model, self.metadata = load_model(checkpoint)
        task = ClassificationTask()
        check_task(self.metadata.task, task, checkpoint)
        task.check_checkpoint(self.metadata, checkpoint)
        self.device = device or torch.device("cpu")
        # Channels last is the order the bytes come in, and the quicker one for convolutions.
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.preprocess = Preprocess.from_dict(self.metadata.preprocess)
        self.classes = self.metadata.classes

    def probabilities(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Tempered probabilities float32 [N, C] of prepared photos uint8 [N, S, S, 3]."""
        images = torch.from_numpy(self.preprocess.normalise(inputs)).to(self.device)
        with torch.inference_mode():
            logits = ask(self.model, images, self.tta)
        tempered = merge_views(logits, self.metadata.temperature) / self.metadata.temperature
        return cast("NDArray[np.float32]", tempered.softmax(dim=1).cpu().numpy())

    def predict(self, files: Iterable[Path], batch_size: int = 32) -> Iterator[Prediction]:
        """Yield one prediction a file, in order, in memory that does not grow with their number."""
        remaining = iter(files)
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            while chunk := list(islice(remaining, batch_size)):
                prepared = list(pool.map(self._prepare, chunk))
                readable = [p for p in prepared if not isinstance(p, str)]
                found = iter(self.probabilities(np.stack(readable)) if readable else ())
                for file, item in zip(chunk, prepared, strict=True):
                    if isinstance(item, str):
                        yield Prediction(str(file), None, item)
                    else:
                        yield Prediction(str(file), next(found))

    def _prepare(self, file: Path) -> NDArray[np.uint8] | str:
        try:
            return self.preprocess(read_image(file, min_side=self.preprocess.decode_side))
        except UnreadableImage as error:
            return str(error)
