"""A detector's bundle and a classifier's run as one bundle, compared with PyTorch's two steps."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from osprey.bundle.check import FEWEST, FIGURE, spaced
from osprey.bundle.export import export_run
from osprey.bundle.formats import FORMATS, bundle_folder
from osprey.data.manifest import Manifest
from osprey.errors import BundleError
from osprey.imaging import Preprocess
from osprey.imaging.boxes import match
from osprey.inference.card import CARD, DETECTOR, NETWORK, Card
from osprey.inference.predictor import Predictor as Bundle
from osprey.inference.recognised import Recognised
from osprey.inference.registry import REGISTERED_RUN
from osprey.inference.two_step import MARGIN, TwoStepPredictor
from osprey.pipelines.two_step import BoxFinder, TwoStep
from osprey.runs.folder import RunFolder
from osprey.system.files import write_text
from osprey.tasks.classification.predictor import Predictor
from osprey.tasks.detection.bundles import same_boxes
from osprey.tasks.detection.prediction import BoxPrediction
from osprey.tasks.detection.predictor import BoxPredictor

_PIXELS = 50_000_000  # of the detector's inputs in all: PyTorch's takes its time
_MOST = 200  # photos
_OVERLAP = 0.9  # IoU of a box and its twin
# Boxes that differ by thousandths of a pixel may be cut one pixel apart.
_SHARE = 0.02  # difference of probabilities by which the best class of a box may be another


@dataclass(frozen=True)
class TwoStepParity:
    """How a bundle of two steps compares with PyTorch.

    Attributes:
        photos: Number of validation photos asked about.
        of: Number of photos of the split.
        boxes: That the bundle found on them.
        agreement: Share of them with the same label, boxes and species.
        error: Largest difference of a probability of the same box.
        ours: Share of photos with the right label by PyTorch.
        theirs: By the bundle.
        detector: What PyTorch's boxes came from: ``checkpoint``, or ``bundle`` where the detector
            is a bundle without one.
    """

    photos: int
    of: int
    boxes: int
    agreement: float
    error: float
    ours: float
    theirs: float
    detector: str

    def line(self) -> str:
        """For the terminal."""
        some = f"{self.photos}" if self.photos == self.of else f"{self.photos} of {self.of}"
        whose = "" if self.detector == "checkpoint" else " on the boxes of the detector's bundle"
        return (
            f"two steps: {self.agreement:.1%} of {some} validation photos ({self.boxes} boxes) "
            f"answered as by PyTorch{whose}, largest difference of a probability {self.error:.1e}, "
            f"top1 {self.theirs:.3f} (PyTorch {self.ours:.3f})"
        )


def two_step_folder(run: RunFolder, form: str = "onnx") -> Path:
    """Where a run's bundle of two steps lies, beside the classifier's own."""
    folder = bundle_folder(run, form)
    return folder.with_name(f"{folder.name}-two-step")


def export_two_step(
    run: RunFolder,
    detector: Path,
    folder: Path,
    form: str = "onnx",
    root: str | None = None,
    max_drop: float = 0.01,
    unknown_below: float | None = None,
    *,
    fallback: bool = False,
) -> list[str]:
    """Export a classifier's run with a detector's bundle within.

    Args:
        run: The classifier's, with a checkpoint.
        detector: The detector's bundle.
        folder: The bundle's; one of Osprey's that is there gives way.
        form: See `osprey.bundle.export.export_run`.
        root: Likewise.
        max_drop: Likewise, also of what two steps name rightly.
        unknown_below: Likewise.
        fallback: The classifier is asked of the whole photo where no box is found.

    Returns:
        How classifier and two steps compare with PyTorch, a line each.

    Raises:
        BundleError: The network cannot be exported, or the bundle answers otherwise.
        UserError: The run is damaged, or its validation photos are not there.
    """
    if FORMATS[form].file != NETWORK:
        raise BundleError(f"two steps need ONNX Runtime: leave --format {form} or --detector out")
    lines: list[str] = []

    def complete(partial: Path, card: Card) -> Card:
        steps = _joined(partial, detector, fallback=fallback)
        card = replace(card, detector={**steps, "check": {}})
        write_text(partial / CARD, card.to_json())
        bundle = TwoStepPredictor(partial)
        val = run.load_manifest(root or run.load_config().data.root).split("val")
        boxes, source = _finder(detector)
        ours = TwoStep(boxes, Predictor(run.best, torch.device("cpu")), MARGIN, fallback)
        parity = compare_two_step(bundle, ours, val, source)
        exact = card.precision == bundle.detector.card.precision == "float32"
        _refuse(parity, folder, exact, max_drop)
        lines.append(parity.line())
        return replace(card, detector={**steps, "check": asdict(parity)})

    parts = form, root, max_drop, unknown_below, complete
    _, parity = export_run(run, folder, *parts)
    return [parity.line(), *lines]


def _joined(bundle: Path, detector: Path, *, fallback: bool) -> dict[str, Any]:
    """Copy a detector's bundle into another; what the card says of how both go together."""
    inner = bundle / DETECTOR
    inner.mkdir()
    for name in (CARD, NETWORK):
        shutil.copyfile(detector / name, inner / name)
    sha256 = hashlib.sha256((inner / CARD).read_bytes()).hexdigest()
    return {"sha256": sha256, "margin": MARGIN, "full_image_fallback": fallback}


class _BundleBoxes:
    """A detector's bundle in the place of its checkpoint."""

    def __init__(self, bundle: Path) -> None:
        self._bundle = Bundle(bundle)

    @property
    def classes(self) -> list[str]:
        """Names of what it finds."""
        return self._bundle.classes

    @property
    def preprocess(self) -> Preprocess:
        """How a photo becomes its input."""
        return self._bundle.preprocess

    def predict_opened(
        self, files: Iterable[Path], /
    ) -> Iterator[tuple[BoxPrediction, NDArray[np.uint8] | None]]:
        """The boxes of each file."""
        for answer in self._bundle.predict(files):
            yield cast("BoxPrediction", answer), None


def _finder(bundle: Path) -> tuple[BoxFinder, str]:
    """The checkpoint that a detector's bundle was made of, where it lies with it; else the bundle.

    It lies with it in its run, and in the registry.
    """
    for place in (bundle.parent, bundle / REGISTERED_RUN):
        best = RunFolder(place).best
        if best.is_file():
            return BoxPredictor(best, torch.device("cpu")), "checkpoint"
    return _BundleBoxes(bundle), "bundle"


def compare_two_step(
    theirs: TwoStepPredictor, ours: TwoStep, val: Manifest, source: str
) -> TwoStepParity:
    """Ask both about the same photos.

    Args:
        theirs: The bundle.
        ours: The same two steps in PyTorch.
        val: The classifier's validation split.
        source: What PyTorch's boxes come from, for the comparison.

    Returns:
        The comparison.

    Raises:
        BundleError: None of the photos can be read.
    """
    seen = _seen(theirs, ours, val)
    classes = theirs.classes
    labels = [(true, a.summary(classes)[0], b.summary(classes)[0]) for true, a, b in seen]
    card = theirs.detector.card
    found = [_compared(card, one, other) for _, one, other in seen]
    same = [a == b and alike for (_, a, b), (alike, _) in zip(labels, found, strict=True)]
    return TwoStepParity(
        photos=len(seen),
        of=len(val.table),
        boxes=sum(len(other.prediction.detections or ()) for *_, other in seen),
        agreement=float(np.mean(same)),
        error=max(off for _, off in found),
        ours=float(np.mean([true == a for true, a, _ in labels])),
        theirs=float(np.mean([true == b for true, _, b in labels])),
        detector=source,
    )


def _seen(
    theirs: TwoStepPredictor, ours: TwoStep, val: Manifest
) -> list[tuple[str, Recognised, Recognised]]:
    """The label of each photo that can be read, PyTorch's answer and the bundle's."""
    side = theirs.detector.preprocess.size
    part = spaced(val, max(1, min(_MOST, _PIXELS // side**2)))
    files = [part.root / path for path in part.table["path"]]
    pairs = zip(ours.predict(files), theirs.predict(files), strict=True)
    seen = [
        (str(label), one, cast("Recognised", other))
        for label, (one, other) in zip(part.table["label"], pairs, strict=True)
        if one.failure is None and other.failure is None
    ]
    if not seen:
        raise BundleError(
            f"none of the run's validation photos can be read under '{val.root}': name their "
            "folder with --root"
        )
    return seen


def _compared(card: Card, one: Recognised, other: Recognised) -> tuple[bool, float]:
    """Whether two answers hold the same boxes and species, and how far these are apart."""
    first, second = (cast("BoxPrediction", answer.prediction) for answer in (one, other))
    if first.detections is None or second.detections is None:
        return first.detections is second.detections, 0.0
    alike, off = same_boxes(card, first, second), 0.0
    if not len(first.detections) and not len(second.detections):
        rows: Any = np.arange(len(one.probabilities))  # that of the whole photo, if any
    else:
        rows = match(first.detections.boxes, second.detections.boxes, _OVERLAP)
    for row, twin in enumerate(rows):
        if twin < 0:
            continue
        p, q = one.probabilities[row], other.probabilities[twin]
        apart = float(np.abs(p - q).max())
        off = max(off, apart)
        alike = alike and (int(p.argmax()) == int(q.argmax()) or apart < _SHARE)
    return alike, off


def _refuse(parity: TwoStepParity, folder: Path, exact: bool, most: float) -> None:
    """Check that two steps answer as PyTorch does, or, in eight bits, nearly so."""
    lost = parity.ours - parity.theirs
    # Of few photos one that is named otherwise is a larger share than that.
    unlike = parity.agreement < FEWEST or abs(lost) > max(FIGURE, 1.5 / parity.photos)
    if unlike if exact else lost > most:
        raise BundleError(f"'{folder}' is not written: {parity.line()}")
