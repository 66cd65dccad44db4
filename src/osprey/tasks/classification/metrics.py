"""Classification metrics from torchmetrics, under their usual names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanMetric, Metric, MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)

from osprey.system.instantiate import instantiate


class LogLoss(MeanMetric):
    """Mean negative log likelihood of the true class, in nats, from probabilities [B, C]."""

    def update(self, probabilities: Tensor, target: Tensor) -> None:  # type: ignore[override]
        """Add a batch.

        Args:
            probabilities: float [B, C].
            target: int64 [B].
        """
        chosen = probabilities.gather(1, target[:, None]).clamp_min(1e-12)
        super().update(-chosen.log())


def scalar_metrics(
    num_classes: int, prefix: str = "", extra: Mapping[str, Any] | None = None
) -> MetricCollection:
    """Top-1, macro-F1, log loss, ECE (15 bins) and, for more than 5 classes, top-5.

    Args:
        num_classes: C.
        prefix: Prefix of the names, such as ``val/``.
        extra: Further metrics by name, each a node with ``_target_``.

    Returns:
        Metrics to be updated with probabilities [B, C] and targets int64 [B].

    Raises:
        ConfigError: A further metric cannot be built.
    """
    metrics: dict[str, Metric | MetricCollection] = {
        "top1": MulticlassAccuracy(num_classes, average="micro"),
        "macro_f1": MulticlassF1Score(num_classes, average="macro"),
        "log_loss": LogLoss(),
        "ece": MulticlassCalibrationError(num_classes, n_bins=15, norm="l1"),
    }
    if num_classes > 5:
        metrics["top5"] = MulticlassAccuracy(num_classes, top_k=5, average="micro")
    run_time = {"num_classes": num_classes, "task": "multiclass"}
    for name, node in (extra or {}).items():
        if node is not None:
            metrics[name] = instantiate(f"task.metrics.{name}", node, Metric, run_time)
    # Groups of one computation are guessed from the first batch alone: top-1 and top-5 that agree
    # there would be taken for one.
    return MetricCollection(metrics, prefix=prefix, compute_groups=False)


def per_class_report(probabilities: Tensor, target: Tensor, classes: list[str]) -> dict[str, Any]:
    """Precision, recall and F1 of each class with its n, and the confusion matrix.

    Args:
        probabilities: float [N, C].
        target: int64 [N].
        classes: Names of the C classes.

    Returns:
        Plain data: ``per_class`` (a list in class order) and ``confusion`` (rows are true classes).
    """
    n = len(classes)
    metrics = {
        "precision": MulticlassPrecision(n, average=None),
        "recall": MulticlassRecall(n, average=None),
        "f1": MulticlassF1Score(n, average=None),
    }
    values = {name: metric(probabilities, target).tolist() for name, metric in metrics.items()}
    support = torch.bincount(target, minlength=n).tolist()
    rows = [
        {"label": label, "n": support[i], **{name: values[name][i] for name in metrics}}
        for i, label in enumerate(classes)
    ]
    confusion = MulticlassConfusionMatrix(n)(probabilities, target)
    return {"per_class": rows, "confusion": confusion.tolist()}
