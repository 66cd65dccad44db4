"""What was found on a folder of photos, collected and written as annotations."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osprey.data.annotations import write_annotations
from osprey.data.annotations.table import Collector

if TYPE_CHECKING:
    from osprey.training.detecting.predictor import BoxPrediction

_FORMS = {"json": "megadetector"}


class BoxTable:
    """Collects predictions.

    Args:
        root: The folder of the photos, which their names will be relative to.
        classes: The detector's class names.
    """

    def __init__(self, root: Path, classes: Sequence[str]) -> None:
        self.found = Collector(root)
        self.found.classes.update(dict.fromkeys(classes))
        self.classes = classes
        self.failures: list[str] = []

    def add(
        self, prediction: BoxPrediction, species: Sequence[list[Any]] | None = None, **said: Any
    ) -> None:
        """Take up a photo's boxes.

        Args:
            prediction: Of the detector.
            species: Of each box ``[[name, probability], ...]``, most likely first.
            **said: More of the photo, by column.
        """
        # Names that are no UTF-8, as old cards have them, are written with escapes.
        name = os.path.relpath(prediction.file, self.found.root).replace(os.sep, "/")
        name = name.encode("utf-8", "backslashreplace").decode()
        if prediction.failure is not None:
            self.failures.append(prediction.failure)
            said["failure"] = prediction.failure.encode("utf-8", "backslashreplace").decode()
        row = self.found.image(name, prediction.width, prediction.height, **said)
        for number, box in enumerate(prediction.boxes(self.classes)):
            x, y, w, h = box["box"]
            ranked = None if species is None else species[number]
            self.found.box(row, box["label"], (x, y, w, h), box["score"], ranked)

    def write(self, output: Path, form: str | None) -> None:
        """Write the file whole or not at all."""
        form = form or ("json" if output.suffix.lower() == ".json" else "csv")
        temporary = output.with_name(f".{os.getpid()}.{output.name}")
        try:
            form = _FORMS.get(form, form)
            write_annotations(self.found.done(), temporary, form, self.found.root)
            os.replace(temporary, output)
        finally:
            temporary.unlink(missing_ok=True)


def say_failures(failures: Sequence[str]) -> None:
    """Count what could not be read."""
    if failures:
        print(
            f"{len(failures)} could not be read and have no boxes, first: {failures[0]}",
            file=sys.stderr,
        )
