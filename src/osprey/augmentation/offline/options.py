"""What `augment_data` may be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from osprey.augmentation.offline.counts import BALANCES
from osprey.augmentation.offline.variants import ORIGINALS
from osprey.errors import UserError, nearest
from osprey.system.memory import cores

KEEP = ("columns", "exif")
DEFAULT_SIZE = 1024  # pixels
_COLUMNS = ("path", "label", "split", "x", "y", "w", "h")


@dataclass(frozen=True)
class AugmentOptions:
    """The options of ``augment_data``, by the names they have on its command line.

    Attributes:
        input_folder: Photos at any depth, which are only read.
        output_folder: For the copies; new or empty, or begun by the same command.
        label_file: A table of labels or boxes, or annotations in a form that training reads.
        new_label_and_weights_file: The table that is written.
        policy: A policy by name, or a YAML file; None: ``fish``, with boxes ``detection``.
        copies: How many for a photo, on average over all.
        balance: Who gets them: ``sqrt``, ``uniform`` or ``none``.
        seed: 0 or more.
        workers: Processes; None: one a core.
        resume: Go on with what an earlier start has begun.
        counts: A table of classes and how many photos each is to have, originals included.
        balance_by: A column, or a pattern on the path: its groups are evened out in each class.
        originals: What becomes of them: ``copy``, ``link`` or ``leave``.
        keep: ``columns``: the label file's further columns; ``exif``: of the photos.
        size: Side of copies at most, in pixels.
        columns: The label file's own names for path, label, split and the sides of boxes.
        leave_out: Go on without photos that have no label or cannot be read.
        force: Replace a file that Osprey did not write.
    """

    input_folder: str | Path
    output_folder: str | Path
    label_file: str | Path
    new_label_and_weights_file: str | Path
    policy: str | None = None
    copies: int = 4
    balance: str = "sqrt"
    seed: int = 0
    workers: int | None = None
    resume: bool = False
    counts: str | Path | None = None
    balance_by: str | None = None
    originals: str = "copy"
    keep: Sequence[str] = ()
    size: int = DEFAULT_SIZE
    columns: Mapping[str, str] = field(default_factory=dict)
    leave_out: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked of each alone.

        Raises:
            UserError: A value is unknown or out of range.
        """
        _one_of("--balance", self.balance, BALANCES)
        _one_of("--originals", self.originals, ORIGINALS)
        for word in self.keep:
            _one_of("--keep", word, KEEP)
        for name in self.columns:
            _one_of("--columns", name, _COLUMNS)
        _number("--copies", self.copies, 0, 1000)
        _number("--seed", self.seed, 0, 2**32 - 1)
        _number("--size", self.size, 16, 4096)
        if self.workers is not None:
            _number("--workers", self.workers, 1, 256)

    @property
    def processes(self) -> int:
        """How many augment."""
        return self.workers or cores()


def _one_of(option: str, word: str, valid: Sequence[str]) -> None:
    if word not in valid:
        hint = nearest(word, valid)
        raise UserError(f"{option}: unknown '{word}'{hint} (one of {', '.join(valid)})")


def _number(option: str, value: int, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise UserError(f"{option}: {value} is not a whole number from {low} to {high}")
