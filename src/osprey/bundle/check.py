"""A bundle's answers beside PyTorch's, on the run's own validation photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from osprey.data.manifest import Manifest
from osprey.errors import BundleError
from osprey.inference.card import Card
from osprey.inference.drift import tally
from osprey.inference.feature_drift import spread_of
from osprey.inference.predictor import Predictor, Prepared
from osprey.inference.reader import Answer, Shown, reader_of, stacked
from osprey.tasks.plugin import TaskPlugin

_MOST = 1000  # photos of a larger split, evenly spaced
_PIXELS = _MOST * 224**2  # in all: a detector's photos take many times as long
_BATCH = 16  # photos of 224 px
_LARGEST = 1e-3  # difference of the outputs, relative to the largest of them
FEWEST = 0.99  # answers that are the same
FIGURE = 0.005  # difference of the main metric


@dataclass(frozen=True)
class Parity:
    """How a bundle compares with PyTorch.

    Attributes:
        photos: Number of validation photos asked about.
        of: Number of photos of the split.
        agreement: Share of them with the same answer.
        error: Largest difference of an output, relative to the largest output.
        metric: Key of the task's main metric.
        ours: Its value by PyTorch.
        theirs: Its value by the bundle.
        answers: What the bundle answered, counted (`osprey.inference.drift.Tally`).
        features: How the photos' features lie (`osprey.inference.feature_drift.Spread`), or None
            where the bundle tells none.
    """

    photos: int
    of: int
    agreement: float
    error: float
    metric: str
    ours: float
    theirs: float
    answers: dict[str, Any]
    features: dict[str, Any] | None = None

    def line(self) -> str:
        """For the terminal."""
        some = f"{self.photos}" if self.photos == self.of else f"{self.photos} of {self.of}"
        return (
            f"{self.agreement:.1%} of {some} validation photos answered as by PyTorch, largest "
            f"error {self.error:.1e}, {self.metric} {self.theirs:.3f} (PyTorch {self.ours:.3f})"
        )


def compare(predictor: Predictor, network: nn.Module, task: TaskPlugin, val: Manifest) -> Parity:
    """Ask both about the same photos, read and prepared by the bundle.

    Args:
        predictor: The bundle.
        network: What was exported, in PyTorch: uint8 [B, S, S, 3] to its outputs.
        task: Of the run.
        val: Its validation split.

    Returns:
        The comparison.

    Raises:
        BundleError: None of the photos can be read, or an output is not a number.
    """
    card, side = predictor.card, predictor.preprocess.size
    part = spaced(val, max(1, min(_MOST, _PIXELS // side**2)))
    both = _Both(task, card)
    rows: list[int] = []
    paths = [val.root / path for path in part.table["path"]]
    count = max(1, min(_BATCH, _BATCH * 224**2 // side**2))
    for start in range(0, len(paths), count):
        prepared = [predictor.prepare(path) for path in paths[start : start + count]]
        shown = [photo for photo, _ in prepared if isinstance(photo, Shown)]
        if not shown:
            continue
        rows += [start + i for i, (photo, _) in enumerate(prepared) if isinstance(photo, Shown)]
        inputs = stacked(_inputs(prepared))
        both.add(_asked(network, inputs), predictor.outputs(inputs), shown)
    if not rows:
        raise BundleError(
            f"none of the run's validation photos can be read under '{val.root}': name their "
            "folder with --root"
        )
    seen = Manifest(val.root, part.table.iloc[rows].reset_index(drop=True))
    return both.parity(seen, len(val.table))


class _Both:
    """Answers of PyTorch and of a bundle; of the outputs, which may be large, the error alone.

    Args:
        task: Of the run.
        card: The bundle's.
    """

    def __init__(self, task: TaskPlugin, card: Card) -> None:
        self.task, self.card = task, card
        self.reader = reader_of(task.uncut(card), "the bundle")
        self.ours: list[Answer] = []
        self.theirs: list[Answer] = []
        # Of each output so far: its largest difference and its largest number.
        self.most: NDArray[np.float64] | None = None

    def add(
        self, ours: list[NDArray[Any]], theirs: list[NDArray[Any]], shown: Sequence[Shown]
    ) -> None:
        """Take the outputs about a batch of photos."""
        self.ours += self.reader.read(ours, shown)
        self.theirs += self.reader.read(theirs, shown)
        for answer in (*self.ours[-len(shown) :], *self.theirs[-len(shown) :]):
            if answer.failure is not None:
                raise BundleError(f"it is not exported: {answer.failure}")
        one, other = (self.task.comparable(self.card, outputs) for outputs in (ours, theirs))
        pairs = [(np.abs(a - b).max(), np.abs(a).max()) for a, b in zip(one, other, strict=True)]
        found = np.array(pairs, dtype=np.float64)
        self.most = found if self.most is None else np.maximum(self.most, found)

    def parity(self, seen: Manifest, of: int) -> Parity:
        """How they compare.

        Args:
            seen: The photos that were asked about, in order.
            of: Number of photos of the split.
        """
        task, card = self.task, self.card
        pairs = zip(self.ours, self.theirs, strict=True)
        same = [task.same_answer(card, one, other) for one, other in pairs]
        key = task.metrics[0].key
        figures = [task.bundle_figures(card, a, seen)[key] for a in (self.ours, self.theirs)]
        assert self.most is not None
        error = float((self.most[:, 0] / np.maximum(self.most[:, 1], 1e-12)).max())
        return Parity(
            *(len(seen.table), of, float(np.mean(same)), error, key),
            ours=figures[0],
            theirs=figures[1],
            answers=tally(answer.record(card.classes) for answer in self.theirs).to_dict(),
            features=spread_of([getattr(answer, "features", None) for answer in self.theirs]),
        )


def _asked(network: nn.Module, inputs: NDArray[np.uint8]) -> list[NDArray[Any]]:
    """PyTorch's outputs."""
    with torch.inference_mode():
        found = network(torch.from_numpy(inputs))
    found = found if isinstance(found, tuple | list) else (found,)
    return [values.float().numpy() for values in found]


def _inputs(prepared: Sequence[Prepared]) -> list[NDArray[np.uint8]]:
    return [pixels for _, pixels in prepared if isinstance(pixels, np.ndarray)]


def refuse_unlike(parity: Parity, folder: Path) -> None:
    """Check that a float32 bundle answers as PyTorch does.

    Raises:
        BundleError: It does not.
    """
    off = abs(parity.ours - parity.theirs)
    if parity.error > _LARGEST or parity.agreement < FEWEST or off > FIGURE:
        raise BundleError(f"'{folder}' is not written: {parity.line()}")


def refuse_worse(parity: Parity, higher_is_better: bool, most: float) -> None:
    """Check what a smaller network costs.

    Args:
        parity: Beside PyTorch's float32.
        higher_is_better: Of the metric.
        most: What it may lose.

    Raises:
        BundleError: It loses more.
    """
    lost = parity.ours - parity.theirs if higher_is_better else parity.theirs - parity.ours
    if lost > most:
        raise BundleError(
            f"int8 costs {lost:.3f} of {parity.metric} on validation ({parity.theirs:.3f} instead "
            f"of {parity.ours:.3f}), more than --max-drop {most:g}: export float32 instead, or "
            "allow more"
        )


def spaced(manifest: Manifest, most: int) -> Manifest:
    """At most so many samples, evenly spaced."""
    table = manifest.table
    rows = np.unique(np.linspace(0, len(table) - 1, min(most, len(table))).round().astype(int))
    return Manifest(manifest.root, table.iloc[rows].reset_index(drop=True))
