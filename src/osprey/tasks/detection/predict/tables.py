"""Detections on a folder of photos, written as annotations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osprey.data.formats import write_annotations
from osprey.data.formats.table import Collector
from osprey.system.outputs import BYTE_ORDER_MARK, output_path

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

    def entry(self, answer: Answer) -> dict[str, Any]:
        """One photo and its boxes as plain data."""
        prediction = answer.prediction
        said: dict[str, Any] = {}
        if answer.label is not None:
            said = {"prediction": answer.label, "prediction_score": answer.score}
        if prediction.failure is not None:
            said["failure"] = _text(prediction.failure)
        name = os.path.relpath(prediction.file, self.found.root).replace(os.sep, "/")
        ranked: list[Any] = [None] * len(found := prediction.boxes(self.classes))
        if answer.species:
            ranked = [[list(pair) for pair in species] for species in answer.species]
        boxes = [
            [box["label"], box["box"], box["score"], species]
            for box, species in zip(found, ranked, strict=True)
        ]
        size = [prediction.width, prediction.height]
        return {"name": _text(name), "size": size, "said": said, "boxes": boxes}

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add what `entry` made of a photo."""
        width, height = entry["size"]
        if "failure" in entry["said"]:
            self.failures.append(entry["said"]["failure"])
        row = self.found.image(entry["name"], width, height, **entry["said"])
        for label, (x, y, w, h), score, species in entry["boxes"]:
            self.found.box(row, label, (x, y, w, h), score, species)

    def write(
        self, output: str, form: str | None, *, force: bool = False, excel: bool = False
    ) -> None:
        """Write the file atomically.

        Args:
            output: The file; ``-`` is standard output.
            form: One of the task's formats; None: by the file's suffix, CSV on standard output.
            force: Replace a file that Osprey did not write.
            excel: Of a CSV, with the mark by which Excel knows its letters.

        Raises:
            DataError: No photo is left to write.
            UserError: The file exists and Osprey did not write it, or it cannot be written.
        """
        form = form or ("json" if Path(output).suffix.lower() == ".json" else "csv")
        ending = ".csv" if form == "csv" else ".json"
        with output_path(output, "--output", force=force, ending=ending) as partial:
            write_annotations(self.found.done(), partial, _FORMS.get(form, form), self.found.root)
            if excel:
                partial.write_text(
                    BYTE_ORDER_MARK + partial.read_text(encoding="utf-8"), encoding="utf-8"
                )


def _text(name: str) -> str:
    """Bytes that are no UTF-8, as old cards have them in names, are written with escapes."""
    return name.encode("utf-8", "backslashreplace").decode()
