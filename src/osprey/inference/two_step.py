"""A bundle of two steps: a detector within it says where, its classifier says what."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from osprey.errors import BundleError, UnreadableImage
from osprey.imaging.boxes import Boxes
from osprey.imaging.cropping import cut
from osprey.imaging.decode import decode
from osprey.imaging.size import size_of, turn
from osprey.inference.card import CARD, DETECTOR, Card, read_card
from osprey.inference.predictor import FORMATS, Predictor, Prepared
from osprey.inference.reader import BOXES, NO_NUMBER, Shown, stacked
from osprey.inference.recognised import Located, Recognised
from osprey.system.memory import cores

MARGIN = 0.1  # room left around a box, as a share of it
_KEPT = 1_000_000  # pixels of a photo that waits decoded; a larger one is decoded again
_AT_ONCE = 32  # crops
_MOST_CROPS = 128  # in memory, unless one photo has more


@dataclass(frozen=True)
class Steps:
    """How two steps go together, as a card's ``detector`` says it.

    Attributes:
        sha256: Of the detector's card, which names the hash of its network.
        margin: Room left around a box, as a share of it.
        full_image_fallback: The classifier is asked of the whole photo where no box is found.
        check: What the comparison with PyTorch found.
    """

    sha256: str
    margin: float
    full_image_fallback: bool
    check: Mapping[str, Any]

    @classmethod
    def of(cls, card: Card, folder: Path) -> Steps:
        """Check a card's ``detector``, which may come from a stranger.

        Raises:
            BundleError: It is not what Osprey writes.
        """
        wrong = BundleError(f"bundle '{folder}': its {CARD} is damaged (its detector is not one)")
        try:
            steps = cls(**(card.detector or {}))
        except TypeError:
            raise wrong from None
        plain = isinstance(steps.sha256, str) and type(steps.full_image_fallback) is bool
        share = type(steps.margin) in (int, float) and 0 <= steps.margin <= 10
        if not (plain and share and isinstance(steps.check, dict)):
            raise wrong
        return steps


def detector_of(folder: Path, card: Card) -> Path:
    """The folder of a two-step bundle's detector, whose card is the one that the bundle names.

    Args:
        folder: The bundle.
        card: Its card.

    Raises:
        BundleError: The detector is missing, or another than the bundle's.
    """
    inner = folder / DETECTOR
    found = read_card(inner)  # of a bounded size
    if hashlib.sha256((inner / CARD).read_bytes()).hexdigest() != Steps.of(card, folder).sha256:
        raise BundleError(
            f"bundle '{folder}': its {DETECTOR} is not the one that its {CARD} was written for: "
            "copy the bundle again, whole"
        )
    if found.detector is not None:
        raise BundleError(f"bundle '{inner}' has a {DETECTOR} itself: it finds no boxes alone")
    return inner


class _Scored(Protocol):
    """A classifier's answer."""

    @property
    def probabilities(self) -> NDArray[np.float32] | None:
        """float32 [C], or None where they are not numbers."""
        ...


@dataclass(frozen=True)
class _Opened:
    """A photo for both steps.

    Attributes:
        input: The detector's.
        pixels: The photo at full size, if it is small enough to keep, or no file holds it.
        content: The file's bytes, where they will be needed again.
    """

    input: NDArray[np.uint8]
    pixels: NDArray[np.uint8] | None
    content: bytes = b""


class TwoStepPredictor(Predictor):
    """A bundle of two steps, ready to answer; see `Predictor`.

    What is asked, and how, is as `osprey.pipelines.two_step` does it with PyTorch.

    Attributes:
        detector: The bundle within, which finds the boxes.
    """

    def __init__(self, bundle: Path, threads: int | None = None) -> None:
        super().__init__(bundle, threads)
        self.steps = Steps.of(self.card, self.folder)
        self.detector = Predictor(detector_of(self.folder, self.card), threads)
        named = hasattr(self._reader.unreadable("", ""), "probabilities")
        if self.detector.answer_key != BOXES or not named:
            raise BundleError(f"bundle '{self.folder}' does not hold a detector and a classifier")
        self._pool = ThreadPoolExecutor(cores(), thread_name_prefix="crop")

    @property
    def columns(self) -> tuple[str, ...]:
        """Of a table of answers."""
        return Recognised.columns

    @property
    def formats(self) -> tuple[str, ...]:
        """Forms that a table of answers may have."""
        return FORMATS

    def prepare_frame(self, name: str, pixels: NDArray[np.uint8]) -> Prepared:
        """Resize one frame for the detector; the classifier needs it whole."""
        shown, seen = self.detector.prepare_frame(name, pixels)
        return shown, _Opened(seen, pixels)

    def _prepared(self, name: str, content: bytes) -> Prepared:
        form = self.detector.preprocess
        pixels = decode(content, min_side=form.decode_side, name=name, value_range=form.value_range)
        width, height = size_of(content, pixels)
        kept = pixels.shape[:2] == (height, width) and width * height <= _KEPT
        kept = kept and form.value_range == self.preprocess.value_range
        seen = self.detector.preprocess(pixels)
        again = content if self.steps.full_image_fallback or not kept else b""
        return Shown(name, width, height), _Opened(seen, pixels if kept else None, again)

    def answers(self, prepared: Sequence[Prepared]) -> list[Recognised]:  # type: ignore[override]
        """Answers about a batch of `prepare`'s, in order."""
        seen = [
            (photo, opened.input if isinstance(opened, _Opened) else opened)
            for photo, opened in prepared
        ]
        found = cast("list[Located]", self.detector.answers(seen))
        opened = [item if isinstance(item, _Opened) else None for _, item in prepared]
        answers: list[Recognised] = []
        for first, last in _groups(found):
            some = found[first:last]
            pieces = list(self._pool.map(self._pieces, some, opened[first:last]))
            flat = [piece for photo in pieces if not isinstance(photo, str) for piece in photo]
            rows = self._named(flat)
            answers += (self._answer(one, it, rows) for one, it in zip(some, pieces, strict=True))
        return answers

    def _answer(
        self, found: Located, pieces: _Pieces, rows: Iterator[NDArray[np.float32] | None]
    ) -> Recognised:
        """A photo's answer, of as many of the next rows as it has pieces."""
        failure = pieces if isinstance(pieces, str) else None
        taken = [] if isinstance(pieces, str) else list(islice(rows, len(pieces)))
        named = [row for row in taken if row is not None]
        if len(named) < len(taken):
            failure = NO_NUMBER
        if failure is not None:
            found = cast("Located", self.detector.answers([(found.file, failure)])[0])
            named = []
        table = np.stack(named) if named else np.zeros((0, len(self.classes)), np.float32)
        return Recognised(found, table, self.detector.classes, self.card.unknown_below or 0.0)

    def _named(self, pieces: Sequence[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32] | None]:
        """The classifier's probabilities about each piece; None where they are not numbers."""
        for at in range(0, len(pieces), _AT_ONCE):
            inputs = stacked(pieces[at : at + _AT_ONCE])
            found = self._reader.read(self.outputs(inputs), [_PIECE] * len(inputs))
            yield from (one.probabilities for one in cast("Sequence[_Scored]", found))

    def _pieces(self, found: Located, opened: _Opened | None) -> _Pieces:
        """The classifier's inputs of one photo, or why it cannot be read."""
        if opened is None or found.detections is None:
            return []
        boxes = found.detections.boxes
        if not len(boxes) and not self.steps.full_image_fallback:
            return []
        try:
            return self._inputs(found, boxes, opened)
        except UnreadableImage as error:
            return str(error)

    def _inputs(self, found: Located, boxes: Boxes, opened: _Opened) -> list[NDArray[np.uint8]]:
        """A photo's boxes, or the whole, which is decoded as the classifier's photos are."""
        pixels = opened.pixels if len(boxes) or not opened.content else None
        least = 0 if len(boxes) else self.preprocess.decode_side
        with turn(found.width, found.height) if pixels is None else nullcontext():
            if pixels is None:
                pixels = decode(
                    opened.content,
                    min_side=least,
                    name=found.file,
                    value_range=self.preprocess.value_range,
                )
            if not len(boxes):
                return [self.preprocess(pixels)]
            return [self.preprocess(cut(pixels, box, self.steps.margin)) for box in boxes]


def _groups(found: Sequence[Located]) -> Iterator[tuple[int, int]]:
    """First and last of photos whose boxes are cut out at once."""
    first, count = 0, 0
    for at, photo in enumerate(found):
        boxes = max(1, len(photo.detections or ()))
        if count + boxes > _MOST_CROPS and count:
            yield first, at
            first, count = at, 0
        count += boxes
    yield first, len(found)


_Pieces = list[NDArray[np.uint8]] | str
_PIECE = Shown("", 0, 0)


def open_bundle(folder: Path, threads: int | None = None) -> Predictor:
    """A bundle of one step or of two, ready to answer; see `Predictor`.

    Raises:
        BundleError: It is damaged, or names a reader that is not trusted.
    """
    return (TwoStepPredictor if read_card(folder).detector else Predictor)(folder, threads)
