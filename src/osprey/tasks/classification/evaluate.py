"""Test a checkpoint: logits once, then every figure from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from osprey.config.schema import TrainConfig
from osprey.data.datamodule import DataModule
from osprey.data.manifest import Manifest
from osprey.imaging import Preprocess
from osprey.models.checkpoint import CheckpointMetadata, load_model
from osprey.system.files import write_csv
from osprey.system.launcher import is_first
from osprey.tasks.classification.metrics import per_class_report, scalar_metrics
from osprey.tasks.classification.module import Classification
from osprey.tasks.classification.probe.features import FeatureStore
from osprey.tasks.classification.probe.linear_probe import linear_head
from osprey.tasks.classification.tta import merge_views
from osprey.tasks.evaluation import AnswerWriter, evaluate, testing_module
from osprey.tasks.loading import run_device


@dataclass(frozen=True)
class Outputs:
    """What a network said of one split: logits [N, C], targets [N], and the samples' paths."""

    logits: Tensor
    targets: Tensor
    paths: list[str]


class KeepOutputs(AnswerWriter[Classification]):
    """Puts the logits beside what is true.

    Attributes:
        outputs: Of the whole split, once it is done.
    """

    outputs: Outputs

    def __init__(self, part: Manifest) -> None:
        """Args: the split's samples."""
        super().__init__()
        self.part = part

    def finish(self, module: Classification, answers: Tensor) -> None:
        """Keep them."""
        table, classes = self.part.table[: len(answers)], module.metadata.classes
        number = {name: i for i, name in enumerate(classes)}
        targets = torch.tensor([number[label] for label in table["label"]])
        self.outputs = Outputs(answers, targets, table["path"].tolist())


def ask_network(
    model: nn.Module,
    metadata: CheckpointMetadata,
    manifest: Manifest,
    split: str,
    config: TrainConfig,
    tta: str = "none",
) -> Outputs:
    """Logits of every sample of ``split``, in the manifest's order.

    With test-time augmentation they are [N, views, C], the photo as it is first.

    Raises:
        DataError: The split holds nothing.
    """
    module = cast(Classification, testing_module(model, metadata, config))
    module.tta = tta
    kept = KeepOutputs(manifest.split(split))
    evaluate(module, manifest, split, kept)
    return kept.outputs


def known_outputs(
    model: nn.Module, metadata: CheckpointMetadata, part: Manifest, config: TrainConfig
) -> Outputs | None:
    """What a probe says of a split: its features are kept, or are worth keeping for the next one.

    Returns:
        None of any other network, or where only some batches are to be looked at.
    """
    probe = config.model.head_init == "linear_probe" and config.trainer.max_epochs == 0
    if not probe or config.trainer.limit_eval_batches is not None or part.table.empty:
        return None
    preprocess = Preprocess.from_dict(metadata.preprocess)
    data = DataModule(part, metadata.classes, preprocess, config.data, seed=config.seed)
    device = run_device(config.trainer)
    store = FeatureStore(model, metadata.model, data, device, Path(config.paths.cache))
    seen = store.features(str(part.table["split"].iloc[0]))
    logits = seen.values @ linear_head(model).weight.T.cpu() + linear_head(model).bias.cpu()
    return Outputs(logits.detach(), seen.targets, part.table["path"].tolist())


def compute_metrics(
    outputs: Outputs,
    temperature: float,
    classes: Sequence[str],
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Every figure of one split as plain data, probabilities tempered by ``temperature``."""
    probabilities = (outputs.logits / temperature).softmax(dim=1)
    metrics = scalar_metrics(len(classes), extra=extra)
    values = {k: float(v) for k, v in metrics(probabilities, outputs.targets).items()}
    report = per_class_report(probabilities, outputs.targets, list(classes))
    return {"n": len(outputs.targets), **values, **report}


def write_predictions(
    path: Path, outputs: Outputs, temperature: float, classes: Sequence[str]
) -> None:
    """One row a sample: path, label, predicted, score, then each class's probability.

    Digits enough that ``softmax(temperature * log p)`` gives the untempered ones back. Of several
    processes the first writes.
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
    checkpoint: Path,
    config: TrainConfig,
    manifest: Manifest,
    split: str,
    predictions: Path,
    tta: str = "none",
) -> dict[str, Any]:
    """Figures of one checkpoint on one split; every prediction goes to ``predictions``.

    Returns:
        Plain data: the figures with the fitted temperature, and log loss and ECE without it. With
        test-time augmentation its name, and under ``without_tta`` the same photos' figures.
    """
    model, metadata = load_model(checkpoint, config.trainer.rewrites)
    part, extra = manifest.split(split), config.task.metrics
    outputs = known_outputs(model, metadata, part, config) if tta == "none" else None
    outputs = outputs or ask_network(model, metadata, manifest, split, config, tta)
    temperature = metadata.temperature
    plain = outputs if tta == "none" else replace(outputs, logits=outputs.logits[:, 0])
    raw = compute_metrics(plain, 1.0, metadata.classes)
    without = {
        **compute_metrics(plain, temperature, metadata.classes, extra),
        "uncalibrated": {key: raw[key] for key in ("log_loss", "ece")},
    }
    if tta == "none":
        write_predictions(predictions, plain, temperature, metadata.classes)
        return without
    merged = replace(outputs, logits=merge_views(outputs.logits, temperature))
    write_predictions(predictions, merged, temperature, metadata.classes)
    figures = compute_metrics(merged, temperature, metadata.classes, extra)
    return {**figures, "tta": tta, "without_tta": without}
