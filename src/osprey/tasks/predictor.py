"""Base class of predictors: a trained network, its preprocessing, and photos in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from osprey.errors import UnreadableImage
from osprey.imaging import Preprocess
from osprey.models.checkpoint import load_model
from osprey.system.ahead import batches_ahead
from osprey.tasks.plugin import TaskPlugin
from osprey.tasks.registry import check_task


class Answer(Protocol):
    """The prediction for one file."""

    @property
    def failure(self) -> str | None:
        """Why the file cannot be read, or None."""
        ...

    def record(self, classes: Sequence[str]) -> dict[str, Any]:
        """The prediction as plain data: ``{"file", ...}``, or ``{"file", "failure"}``."""
        ...


A = TypeVar("A", bound=Answer)


class PhotoPredictor(ABC, Generic[A]):
    """A trained network with the preprocessing of validation.

    Args:
        checkpoint: A checkpoint of Osprey's.
        task: The task that it must be of.
        device: Device to compute on; default the CPU.

    Raises:
        CheckpointError: The checkpoint is refused, or is another task's.
    """

    def __init__(
        self, checkpoint: Path, task: TaskPlugin, device: torch.device | None = None
    ) -> None:
        self.checkpoint = checkpoint
        model, self.metadata = load_model(checkpoint)
        check_task(self.metadata.task, task, checkpoint)
        task.check_checkpoint(self.metadata, checkpoint)
        self.device = device or torch.device("cpu")
        # Channels last is the order the bytes come in, and the quicker one for convolutions.
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.preprocess = Preprocess.from_dict(self.metadata.preprocess)
        self.classes = self.metadata.classes

    @abstractmethod
    def answers(self, files: Sequence[Path], inputs: NDArray[np.uint8]) -> Iterable[A]:
        """One answer per photo.

        Args:
            files: The N photos.
            inputs: The photos preprocessed, uint8 [N, S, S, 3].

        Returns:
            N answers, in order.
        """

    @abstractmethod
    def unreadable(self, file: Path, failure: str) -> A:
        """The answer for a file that cannot be read."""

    def images(self, inputs: NDArray[np.uint8]) -> Tensor:
        """Normalise photos, uint8 [N, S, S, 3] to float32 [N, 3, S, S], on the device."""
        return torch.from_numpy(self.preprocess.normalise(inputs)).to(self.device)

    def predict(self, files: Iterable[Path], batch_size: int = 32) -> Iterator[A]:
        """Yield one answer per file, in order, with constant memory.

        Args:
            files: The photos.
            batch_size: Photos per batch.

        Yields:
            One answer per file; `unreadable` for those that cannot be decoded.
        """
        for batch in batches_ahead(files, self._prepare, batch_size):
            good = [(file, item) for file, item in batch if not isinstance(item, str)]
            names, inputs = [file for file, _ in good], [item for _, item in good]
            found = iter(self.answers(names, np.stack(inputs)) if good else ())
            for file, item in batch:
                yield self.unreadable(file, item) if isinstance(item, str) else next(found)

    def _prepare(self, file: Path) -> NDArray[np.uint8] | str:
        try:
            return self.preprocess(self.preprocess.open(file))
        except UnreadableImage as error:
            return str(error)
