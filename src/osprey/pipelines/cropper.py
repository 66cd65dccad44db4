"""Cut every subject found out of its photo; decoding and encoding run beside the network."""

from __future__ import annotations

import errno
import os
import shutil
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from osprey.data.crop_journal import CropJournal
from osprey.data.crop_labels import Labels
from osprey.data.folder_journal import Row
from osprey.data.naming import unique_stems
from osprey.errors import UnreadableImage
from osprey.imaging import read_image
from osprey.imaging.cropping import cut
from osprey.imaging.deep import Range
from osprey.imaging.encode import write_jpeg
from osprey.imaging.size import turn
from osprey.system.files import atomic_path

if TYPE_CHECKING:  # a folder that is finished is told so without torch
    from osprey.tasks.detection.prediction import BoxPrediction
    from osprey.tasks.detection.predictor import BoxPredictor

_IN_HAND = 32  # photos whose crops are being written


@dataclass(frozen=True)
class CropOptions:
    """How to crop.

    Attributes:
        margin: Room on every side, as a share of the box.
        one: Only the box with the highest score of each photo.
        empty: Of photos in which nothing is found: ``skip``, ``keep`` or ``move``.
    """

    margin: float
    one: bool
    empty: str


class Cropper:
    """Crops photos of one folder into another.

    Args:
        root: The photos' folder, which is only read.
        photos: All of them, also those done already: names depend on each other. Those that could
            not be read before are tried again.
        labels: Of the photos.
        journal: The record of the output folder.
        options: How to crop.
    """

    def __init__(
        self,
        root: Path,
        photos: Sequence[Path],
        labels: Labels,
        journal: CropJournal,
        options: CropOptions,
    ) -> None:
        self.root, self.labels, self.journal, self.options = root, labels, journal, options
        self.stems = {photo: self.source(name) for photo, name in unique_stems(photos).items()}
        self.taken = {stem.casefold() for stem in self.stems.values()}
        self.value_range: Range | None = None  # of the detector
        self.todo = [p for p in photos if self.source(p) not in journal.done and self._to_ask(p)]

    def source(self, photo: Path) -> str:
        """A photo's name in the tables, and of what is made of it."""
        return _text(photo.relative_to(self.root).as_posix())

    def _to_ask(self, photo: Path) -> bool:
        """Whether the detector is to see a photo; one still unreadable is taken up as that."""
        source = self.source(photo)
        if source in self.journal.failed:
            try:
                read_image(photo)
            except UnreadableImage as error:
                self._fail(photo, str(error))
        return source not in self.journal.done

    def run(self, predictor: BoxPredictor) -> None:
        """Crop every photo that is not in the journal."""
        self.value_range = predictor.preprocess.value_range
        coming: deque[Future[None]] = deque()
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            answers = predictor.predict_opened(self.todo)
            for photo, (prediction, pixels) in zip(self.todo, answers, strict=True):
                if len(coming) >= _IN_HAND:
                    coming.popleft().result()
                coming.append(pool.submit(self._crop, photo, prediction, pixels, predictor.classes))
            while coming:
                coming.popleft().result()

    def _crop(
        self,
        photo: Path,
        prediction: BoxPrediction,
        pixels: NDArray[np.uint8] | None,
        classes: Sequence[str],
    ) -> None:
        """Write one photo's crops, then enter them into the journal."""
        try:
            rows = self._write(photo, prediction, pixels, classes)
        except UnreadableImage as error:  # also if it was taken away since
            return self._fail(photo, str(error))
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            return self._fail(photo, f"{photo}: its name is too long to add to; shorten it")
        self.journal.add(rows)

    def _write(
        self,
        photo: Path,
        prediction: BoxPrediction,
        pixels: NDArray[np.uint8] | None,
        classes: Sequence[str],
    ) -> list[Row]:
        """Write the crops; returns their rows."""
        if prediction.detections is None:
            raise UnreadableImage(prediction.failure)
        size = {"width": prediction.width, "height": prediction.height}
        common = {**self._about(photo), **size}
        boxes = prediction.boxes(classes)[: 1 if self.options.one else None]
        if not boxes:
            return [common | self._empty(photo)]
        rows = []
        with turn(**size):
            if pixels is None:
                pixels = read_image(photo, value_range=self.value_range)
            for number, (box, found) in enumerate(
                zip(prediction.detections.boxes, boxes, strict=False)
            ):
                name = f"{self.stems[photo]}_{number}.jpg"
                write_jpeg(self.journal.folder / name, cut(pixels, box, self.options.margin))
                where = dict(zip("xywh", found["box"], strict=True))
                told = {"detected": found["label"], "score": found["score"], **where}
                rows.append({**common, "path": name, "status": "crop", **told})
        return rows

    def _about(self, photo: Path) -> Row:
        source = self.source(photo)
        label, split = self.labels.of(source)
        return {"source": source, "label": label, "split": split}

    def _fail(self, photo: Path, why: str) -> None:
        self.journal.add([{**self._about(photo), "status": "failure", "failure": _text(why)}])

    def _empty(self, photo: Path) -> Row:
        """Do as wished with a photo in which nothing was found."""
        if self.options.empty == "skip":
            return {"status": "skipped"}
        name = Path(self.source(photo))
        if self.options.empty == "move":
            name = "no_detection" / name
        elif self._is_like_a_crop(name):
            name = name.with_name(f"{name.stem}_whole{name.suffix}")
        target = self.journal.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(target, fixed=True) as partial:
            shutil.copyfile(photo, partial)
        status = "moved" if self.options.empty == "move" else "whole"
        return {"status": status, "path": name.as_posix()}

    def _is_like_a_crop(self, name: Path) -> bool:
        """Whether the crop of another photo may have this name."""
        stem, _, number = name.stem.rpartition("_")
        other = name.with_name(stem) if stem else name
        return number.isdigit() and other.as_posix().casefold() in self.taken


def _text(name: str) -> str:
    """Bytes that are no UTF-8, as old cards have them in names, are written with escapes."""
    return name.encode("utf-8", "backslashreplace").decode()
