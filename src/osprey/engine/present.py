"""Pictures, report.html and W&B of a finished run; errors become warnings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from osprey.config.parse import tree_of
from osprey.config.schema import TrainConfig
from osprey.engine.loggers.wandb import log_results
from osprey.errors import UserError
from osprey.runs.folder import RunFolder
from osprey.system.console import warn
from osprey.tasks.registry import get_task
from osprey.tasks.reporting import build_report


def present(run: RunFolder, config: TrainConfig, summary: dict[str, Any]) -> None:
    """Draw the pictures, build the report, upload both; a failure is one line of warning.

    Args:
        run: The finished run.
        config: Its settings.
        summary: Content of ``summary.json``.
    """
    for stale in ("report.html", "plots/batch.json", "plots/gallery.json"):
        (run.path / stale).unlink(missing_ok=True)  # of an earlier test, where a run went on
    task = get_task(config.task.name)
    if config.extras.report and not config.data.is_foreign:
        manifest = run.load_manifest(config.data.root)
        _attempt("pictures", lambda: task.draw_pictures(run, config, manifest))
    if config.extras.report:
        _attempt("report", lambda: build_report(run.path))
    if "wandb" in config.logger.use:
        node, tree = config.logger.args["wandb"], tree_of(config)
        trained = config.model.factory != "ensemble"
        _attempt("wandb", lambda: log_results(run, node, tree, summary, quiet=trained))


def _attempt(what: str, action: Callable[[], object]) -> None:
    try:
        action()
    except Exception as error:  # the run is trained and tested: nothing here may take that away
        why = " ".join(str(error).split())[:160]
        name = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        warn(f"{what:<7} left out: {name}{why}")
