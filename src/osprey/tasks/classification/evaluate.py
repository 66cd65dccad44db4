"""Test a checkpoint: logits once, then every figure from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from osprey.config.schema import TrainConfig
from osprey.data.datamodule import DataModule
from osprey.data.manifest import Manifest
from osprey.errors import DataError
from osprey.imaging import Preprocess
from osprey.models.checkpoint import (
    METADATA_KEY,
    CheckpointMetadata,
    load_model,
    read_checkpoint,
    write_checkpoint,
)
from osprey.models.pixels import Normalise
from osprey.runs.folder import RunFolder
from osprey.system.files import write_csv
from osprey.tasks.classification.metrics import per_class_report, scalar_metrics
from osprey.tasks.classification.probe.features import FeatureStore
from osprey.tasks.classification.probe.linear_probe import linear_head
from osprey.tasks.classification.temperature import fit_temperature
from osprey.tasks.classification.tta import ask, merge_views
from osprey.tasks.loading import run_device


@dataclass(frozen=True)
class Outputs:
    """What a network said of one split: logits [N, C], targets [N], and the samples' paths."""

    logits: Tensor
    targets: Tensor
    paths: list[str]


def run_network(
    model: nn.Module,
    metadata: CheckpointMetadata,
    manifest: Manifest,
    split: str,
    config: TrainConfig,
    limit: int | None = None,
    tta: str = "none",
) -> Outputs:
    """Logits of every sample of ``split``, in the manifest's order.

    With test-time augmentation they are [N, views, C], the photo as it is first.

    Raises:
        DataError: The split holds nothing.
    """
    preprocess = Preprocess.from_dict(metadata.preprocess)
    part = manifest.split(split)
    if part.table.empty:
        raise DataError(f"the '{split}' split is empty: nothing to test on")
    data = DataModule(manifest, metadata.classes, preprocess, config.data, seed=config.seed)
    device = run_device(config.trainer)
    probe = config.model.head_init == "linear_probe" and config.trainer.max_epochs == 0
    if probe and tta == "none" and limit is None:
        # Features of a probe are known already, or are worth keeping for the next one.
        cache = Path(config.paths.cache)
        seen = FeatureStore(model, metadata.model, data, device, cache).features(split)
        logits = seen.values @ linear_head(model).weight.T.cpu() + linear_head(model).bias.cpu()
        return Outputs(logits.detach(), seen.targets, part.table["path"].tolist())
    pixels = Normalise(preprocess.mean, preprocess.std).to(device)
    model = model.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    answers, targets = [], []
    with torch.inference_mode():
        for number, batch in enumerate(data.eval_dataloader(split)):
            if limit is not None and number >= limit:
                break
            answers.append(ask(model, pixels(batch["image"].to(device)), tta).cpu())
            targets.append(batch["target"])
    n = sum(len(t) for t in targets)
    paths = part.table["path"].tolist()[:n]
    found = torch.cat(answers)
    return Outputs(found[:, 0] if tta == "none" else found, torch.cat(targets), paths)


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

    Digits enough that ``softmax(temperature * log p)`` gives the untempered ones back.
    """
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


def calibrate(
    run: RunFolder, config: TrainConfig, manifest: Manifest, outputs: Outputs | None = None
) -> dict[str, Any]:
    """Fit the temperature on validation and write it into the best checkpoint.

    Args:
        run: The run.
        config: Its settings.
        manifest: Its samples.
        outputs: What the network said of validation, where that is known already.

    Returns:
        Validation figures before and after: ``{"temperature", "before", "after"}``.
    """
    model, metadata = load_model(run.best, config.trainer.rewrites)
    limit = config.trainer.limit_eval_batches
    outputs = outputs or run_network(model, metadata, manifest, "val", config, limit)
    temperature = fit_temperature(outputs.logits, outputs.targets)
    content = read_checkpoint(run.best)
    content[METADATA_KEY] = replace(metadata, temperature=temperature).to_dict()
    write_checkpoint(content, run.best)
    write_predictions(run.path / "predictions_val.csv", outputs, temperature, metadata.classes)
    return {
        "temperature": temperature,
        "before": compute_metrics(outputs, 1.0, metadata.classes),
        "after": compute_metrics(outputs, temperature, metadata.classes, config.task.metrics),
    }


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
    limit = config.trainer.limit_eval_batches
    outputs = run_network(model, metadata, manifest, split, config, limit, tta)
    temperature = metadata.temperature
    plain = outputs if tta == "none" else replace(outputs, logits=outputs.logits[:, 0])
    raw = compute_metrics(plain, 1.0, metadata.classes)
    without = {
        **compute_metrics(plain, temperature, metadata.classes, config.task.metrics),
        "uncalibrated": {key: raw[key] for key in ("log_loss", "ece")},
    }
    if tta == "none":
        write_predictions(predictions, plain, temperature, metadata.classes)
        return without
    merged = replace(outputs, logits=merge_views(outputs.logits, temperature))
    write_predictions(predictions, merged, temperature, metadata.classes)
    return {
        **compute_metrics(merged, temperature, metadata.classes, config.task.metrics),
        "tta": tta,
        "without_tta": without,
    }
