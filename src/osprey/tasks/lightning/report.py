"""The report of a LightningModule of the user's own: logged metrics and settings."""

from __future__ import annotations

from pathlib import Path

from osprey.reports.run_record import RunRecord
from osprey.reports.sections import commands, curves, shared_sections
from osprey.tasks.plugin import ReportPage

_PAGE = Path(__file__).with_name("page")
_LINES = ("first", "second")


def report_page(record: RunRecord) -> ReportPage:
    """Learning curves of logged metrics, final metrics, settings and machine."""
    logged = [c for c in record.metrics.columns if c.startswith(("val/", "val_"))]
    losses = [c for c in [*logged, "train/loss", "train_loss"] if "loss" in c]
    losses = [c for c in losses if c in record.metrics.columns][:2]
    scores = [c for c in logged if c not in losses][:2]
    shared = shared_sections(record)
    words = [word for word in record.overrides if word.startswith("plugins=")]
    values = {
        **shared,
        "module": record.config["task"]["_target_"],
        "monitored": record.config.get("monitor") or "val/loss",
        "tiles": [(key, f"{value:.4g}") for key, value in record.figures.items()],
        "commands": commands(record, {"go on": ["osprey", "train", "resume=RUN", *words]}),
        "curves": curves(record, _styled(losses), _styled(scores)),
    }
    return ReportPage(_PAGE, values)


def _styled(columns: list[str]) -> dict[str, tuple[str, str]]:
    return {name: (style, name) for name, style in zip(columns, _LINES, strict=False)}
