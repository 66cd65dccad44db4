"""A task of our own: one number a photo, such as the light. No torch here: it is imported late."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osprey.errors import DataError, nearest
from osprey.reports.sections import commands, curves, shared_sections
from osprey.tasks.plugin import MetricSpec, ReportPage, TaskPlugin

if TYPE_CHECKING:
    import pytorch_lightning as pl
    import torch
    from torch import nn

    from osprey.config.schema import TrainConfig
    from osprey.data.manifest import Manifest
    from osprey.models.checkpoint import CheckpointMetadata
    from osprey.reports.run_record import RunRecord
    from reefkit.light_predictor import LightPredictor


class LightTask(TaskPlugin):
    """Learns a column of numbers; the mean absolute error says how well."""

    name = "light"
    noun = "a light meter"
    metrics = (MetricSpec("mae", "mean error", higher_is_better=False),)
    formats = ("csv", "json")
    columns = ("file", "light", "failure")

    def check_data(self, config: TrainConfig, manifest: Manifest) -> None:
        """The table must have the column, with a number in every row."""
        import pandas as pd

        column, table = str(config.task.args["column"]), manifest.table
        if column not in table.columns:
            hint = nearest(column, map(str, table.columns))
            raise DataError(f"task.column: the table has no column '{column}'{hint}")
        bad = table["path"][pd.to_numeric(table[column], errors="coerce").isna()]
        if len(bad):
            raise DataError(f"task.column: '{column}' of '{bad.iloc[0]}' is not a number")

    def num_outputs(self, manifest: Manifest) -> int:
        """One number, however many species there are."""
        return 1

    def build_module(
        self,
        model: nn.Module,
        metadata: CheckpointMetadata,
        config: TrainConfig,
        manifest: Manifest | None,
    ) -> pl.LightningModule:
        """The module, and the numbers it learns."""
        from osprey.tasks.settings import TrainingSettings
        from reefkit.light_module import LitLight

        column = str(config.task.args["column"])
        truth = {} if manifest is None else _truth(manifest, column)
        return LitLight(model, metadata, TrainingSettings.from_config(config), truth)

    def test(
        self,
        checkpoint: Path,
        config: TrainConfig,
        manifest: Manifest,
        split: str,
        predictions: Path,
        tta: str = "none",
    ) -> dict[str, Any]:
        """Mean absolute error, and that of always answering the mean."""
        from reefkit.light_test import test_checkpoint

        return test_checkpoint(checkpoint, config, manifest, split, predictions)

    def metrics_line(self, figures: Mapping[str, Any]) -> str:
        """The error beside that of an answer which looks at nothing."""
        plain = figures["mae_of_the_mean"]
        return f"mean error {figures['mae']:.3f}, of the mean {plain:.3f} (n={figures['n']})"

    def report(self, record: RunRecord) -> ReportPage:
        """The curve of the error, and the photos it is largest on."""
        import pandas as pd

        file = "predictions.csv" if record.split == "test" else "predictions_val.csv"
        table = pd.read_csv(record.folder / file)
        table["error"] = (table["truth"] - table["answer"]).abs()
        predict = ["osprey", "predict", "--run", "RUN", "--image", "PHOTO", "--plugin", "reefkit"]
        values = {
            **shared_sections(record),
            "commands": commands(record, {"measure a photo": predict}),
            "curves": curves(record, {"train/loss": ("second", "training loss")}, {}),
            "worst": table.sort_values("error", ascending=False).head(12).to_dict("records"),
        }
        return ReportPage(Path(__file__).with_name("page"), values)

    def predictor(
        self, checkpoint: Path, device: torch.device | None = None, **options: Any
    ) -> LightPredictor:
        """What answers with the best checkpoint."""
        from reefkit.light_predictor import LightPredictor

        return LightPredictor(checkpoint, device)


def _truth(manifest: Manifest, column: str) -> dict[str, list[float]]:
    """The numbers of each split."""
    parts = {split: manifest.split(split) for split in ("train", "val", "test")}
    return {split: [float(v) for v in part.table[column]] for split, part in parts.items()}
