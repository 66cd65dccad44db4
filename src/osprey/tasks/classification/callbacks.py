"""A callback that fits the temperature while the best checkpoint is validated."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from osprey.data.manifest import Manifest
from osprey.models.checkpoint import amend_metadata
from osprey.runs.folder import RunFolder
from osprey.system.launcher import is_first
from osprey.tasks.classification.evaluate import (
    KeepOutputs,
    Outputs,
    compute_metrics,
    source_metrics,
    write_predictions,
)
from osprey.tasks.classification.module import Classification
from osprey.tasks.classification.temperature import fit_temperature
from osprey.tasks.evaluation import EvaluationSettings, evaluate


class FitTemperature(KeepOutputs):
    """Fits the temperature on validation; writes it to ``best.ckpt``, and the predictions.

    Attributes:
        figures: Plain data for the summary: ``temperature``, and ``val`` with its metrics.

    Args:
        run: The run whose best checkpoint is validated.
        part: Its validation split.
    """

    figures: dict[str, Any]

    def __init__(self, run: RunFolder, part: Manifest) -> None:
        super().__init__(part)
        self.run = run

    def finish(self, module: Classification, answers: Tensor) -> None:
        """Fit the temperature, write it and keep the metrics.

        Args:
            module: The module that was run.
            answers: Logits float32 [N, C].
        """
        super().finish(module, answers)
        self.fit(self.outputs, module)

    def fit(self, outputs: Outputs, module: Classification) -> None:
        """Fit from outputs that are already known.

        Args:
            outputs: Of the validation split.
            module: The module that gave them.
        """
        metadata, extra = module.metadata, module.extra_metrics
        temperature = fit_temperature(outputs.logits, outputs.targets)
        if is_first():
            amend_metadata(self.run.best, temperature=temperature)
        table = self.run.path / "predictions_val.csv"
        write_predictions(table, outputs, temperature, metadata.classes)
        before = compute_metrics(outputs, 1.0, metadata.classes)
        after = compute_metrics(outputs, temperature, metadata.classes, extra)
        uncalibrated = {key: before[key] for key in ("log_loss", "ece")}
        self.figures = {
            "temperature": temperature,
            "val": {**after, "uncalibrated": uncalibrated},
        }


def calibrate(
    run: RunFolder,
    module: Classification,
    settings: EvaluationSettings,
    manifest: Manifest,
    outputs: Outputs | None = None,
) -> dict[str, Any]:
    """Validate the best checkpoint and fit its temperature.

    Args:
        run: The run.
        module: Of its best checkpoint, made by `testing_module`.
        settings: Batches and devices.
        manifest: Its samples.
        outputs: The network's outputs on validation, if already known.

    Returns:
        ``FitTemperature.figures``, and those of each source of a join.
    """
    fitting = FitTemperature(run, manifest.split("val"))
    if outputs is not None:
        fitting.fit(outputs, module)
    else:
        evaluate(module, settings, manifest, "val", fitting, validate=True)
        outputs = fitting.outputs
    temperature, classes = fitting.figures["temperature"], module.metadata.classes
    sources = source_metrics(settings.data, fitting.part, outputs, temperature, classes)
    return {**fitting.figures, "val": {**fitting.figures["val"], **sources}}
