"""A detector's scores and boxes of every place as its answers. No PyTorch: a bundle is asked so.

What is chosen, and in which order, is what torchvision's detectors choose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from osprey.errors import BundleError
from osprey.imaging.boxes import Boxes, Detections, iou
from osprey.inference.reader import BOXES, NO_NUMBER, Shown
from osprey.tasks.detection.prediction import COLUMNS, UNCHOSEN, BoxPrediction, above, on_photo

if TYPE_CHECKING:
    from osprey.inference.card import Card

_MOST = 10_000_000  # places; more than any network of 4096 px has


@dataclass(frozen=True)
class Choice:
    """How boxes are chosen from the places, as a card's ``options`` say it.

    Attributes:
        score_threshold: A box scores more, 0 to 1.
        candidates: Most boxes before suppression, of each level or each class.
        levels: Number of places on each level; None: candidates are counted by class.
        nms_iou: IoU above which the lower-scored box of a class is dropped; None: none is.
        max_detections: Most boxes of a photo.
    """

    score_threshold: float
    candidates: int
    levels: list[int] | None
    nms_iou: float | None
    max_detections: int

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Choice:
        """Check a card's ``options``, which may come from a stranger.

        Raises:
            ValueError: They are not a detector's.
        """
        try:
            choice = cls(**options)
        except TypeError:
            raise ValueError("its options are not a detector's") from None
        counts = [choice.candidates, choice.max_detections, *(choice.levels or [])]
        shares = [choice.score_threshold, *([] if choice.nms_iou is None else [choice.nms_iou])]
        sound = (
            (choice.levels is None or (isinstance(choice.levels, list) and bool(choice.levels)))
            and all(type(count) is int and 1 <= count <= _MOST for count in counts)
            and all(type(share) in (int, float) and 0 <= share <= 1 for share in shares)
        )
        if not sound:
            raise ValueError("its options are out of range")
        return choice


class BoxReader:
    """Reads the outputs ``scores`` [N, P, C] and ``boxes`` [N, P, 4] about N photos.

    Args:
        card: The bundle's.

    Raises:
        ValueError: The card's options are not a detector's.
    """

    needs_sizes: ClassVar[bool] = True
    answer_key: ClassVar[str] = BOXES
    columns: ClassVar[tuple[str, ...]] = COLUMNS

    def __init__(self, card: Card) -> None:
        self.choice = Choice.from_options(card.options)
        self.classes = len(card.classes)
        self.preprocess = card.input
        chosen = card.thresholds or [UNCHOSEN] * self.classes
        self.thresholds = np.array(chosen, dtype=np.float32)

    def read(
        self, outputs: Sequence[NDArray[Any]], photos: Sequence[Shown]
    ) -> Sequence[BoxPrediction]:
        """One prediction a photo; NaN or infinite outputs become a failure.

        Raises:
            BundleError: The outputs are not those of a detector with the card's options.
        """
        self._check(outputs, len(photos))
        found = []
        for scores, boxes, photo in zip(*outputs, photos, strict=True):
            if not (np.isfinite(scores).all() and np.isfinite(boxes).all()):
                found.append(self.unreadable(photo.file, NO_NUMBER))
                continue
            chosen = self.chosen(scores, boxes)
            placed = on_photo(chosen.boxes, photo.width, photo.height, self.preprocess)
            answers = above(Detections(placed, chosen.scores, chosen.labels), self.thresholds)
            found.append(BoxPrediction(photo.file, photo.width, photo.height, answers))
        return found

    def unreadable(self, file: str, failure: str) -> BoxPrediction:
        """A prediction without boxes."""
        return BoxPrediction(file, 0, 0, None, failure)

    def chosen(self, scores: NDArray[np.float32], boxes: Boxes) -> Detections:
        """The boxes that the network itself would give.

        Args:
            scores: float32 [P, C], 0 to 1.
            boxes: float32 [P, 4], corners in pixels of the input.

        Returns:
            Boxes in pixels of the input, highest score first.
        """
        flat, choice = scores.ravel(), self.choice
        places = self._candidates(flat)
        best, corners, labels = flat[places], boxes[places // self.classes], places % self.classes
        kept = suppress(corners, best, labels, choice.nms_iou, choice.max_detections)
        return Detections(corners[kept], best[kept], labels[kept])

    def _candidates(self, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        """The best scores above the threshold of each level or class, as indices."""
        over = np.flatnonzero(scores > self.choice.score_threshold)
        if self.choice.levels is None:
            groups = over % self.classes
        else:
            ends = np.cumsum(self.choice.levels)
            groups = np.searchsorted(ends, over // self.classes, side="right")
        parts = [over[groups == group] for group in np.unique(groups)]
        ranked = [part[np.argsort(-scores[part], kind="stable")] for part in parts]
        most = self.choice.candidates
        return np.concatenate([part[:most] for part in ranked]) if ranked else over

    def _check(self, outputs: Sequence[NDArray[Any]], count: int) -> None:
        shapes = [values.shape for values in outputs]
        levels = self.choice.levels
        places = sum(levels) if levels else (shapes[0][1:2] or (0,))[0]
        if shapes != [(count, places, self.classes), (count, places, 4)]:
            raise BundleError("the bundle's network answers otherwise than its card says")


def suppress(
    boxes: Boxes,
    scores: NDArray[np.float32],
    labels: NDArray[np.int64],
    overlap: float | None,
    most: int,
) -> NDArray[np.int64]:
    """Non-maximum suppression within each class, as torchvision's ``batched_nms``.

    Args:
        boxes: float32 [N, 4], corners.
        scores: float32 [N].
        labels: int64 [N].
        overlap: IoU above which a box is dropped for a higher-scored one of its class; None:
            nothing is.
        most: Number of boxes after which it ends.

    Returns:
        int64 [M], indices of the boxes that stay, highest score first.
    """
    left = np.argsort(-scores, kind="stable")
    if overlap is None:
        return left[:most]
    limit = np.float64(overlap)  # torchvision compares IoUs of single precision with a double
    kept: list[int] = []
    while len(left) and len(kept) < most:
        best, left = left[0], left[1:]
        kept.append(int(best))
        rivals = (labels[left] == labels[best]) & (iou(boxes[best][None], boxes[left])[0] > limit)
        left = left[~rivals]
    return np.array(kept, dtype=np.int64)
