"""A reader of boxes, as a package of one's own may bring it: one box around the whole photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from osprey.inference.card import Card
from osprey.inference.reader import BOXES, Shown


@dataclass(frozen=True)
class Boxes:
    file: str
    found: list[dict[str, Any]]
    failure: str | None = None

    def record(self, classes: Sequence[str]) -> dict[str, Any]:
        if self.failure is not None:
            return {"file": self.file, "failure": self.failure}
        return {"file": self.file, "detections": self.found}


class WholePhoto:
    needs_sizes: ClassVar[bool] = True
    answer_key: ClassVar[str] = BOXES
    columns: ClassVar[tuple[str, ...]] = ()

    def __init__(self, card: Card) -> None:
        self.classes = card.classes

    def read(self, outputs: Sequence[Any], photos: Sequence[Shown]) -> list[Boxes]:
        best = outputs[0].argmax(axis=1)
        return [
            Boxes(
                p.file, [{"label": self.classes[b], "score": 1, "box": [0, 0, p.width, p.height]}]
            )
            for p, b in zip(photos, best, strict=True)
        ]

    def unreadable(self, file: str, failure: str) -> Boxes:
        return Boxes(file, [], failure)
