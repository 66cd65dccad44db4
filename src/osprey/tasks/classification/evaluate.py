"""Test a checkpoint: logits once, then every metric from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from osprey.config.schema import DataConfig
from osprey.data.manifest import Manifest
from osprey.system.files import write_csv
from osprey.system.launcher import is_first
from osprey.tasks.by_source import figures_by_source
from osprey.tasks.classification.metrics import per_class_report, scalar_metrics
from osprey.tasks.classification.module import Classification
from osprey.tasks.classification.report.figures import macro_f1
from osprey.tasks.classification.tta import merge_views
from osprey.tasks.evaluation import AnswerWriter, EvaluationSettings, evaluate


@dataclass(frozen=True)
class Outputs:
    """A network's outputs on one split.

    Attributes:
        logits: float32 [N, C], or [N, views, C] with test-time augmentation.
        targets: int64 [N].
        paths: The samples' paths.
    """

    logits: Tensor
    targets: Tensor
    paths: list[str]


class KeepOutputs(AnswerWriter[Classification]):
    """Keeps the logits together with the targets.

    Attributes:
        outputs: Of the whole split, once it is done.

    Args:
        part: The split's samples.
    """

    outputs: Outputs

    def __init__(self, part: Manifest) -> None:
        super().__init__()
        self.part = part

    def finish(self, module: Classification, answers: Tensor) -> None:
        """Keep them in ``outputs``."""
        table, classes = self.part.table[: len(answers)], module.metadata.classes
        number = {name: i for i, name in enumerate(classes)}
        targets = torch.tensor([number[label] for label in table["label"]])
        self.outputs = Outputs(answers, targets, table["path"].tolist())


def ask_network(
    module: Classification,
    settings: EvaluationSettings,
    manifest: Manifest,
    split: str,
    tta: str = "none",
) -> Outputs:
    """Logits of every sample of ``split``, in the manifest's order.

    With test-time augmentation they are [N, views, C], the original photo first.

    Raises:
        DataError: The split is empty.
    """
    module.tta = tta
    kept = KeepOutputs(manifest.split(split))
    evaluate(module, settings, manifest, split, kept)
    return kept.outputs


def compute_metrics(
    outputs: Outputs,
    temperature: float,
    classes: Sequence[str],
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """All metrics of one split as plain data.

    Args:
        outputs: Logits [N, C] and targets.
        temperature: Divides the logits before softmax.
        classes: Class names in the order of the outputs.
        extra: Further metrics by name, each a node with ``_target_``.

    Returns:
        ``n``, the metrics of `scalar_metrics`, ``per_class`` and ``confusion``.
    """
    probabilities = (outputs.logits / temperature).softmax(dim=1)
    metrics = scalar_metrics(len(classes), extra=extra)
    values = {k: float(v) for k, v in metrics(probabilities, outputs.targets).items()}
    report = per_class_report(probabilities, outputs.targets, list(classes))
    return {"n": len(outputs.targets), **values, **report}


def source_metrics(
    data: DataConfig, part: Manifest, outputs: Outputs, temperature: float, classes: Sequence[str]
) -> dict[str, Any]:
    """The metrics of each source of a join, see `figures_by_source`.

    Args:
        data: The run's data settings.
        part: The split's samples.
        outputs: Logits [N, C] and targets of the first N.
        temperature: Divides the logits before softmax.
        classes: Class names in the order of the outputs.

    Returns:
        Of each source what `compute_metrics` gives; macro-F1 is over the classes that it has.
    """

    def figures(rows: NDArray[np.int64]) -> dict[str, Any]:
        mine = Outputs(outputs.logits[rows], outputs.targets[rows], [])
        said = mine.logits.argmax(dim=1).numpy()
        found = compute_metrics(mine, temperature, classes)
        return {**found, "macro_f1": macro_f1(mine.targets.numpy(), said)}

    return figures_by_source(data, part, len(outputs.targets), figures)


def write_predictions(
    path: Path, outputs: Outputs, temperature: float, classes: Sequence[str]
) -> None:
    """Write one row per sample: path, label, predicted, score, then each class's probability.

    With 8 digits, so that ``softmax(temperature * log p)`` recovers the uncalibrated ones. In a
    distributed run only rank 0 writes.
    """
    if not is_first():
        return
    probabilities = (outputs.logits.double() / temperature).softmax(dim=1).numpy()
    best = probabilities.argmax(axis=1)

    def rows() -> Iterator[list[str]]:
        for i, sample in enumerate(outputs.paths):
            p = probabilities[i]
            label, predicted = classes[int(outputs.targets[i])], classes[int(best[i])]
            row = [f"{value:.8g}" for value in np.concatenate([[p[best[i]]], p])]
            yield [sample, label, predicted, *row]

    header = ["path", "label", "predicted", "score", *(f"p:{c}" for c in classes)]
    write_csv(path, header, rows())


def test(
    module: Classification,
    settings: EvaluationSettings,
    manifest: Manifest,
    split: str,
    predictions: Path,
    tta: str = "none",
    outputs: Outputs | None = None,
) -> dict[str, Any]:
    """Metrics of one checkpoint on one split; predictions are written to a CSV file.

    Args:
        module: Made by `testing_module` of the checkpoint.
        settings: Batches and devices.
        manifest: The samples.
        split: Which of them.
        predictions: CSV file for the probabilities.
        tta: Test-time augmentation.
        outputs: The network's outputs on the split, if already known.

    Returns:
        Plain data: metrics with the fitted temperature, and log loss and ECE without it. With
        test-time augmentation its name, and under ``without_tta`` the metrics without it.

    Raises:
        DataError: The split is empty.
    """
    extra = module.extra_metrics
    outputs = outputs or ask_network(module, settings, manifest, split, tta)
    metadata, temperature = module.metadata, module.metadata.temperature
    plain = outputs if tta == "none" else replace(outputs, logits=outputs.logits[:, 0])
    raw = compute_metrics(plain, 1.0, metadata.classes)
    without = {
        **compute_metrics(plain, temperature, metadata.classes, extra),
        "uncalibrated": {key: raw[key] for key in ("log_loss", "ece")},
    }
    part = manifest.split(split)
    if tta == "none":
        write_predictions(predictions, plain, temperature, metadata.classes)
        sources = source_metrics(settings.data, part, plain, temperature, metadata.classes)
        return {**without, **sources}
    merged = replace(outputs, logits=merge_views(outputs.logits, temperature))
    write_predictions(predictions, merged, temperature, metadata.classes)
    figures = compute_metrics(merged, temperature, metadata.classes, extra)
    sources = source_metrics(settings.data, part, merged, temperature, metadata.classes)
    return {**figures, "tta": tta, "without_tta": without, **sources}
