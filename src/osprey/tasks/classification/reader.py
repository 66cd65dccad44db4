"""A classifier's logits as answers. No PyTorch: a bundle is asked without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from osprey.errors import BundleError
from osprey.inference.reader import NO_NUMBER, UNKNOWN, Shown

if TYPE_CHECKING:
    from osprey.inference.card import Card


_MOST_FEATURES = 64


@dataclass(frozen=True)
class Prediction:
    """The class probabilities of one file, or why it could not be read.

    Attributes:
        file: The photo's path as given.
        probabilities: float32 [C] in class order, or None where the file cannot be read.
        failure: Why the file cannot be read, or None.
        unknown_below: A score below which the label is "unknown".
        features: float32 [K], the photo's features seen from K directions, if the bundle tells.
    """

    file: str
    probabilities: NDArray[np.float32] | None
    failure: str | None = None
    unknown_below: float = 0.0
    features: NDArray[np.float32] | None = None

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
        label = label if score >= self.unknown_below else UNKNOWN
        return {"file": self.file, "label": label, "score": round(score, 6), "top": top}

    def labels(self, classes: Sequence[str]) -> list[str]:
        """The most probable class, or "unknown"."""
        return [self.record(classes, 1)["label"]]

    def rows(self, classes: Sequence[str]) -> list[list[Any]]:
        """File, label, score, failure."""
        record = self.record(classes, 1)
        return [[record.get(key, "") for key in ScoreReader.columns]]

    def submission(self, classes: Sequence[str]) -> list[str]:
        """The photo's name and a cell a class, as competitions want; unread photos' are empty."""
        p = self.probabilities
        cells = [""] * len(classes) if p is None else [f"{value:.6f}" for value in p]
        return [Path(self.file).name, *cells]

    def submission_id(self) -> list[str]:
        """The photo's name without its ending, and the number of its class, from 0."""
        p = self.probabilities
        return [Path(self.file).stem, "" if p is None else str(int(p.argmax()))]

    def ranked(self, classes: Sequence[str]) -> list[list[Any]]:
        """Every class with its probability, highest first."""
        return [[name, round(p, 4)] for name, p in self.top(classes)]


class ScoreReader:
    """Reads logits, one a class, and features where the card's options name their number.

    Args:
        card: The bundle's.

    Raises:
        ValueError: The card's options are not a classifier's.
    """

    needs_sizes: ClassVar[bool] = False
    answer_key: ClassVar[str] = "label"
    columns: ClassVar[tuple[str, ...]] = ("file", "label", "score", "failure")
    formats: ClassVar[tuple[str, ...]] = ("submission", "ids")
    knows_unknown: ClassVar[bool] = True

    def __init__(self, card: Card) -> None:
        self.count = len(card.classes)
        self.temperature = card.temperature
        self.unknown_below = card.unknown_below or 0.0
        self.features = card.options.get("features", 0)
        if type(self.features) is not int or not 0 <= self.features <= _MOST_FEATURES:
            raise ValueError("its options are not a classifier's")

    def probabilities(self, logits: NDArray[Any]) -> NDArray[np.float32]:
        """Calibrated probabilities: float32 [N, C], rows sum to 1."""
        tempered = logits.astype(np.float32) / np.float32(self.temperature)
        powers = np.exp(tempered - tempered.max(axis=1, keepdims=True))
        return cast("NDArray[np.float32]", powers / powers.sum(axis=1, keepdims=True))

    def read(
        self, outputs: Sequence[NDArray[Any]], photos: Sequence[Shown]
    ) -> Sequence[Prediction]:
        """One prediction a photo; NaN or infinite probabilities become a failure."""
        widths = [self.count, *([self.features] if self.features else [])]
        wanted = [(len(photos), width) for width in widths]
        if [output.shape for output in outputs] != wanted:
            shapes, others = (
                ", ".join(str(list(shape)) for shape in several)
                for several in ([output.shape for output in outputs], wanted)
            )
            raise BundleError(f"the bundle's network answers {shapes} instead of {others}")
        features = outputs[1] if self.features else [None] * len(photos)
        return [
            Prediction(photo.file, p, unknown_below=self.unknown_below, features=seen)
            if np.isfinite(p).all()
            else self.unreadable(photo.file, NO_NUMBER)
            for photo, p, seen in zip(photos, self.probabilities(outputs[0]), features, strict=True)
        ]

    def unreadable(self, file: str, failure: str) -> Prediction:
        """A prediction without probabilities."""
        return Prediction(file, None, failure)
