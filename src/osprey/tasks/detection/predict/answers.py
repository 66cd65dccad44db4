"""Output of predictions: printed for one photo, annotations for a folder, pictures of either."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osprey.errors import UnreadableImage
from osprey.runs.folder import RunFolder
from osprey.system.console import counted, say, warn
from osprey.system.paths import home_path
from osprey.tasks.detection.predict.pictures import Pictures
from osprey.tasks.detection.predict.tables import BoxTable
from osprey.tasks.journal import PredictionJournal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from osprey.tasks.detection.prediction import BoxPrediction


@dataclass(frozen=True)
class Answer:
    """The prediction for one photo.

    Attributes:
        prediction: The detector's.
        pixels: The photo at full size, if it is in memory.
        label: Class of the whole photo, from a classifier on the crops.
        score: Its probability.
        species: For each box ``[(name, probability), ...]``, from a classifier on the crops.
    """

    prediction: BoxPrediction
    pixels: NDArray[np.uint8] | None
    label: str | None = None
    score: float | None = None
    species: list[list[tuple[str, float]]] | None = field(default=None)

    def record(self, classes: Sequence[str]) -> dict[str, Any]:
        """As plain data, boxes as x, y, w, h in pixels."""
        boxes = self.prediction.boxes(classes)
        for box, ranked in zip(boxes, self.species or [], strict=self.species is not None):
            box["classifications"] = [list(pair) for pair in ranked]
        whole = {} if self.label is None else {"label": self.label, "score": self.score}
        return {"file": self.prediction.file, **whole, "detections": boxes}

    def texts(self, classes: Sequence[str]) -> list[str]:
        """The label to draw at each box."""
        if self.species is not None:
            return [f"{ranked[0][0]} {ranked[0][1]:.2f}" for ranked in self.species]
        return [f"{box['label']} {box['score']:.2f}" for box in self.prediction.boxes(classes)]


def tell(
    arguments: argparse.Namespace,
    photos: Sequence[Path],
    classes: Sequence[str],
    ask: Callable[[Sequence[Path]], Iterator[Answer]],
    species: Sequence[str] = (),
    *,
    pictures: Pictures | None = None,
    **runs: RunFolder,
) -> int:
    """Print or write the answers as the command line says.

    Args:
        arguments: The command line.
        photos: The photos, in order.
        classes: The detector's.
        ask: Answers about some of them, one per photo.
        species: The classifier's classes, if there is a classifier.
        pictures: Writes each photo with its boxes drawn, or None.
        **runs: Those that answer, as ``detector`` and ``classifier``.

    Returns:
        The exit code: 1 with ``--strict`` if a photo could not be read, else 0.

    Raises:
        UnreadableImage: The single photo cannot be read.
    """
    if arguments.image:
        answer = next(_drawn(pictures, photos, classes, ask(photos)))
        if answer.prediction.failure is not None:
            raise UnreadableImage(answer.prediction.failure)
        say(json.dumps(answer.record(classes), ensure_ascii=False))
        return 0
    started = time.perf_counter()
    info = {name: run.full_name for name, run in runs.items()}
    table = BoxTable(home_path(arguments.folder), classes, species, info)
    checkpoints = [run.best for run in runs.values()]
    whole = None if pictures is None else pictures.is_there
    with PredictionJournal(arguments, photos, checkpoints, whole) as journal:
        todo = journal.todo
        journal.keep(map(table.entry, _drawn(pictures, todo, classes, ask(todo))))
        for entry in journal.entries():
            table.add(entry)
        table.write(
            arguments.output, arguments.format, force=arguments.force, excel=arguments.excel
        )
    rate = len(todo) / (time.perf_counter() - started)
    found = f"{counted(len(photos), 'photo')}, {counted(len(table.found.boxes), 'box')}"
    warn(f"{found}, {rate:.0f} photos a second: {arguments.output}")
    if table.failures:
        count = counted(len(table.failures), "photo")
        warn(f"{count} could not be read, so without boxes, first: {table.failures[0]}")
    return 1 if table.failures and arguments.strict else 0


def pictures_of(arguments: argparse.Namespace, photos: Sequence[Path]) -> Pictures | None:
    """The writer of pictures for ``--save-dir``, or None without it.

    Raises:
        UserError: They would be written among the photos, or replace files that Osprey did not
            write.
    """
    if not arguments.save_dir:
        return None
    folder = home_path(arguments.folder) if arguments.folder else None
    return Pictures(Path(arguments.save_dir), photos, folder, force=arguments.force)


def _drawn(
    pictures: Pictures | None,
    photos: Sequence[Path],
    classes: Sequence[str],
    answers: Iterator[Answer],
) -> Iterator[Answer]:
    """The answers, each with its picture written where pictures are wanted."""
    from osprey.tasks.detection.prediction import BoxPrediction

    for photo, answer in zip(photos, answers, strict=True):
        found = answer.prediction.detections
        if pictures is not None and found is not None:
            try:
                pictures.draw(photo, found, answer.texts(classes), answer.pixels)
            except UnreadableImage as error:  # taken away since
                answer = Answer(BoxPrediction(str(photo), 0, 0, None, str(error)), None)
        yield answer
