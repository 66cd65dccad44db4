"""What a task gives a bundle: a class that turns the network's outputs into answers.

It lies in the task's package, imports no PyTorch, and is named in the bundle's card.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from osprey.errors import BundleError, UserError
from osprey.inference.card import CARD, Card
from osprey.system.trust import is_trusted

# The failure of a photo whose outputs are NaN or infinite.
NO_NUMBER = "the network's answer is not a number: train again with a lower optimizer.lr"
UNKNOWN = "unknown"  # the label of an answer whose score is below the bundle's limit
BOXES = "detections"  # the `answer_key` of readers that find boxes


class Answer(Protocol):
    """The answer about one file."""

    @property
    def file(self) -> str:
        """The file, or what else it was called."""
        ...

    @property
    def failure(self) -> str | None:
        """Why the file cannot be read, or None."""
        ...

    def record(self, classes: Sequence[str]) -> dict[str, Any]:
        """The answer as plain data: ``{"file", ...}``, or ``{"file", "failure"}``."""
        ...

    def labels(self, classes: Sequence[str]) -> list[str]:
        """What is on the photo, in a word or a word a box."""
        ...

    def rows(self, classes: Sequence[str]) -> list[list[Any]]:
        """Rows of a table with the reader's columns."""
        ...

    def ranked(self, classes: Sequence[str]) -> list[list[Any]]:
        """Every class, or box, with its score."""
        ...


@dataclass(frozen=True)
class Shown:
    """A photo that the network was shown.

    Attributes:
        file: Its path, or another name for it.
        width: Of the photo in pixels, EXIF orientation applied; 0 where the reader needs none.
        height: Likewise.
    """

    file: str
    width: int
    height: int


class Reader(Protocol):
    """Reads the outputs of one bundle's network.

    Args:
        card: The bundle's.

    Raises:
        ValueError: The card's ``options`` are not this reader's.

    Attributes:
        needs_sizes: Whether photos come with their width and height.
        answer_key: Of a record, what holds the answer: ``label``, `BOXES`.
        columns: Of a table of answers.
        formats: Further forms of a table, if there are any: ``submission``, whose rows are the
            answers' ``submission(classes)``.
        knows_unknown: Whether a low score is told as "unknown"; not, where there is none.
    """

    needs_sizes: ClassVar[bool]
    answer_key: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]

    def __init__(self, card: Card) -> None: ...

    def read(self, outputs: Sequence[NDArray[Any]], photos: Sequence[Shown]) -> Sequence[Answer]:
        """The answers about a batch.

        Args:
            outputs: Of the network, each [N, ...].
            photos: The N photos.

        Returns:
            N answers, in order.
        """
        ...

    def unreadable(self, file: str, failure: str) -> Answer:
        """The answer about a file that cannot be read."""
        ...


def reader_of(card: Card, where: str) -> Reader:
    """The reader that a card names; see `reader_class`.

    Raises:
        BundleError: Likewise, or it cannot read by this card.
    """
    try:
        return reader_class(card, where)(card)
    except ValueError as error:
        raise BundleError(f"{where}: its {CARD} is damaged ({error})") from None


def reader_class(card: Card, where: str) -> type[Reader]:
    """The class of the reader that a card names.

    Args:
        card: Of a bundle, which may come from a stranger.
        where: The bundle, for the message.

    Returns:
        The class.

    Raises:
        BundleError: It is neither Osprey's nor a trusted package's, or cannot be imported.
    """
    module, _, name = card.reader.rpartition(".")
    if not is_trusted(card.reader):
        package = card.reader.partition(".")[0]
        raise BundleError(
            f"{where} is read by {card.reader}, which is not Osprey's: install the package that "
            f"brings it, or add --plugin {package} if you trust it"
        )
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BundleError(f"{where}: {card.reader} cannot be imported: {error}") from None
    if not (isinstance(found, type) and hasattr(found, "read") and hasattr(found, "answer_key")):
        raise BundleError(f"{where}: {card.reader} is not a reader of answers")
    return cast("type[Reader]", found)


def refuse_unknown(reader: Reader, card: Card) -> None:
    """Check that a low score can be told as "unknown".

    Raises:
        UserError: The reader knows no such answer.
    """
    if not getattr(reader, "knows_unknown", False):
        raise UserError(f"--unknown-below is not for a bundle of task={card.task}")


def stacked(inputs: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Photos uint8 [S, S, 3] as one batch [N, S, S, 3]; a single one is not copied."""
    return inputs[0][None] if len(inputs) == 1 else np.stack(inputs)
