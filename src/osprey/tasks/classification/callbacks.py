"""A callback that fits the temperature while the best checkpoint is validated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from osprey.config.schema import TrainConfig
from osprey.data.manifest import Manifest
from osprey.models.checkpoint import (
    METADATA_KEY,
    CheckpointMetadata,
    load_model,
    read_checkpoint,
    write_checkpoint,
)
from osprey.runs.folder import RunFolder
from osprey.system.launcher import is_first
from osprey.tasks.classification.evaluate import (
    KeepOutputs,
    Outputs,
    compute_metrics,
    known_outputs,
    write_predictions,
)
from osprey.tasks.classification.module import Classification
from osprey.tasks.classification.temperature import fit_temperature
from osprey.tasks.evaluation import evaluate, testing_module


class FitTemperature(KeepOutputs):
    """Fits the temperature on validation; writes it to ``best.ckpt``, and the predictions.

    Attributes:
        figures: Plain data for the summary: ``temperature``, and ``val`` with its metrics.

    Args:
        run: The run whose best checkpoint is validated.
        config: Its settings.
        part: Its validation split.
    """

    figures: dict[str, Any]

    def __init__(self, run: RunFolder, config: TrainConfig, part: Manifest) -> None:
        super().__init__(part)
        self.run = run
        self.extra = config.task.metrics

    def finish(self, module: Classification, answers: Tensor) -> None:
        """Fit the temperature, write it and keep the metrics.

        Args:
            module: The module that was run.
            answers: Logits float32 [N, C].
        """
        super().finish(module, answers)
        self.fit(self.outputs, module.metadata)

    def fit(self, outputs: Outputs, metadata: CheckpointMetadata) -> None:
        """Fit from outputs that are already known.

        Args:
            outputs: Of the validation split.
            metadata: Of the checkpoint.
        """
        temperature = fit_temperature(outputs.logits, outputs.targets)
        if is_first():
            content = read_checkpoint(self.run.best)
            content[METADATA_KEY] = replace(metadata, temperature=temperature).to_dict()
            write_checkpoint(content, self.run.best)
        table = self.run.path / "predictions_val.csv"
        write_predictions(table, outputs, temperature, metadata.classes)
        before = compute_metrics(outputs, 1.0, metadata.classes)
        after = compute_metrics(outputs, temperature, metadata.classes, self.extra)
        uncalibrated = {key: before[key] for key in ("log_loss", "ece")}
        self.figures = {
            "temperature": temperature,
            "val": {**after, "uncalibrated": uncalibrated},
        }


def calibrate(
    run: RunFolder, config: TrainConfig, manifest: Manifest, outputs: Outputs | None = None
) -> dict[str, Any]:
    """Validate the best checkpoint and fit its temperature.

    Args:
        run: The run.
        config: Its settings.
        manifest: Its samples.
        outputs: The network's outputs on validation, if already known.

    Returns:
        ``FitTemperature.figures``.
    """
    model, metadata = load_model(run.best, config.trainer.rewrites)
    part = manifest.split("val")
    fitting = FitTemperature(run, config, part)
    outputs = outputs or known_outputs(model, metadata, part, config)
    if outputs is not None:
        fitting.fit(outputs, metadata)
    else:
        module = testing_module(model, metadata, config)
        evaluate(module, manifest, "val", fitting, validate=True)
    return fitting.figures
