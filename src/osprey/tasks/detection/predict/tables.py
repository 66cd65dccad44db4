"""Detections on a folder of photos, written as annotations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osprey.data.formats import write_annotations
from osprey.data.formats.table import Collector
from osprey.system.outputs import output_path

if TYPE_CHECKING:
    from osprey.tasks.detection.predict.answers import Answer

_FORMS = {"json": "megadetector"}


class BoxTable:
    """Collects predictions.

    Args:
        root: The folder of the photos; names are relative to it.
        classes: The detector's class names.
        species: The classifier's, if there is a classifier.
        info: Names of the runs, as ``detector`` and ``classifier``.
    """

    def __init__(
        self, root: Path, classes: Sequence[str], species: Sequence[str], info: dict[str, str]
    ) -> None:
        self.found = Collector(root, species=dict.fromkeys(species), info=dict(info))
        self.found.classes.update(dict.fromkeys(classes))
        self.classes = classes
        self.failures: list[str] = []

    def add(self, answer: Answer) -> None:
        """Add a photo and its boxes."""
        prediction = answer.prediction
        said: dict[str, Any] = {}
        if answer.label is not None:
            said = {"prediction": answer.label, "prediction_score": answer.score}
        if prediction.failure is not None:
            self.failures.append(prediction.failure)
            said["failure"] = _text(prediction.failure)
        name = os.path.relpath(prediction.file, self.found.root).replace(os.sep, "/")
        row = self.found.image(_text(name), prediction.width, prediction.height, **said)
        for number, box in enumerate(prediction.boxes(self.classes)):
            x, y, w, h = box["box"]
            ranked = [list(pair) for pair in answer.species[number]] if answer.species else None
            self.found.box(row, box["label"], (x, y, w, h), box["score"], ranked)

    def write(self, output: str, form: str | None, *, force: bool = False) -> None:
        """Write the file atomically.

        Args:
            output: The file; ``-`` is standard output.
            form: One of the task's formats; None: by the file's suffix, CSV on standard output.
            force: Replace a file that Osprey did not write.

        Raises:
            DataError: No photo is left to write.
            UserError: The file exists and Osprey did not write it, or it cannot be written.
        """
        form = form or ("json" if Path(output).suffix.lower() == ".json" else "csv")
        ending = ".csv" if form == "csv" else ".json"
        with output_path(output, "--output", force=force, ending=ending) as partial:
            write_annotations(self.found.done(), partial, _FORMS.get(form, form), self.found.root)


def _text(name: str) -> str:
    """Bytes that are no UTF-8, as old cards have them in names, are written with escapes."""
    return name.encode("utf-8", "backslashreplace").decode()
