"""The task of a LightningModule of the user's own, with its own steps and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osprey.errors import DataError, UserError
from osprey.tasks.plugin import MetricSpec, ReportPage, TaskPlugin

if TYPE_CHECKING:
    import argparse

    from torch import nn

    from osprey.config.schema import TrainConfig
    from osprey.data.manifest import Manifest
    from osprey.reports.run_record import RunRecord
    from osprey.runs.folder import RunFolder

_PREFIXES = ("val/", "val_", "test/", "test_")


class LightningTask(TaskPlugin):
    """A LightningModule of the user's own; ``monitor`` and ``mode`` choose the best epoch."""

    name = "lightning"
    noun = "a model of your own"
    metrics = (MetricSpec("loss", "loss", higher_is_better=False),)
    writes_predictions = False
    lacks = "has no predictor: give its task a TaskPlugin (docs/extend.md)"

    def test(
        self,
        checkpoint: Path,
        config: TrainConfig,
        manifest: Manifest | None,
        split: str,
        predictions: Path,
        tta: str = "none",
    ) -> dict[str, Any]:
        """The metrics that the module logs on a split; no table of predictions is written."""
        from osprey.tasks.lightning.build import build_own
        from osprey.tasks.lightning.evaluate import logged_figures

        if split not in ("val", "test"):
            raise DataError(f"data.split={split}: a module of your own is asked of val or test")
        parts = build_own(config, manifest)
        logged = logged_figures(checkpoint, parts, config.trainer, split)
        return {short(name): value for name, value in logged.items()}

    def metrics_line(self, figures: Mapping[str, Any]) -> str:
        """Every metric that the module logged."""
        return ", ".join(f"{key} {value:.3f}" for key, value in figures.items()) or "nothing logged"

    def report(self, record: RunRecord) -> ReportPage:
        """Learning curves, metrics and settings."""
        from osprey.tasks.lightning.report import report_page

        return report_page(record)

    def load_network(self, run: RunFolder) -> nn.Module:
        """The LightningModule itself, with the best epoch's weights."""
        from osprey.tasks.lightning.build import load_own

        return load_own(run)

    def predict(self, arguments: argparse.Namespace, run: RunFolder, photos: Sequence[Path]) -> int:
        """Not supported: a LightningModule alone does not define its preprocessing.

        Raises:
            UserError: Always.
        """
        raise UserError(f"run '{run.path}' was trained by {_module_of(run)}, which {self.lacks}")


def short(name: str) -> str:
    """A logged name without the prefix of its split."""
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def _module_of(run: RunFolder) -> str:
    from omegaconf import OmegaConf

    stored = OmegaConf.load(run.path / "config.yaml")
    return str(OmegaConf.select(stored, "task._target_"))
