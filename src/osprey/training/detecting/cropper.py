"""Cut every subject found out of its photo; decoding and encoding run beside the network."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from osprey.data.crop_book import CropBook, Row
from osprey.data.crop_labels import Labels
from osprey.data.naming import unique_stems
from osprey.imaging import read_image
from osprey.imaging.cropping import cut
from osprey.imaging.encode import write_jpeg
from osprey.training.detecting.predictor import BoxPrediction, BoxPredictor

_IN_HAND = 64  # photos whose crops are being written


@dataclass(frozen=True)
class Wish:
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
        photos: All of them, also those done already: names depend on each other.
        labels: Of the photos.
        book: The record of the output folder.
        wish: How to crop.
    """

    def __init__(
        self, root: Path, photos: Sequence[Path], labels: Labels, book: CropBook, wish: Wish
    ) -> None:
        self.root, self.labels, self.book, self.wish = root, labels, book, wish
        self.stems = {p: name.relative_to(root) for p, name in unique_stems(photos).items()}
        self.taken = {stem.as_posix().casefold() for stem in self.stems.values()}
        self.todo = [photo for photo in photos if self.source(photo) not in book.done]

    def source(self, photo: Path) -> str:
        """A photo's name in the tables; bytes that are no UTF-8 are escaped."""
        return _text(photo.relative_to(self.root))

    def run(self, predictor: BoxPredictor) -> None:
        """Crop every photo that is not in the book, in order."""
        coming: deque[Future[list[Row]]] = deque()
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            answers = predictor.predict_opened(self.todo)
            for photo, (prediction, pixels) in zip(self.todo, answers, strict=True):
                if len(coming) >= _IN_HAND:
                    self.book.add(coming.popleft().result())
                coming.append(pool.submit(self._crop, photo, prediction, pixels, predictor.classes))
            while coming:
                self.book.add(coming.popleft().result())

    def _crop(
        self,
        photo: Path,
        prediction: BoxPrediction,
        pixels: NDArray[np.uint8] | None,
        classes: Sequence[str],
    ) -> list[Row]:
        """Write one photo's crops; returns their rows."""
        source = self.source(photo)
        label, split = self.labels.of(source)
        common: Row = {"source": source, "label": label, "split": split}
        if prediction.detections is None:
            why = (prediction.failure or "").encode("utf-8", "backslashreplace").decode()
            return [{**common, "status": "failure", "failure": why}]
        common |= {"width": prediction.width, "height": prediction.height}
        boxes = prediction.boxes(classes)[: 1 if self.wish.one else None]
        if not boxes:
            return [common | self._empty(photo)]
        full = read_image(photo) if pixels is None else pixels
        rows = []
        for number, (box, found) in enumerate(
            zip(prediction.detections.boxes, boxes, strict=False)
        ):
            stem = self.stems[photo]
            name = stem.with_name(f"{stem.name}_{number}.jpg")
            write_jpeg(self.book.folder / name, cut(full, box, self.wish.margin))
            where = dict(zip("xywh", found["box"], strict=True))
            told = {"detected": found["label"], "score": found["score"], **where}
            rows.append({**common, "path": _text(name), "status": "crop", **told})
        return rows

    def _empty(self, photo: Path) -> Row:
        """Do as wished with a photo in which nothing was found."""
        if self.wish.empty == "skip":
            return {"status": "skipped"}
        name = photo.relative_to(self.root)
        if self.wish.empty == "move":
            name = "no_detection" / name
        elif self._is_like_a_crop(name):
            name = name.with_name(f"{name.stem}_whole{name.suffix}")
        target = self.book.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.part")
        shutil.copyfile(photo, partial)
        os.replace(partial, target)
        return {"status": "moved" if self.wish.empty == "move" else "whole", "path": _text(name)}

    def _is_like_a_crop(self, name: Path) -> bool:
        """Whether the crop of another photo may have this name."""
        stem, _, number = name.stem.rpartition("_")
        other = name.with_name(stem) if stem else name
        return number.isdigit() and other.as_posix().casefold() in self.taken


def _text(path: Path) -> str:
    return path.as_posix().encode("utf-8", "backslashreplace").decode()
