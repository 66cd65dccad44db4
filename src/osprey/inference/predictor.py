"""Answers about photos from a bundle: the same decoder and preprocessing as in validation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.errors import UnreadableImage
from osprey.imaging.decode import decode, read_file
from osprey.imaging.size import announced_size, size_of, turn
from osprey.inference.card import CARD, read_card
from osprey.inference.network import Outputs, open_network, run
from osprey.inference.reader import Answer, Shown, reader_of, refuse_unknown, stacked
from osprey.system.ahead import batches_ahead

FORMATS = ("csv", "json", "jsonl")  # of a table of any task's answers
Photo = Path | tuple[str, bytes]  # a file, or a name and its bytes


class Predictor:
    """A bundle, ready to answer.

    Args:
        bundle: Its folder.
        threads: Of one computation; None for every core.
        outputs: What computes its network; None: ONNX Runtime.

    Attributes:
        folder: The bundle's folder.
        card: The bundle's card.
        classes: Class names in the order of the outputs.
        preprocess: How a photo becomes the network's input.

    Raises:
        BundleError: It is damaged, or names a reader that is not trusted.
    """

    def __init__(
        self, bundle: Path, threads: int | None = None, outputs: Outputs | None = None
    ) -> None:
        self.folder = Path(bundle)
        self.card = read_card(self.folder)
        self.classes = self.card.classes
        self.preprocess = self.card.input
        self._reader = reader_of(self.card, f"bundle '{self.folder}'")
        if outputs is None:
            outputs = partial(run, open_network(self.folder, self.card, threads))
        self._outputs = outputs

    @property
    def columns(self) -> tuple[str, ...]:
        """Of a table of answers."""
        return self._reader.columns

    @property
    def formats(self) -> tuple[str, ...]:
        """Forms that a table of answers may have."""
        return (*FORMATS, *getattr(self._reader, "formats", ()))

    @property
    def answer_key(self) -> str:
        """Of a record, what holds the answer: ``label``, ``detections``."""
        return self._reader.answer_key

    @property
    def checkpoint(self) -> Path:
        """The file that names all that the answers come from."""
        return self.folder / CARD

    def set_unknown_below(self, score: float) -> None:
        """Call an answer of a lower score, 0 to 1, unknown.

        Raises:
            UserError: The bundle's answers are never called so.
        """
        refuse_unknown(self._reader, self.card)
        self.card = replace(self.card, unknown_below=score)
        self._reader = reader_of(self.card, f"bundle '{self.folder}'")

    def outputs(self, inputs: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """The network's outputs about preprocessed photos, uint8 [N, S, S, 3]."""
        return self._outputs(inputs)

    def one(self, photo: Photo) -> Answer:
        """The answer about one photo."""
        prepared = self.prepare(photo)
        return self.answers([prepared])[0]

    def predict(self, photos: Iterable[Photo], batch_size: int = 16) -> Iterator[Answer]:
        """Yield one answer per photo, in order, with constant memory.

        Args:
            photos: Files, or names with bytes.
            batch_size: Photos that the network is asked about at once.

        Yields:
            One answer per photo; with a failure for what cannot be read.
        """
        for batch in batches_ahead(photos, self._in_turn, batch_size):
            yield from self.answers([prepared for _, prepared in batch])

    def prepare_frame(self, name: str, pixels: NDArray[np.uint8]) -> Prepared:
        """Resize one frame, uint8 [H, W, 3], RGB, that no file holds; see `prepare`."""
        return Shown(name, pixels.shape[1], pixels.shape[0]), self.preprocess(pixels)

    def prepare(self, photo: Photo) -> Prepared:
        """Decode and resize one photo.

        Returns:
            What it is called, and its input; or why it cannot be read.
        """
        name = _name(photo)
        try:
            return self._prepared(name, _content(photo))
        except UnreadableImage as error:
            return name, str(error)

    def _in_turn(self, photo: Photo) -> Prepared:
        """`prepare`, with memory held for a large photo."""
        name = _name(photo)
        try:
            content = _content(photo)
            with turn(*(announced_size(content) or (0, 0))):
                return self._prepared(name, content)
        except UnreadableImage as error:
            return name, str(error)

    def _prepared(self, name: str, content: bytes) -> Prepared:
        form = self.preprocess
        pixels = decode(content, min_side=form.decode_side, name=name, value_range=form.value_range)
        size = size_of(content, pixels) if self._reader.needs_sizes else (0, 0)
        return Shown(name, *size), self.preprocess(pixels)

    def answers(self, prepared: Sequence[Prepared]) -> list[Answer]:
        """Answers about a batch of `prepare`'s, in order."""
        shown = [photo for photo, _ in prepared if isinstance(photo, Shown)]
        inputs = [pixels for _, pixels in prepared if isinstance(pixels, np.ndarray)]
        found = iter(self._reader.read(self.outputs(stacked(inputs)), shown) if shown else ())
        return [
            next(found)
            if isinstance(photo, Shown)
            else self._reader.unreadable(photo, str(failure))
            for photo, failure in prepared
        ]


# A photo and its input, uint8 [S, S, 3] (of two steps, what both need); or its name and why it
# cannot be read.
Prepared = tuple[Shown | str, Any]


def _name(photo: Photo) -> str:
    return str(photo) if isinstance(photo, Path) else photo[0]


def _content(photo: Photo) -> bytes:
    return read_file(photo) if isinstance(photo, Path) else photo[1]
