"""Callbacks that collect a detector's boxes and choose its thresholds."""

from __future__ import annotations

from typing import Any

from osprey.data.manifest import Manifest
from osprey.imaging.boxes import Detections
from osprey.models.checkpoint import amend_metadata
from osprey.runs.folder import RunFolder
from osprey.system.launcher import is_first
from osprey.tasks.detection.difficult import counted_only, difficult_in
from osprey.tasks.detection.metrics import best_thresholds, compute_metrics
from osprey.tasks.detection.module import Detection
from osprey.tasks.detection.outputs import BoxOutputs, true_boxes, write_boxes
from osprey.tasks.evaluation import AnswerWriter


class KeepBoxes(AnswerWriter[Detection]):
    """Keeps the detections together with the true boxes.

    Attributes:
        outputs: Of the whole split, once it is done: what counts, see `counted_only`.
        everything: Likewise, with difficult boxes and what is found there.
        groups: Of its photos.

    Args:
        part: The split's samples.
    """

    outputs: BoxOutputs
    everything: BoxOutputs
    groups: list[str]

    def __init__(self, part: Manifest) -> None:
        super().__init__()
        self.part = part

    def finish(self, module: Detection, answers: list[Detections]) -> None:
        """Keep them in ``outputs``; fewer than the split has by ``trainer.limit_eval_batches``."""
        classes = module.metadata.classes
        truth = [true_boxes(self.part, row, classes) for row in range(len(answers))]
        paths = self.part.table["path"].tolist()[: len(answers)]
        self.everything = BoxOutputs(paths, answers, truth)
        truth, answers = counted_only(truth, answers, difficult_in(self.part.table))
        self.groups = self.part.table["group"].tolist()[: len(answers)]
        self.outputs = BoxOutputs(paths, answers, truth)


class ChooseThresholds(KeepBoxes):
    """Chooses each class's threshold on validation and writes it to ``best.ckpt``.

    Attributes:
        figures: Plain data for the summary: ``thresholds`` by class name, and ``val``.

    Args:
        run: The run whose best checkpoint is validated.
        part: Its validation split.
    """

    figures: dict[str, Any]

    def __init__(self, run: RunFolder, part: Manifest) -> None:
        super().__init__(part)
        self.run = run

    def finish(self, module: Detection, answers: list[Detections]) -> None:
        """Choose the thresholds, write them and keep the metrics."""
        super().finish(module, answers)
        classes = module.metadata.classes
        thresholds = best_thresholds(self.outputs, len(classes))
        if is_first():
            amend_metadata(self.run.best, thresholds=thresholds)
        write_boxes(self.run.path / "predictions_val.csv", self.everything, classes)
        self.figures = {
            "thresholds": dict(zip(classes, thresholds, strict=True)),
            "val": compute_metrics(self.outputs, thresholds, classes, self.groups),
        }
