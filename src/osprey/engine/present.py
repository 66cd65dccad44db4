"""Bundle, pictures, report.html and W&B of a finished run; errors become warnings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from osprey.bundle.export import clear, export_run
from osprey.bundle.formats import bundle_folder
from osprey.config.bundle_formats import BUNDLE_FORMATS
from osprey.config.parse import tree_of
from osprey.config.schema import TrainConfig
from osprey.engine.loggers.wandb import log_results
from osprey.errors import UserError
from osprey.runs.folder import RunFolder
from osprey.runs.trial_mark import is_bare
from osprey.system.console import warn
from osprey.tasks.registry import get_task
from osprey.tasks.reporting import build_report


def present(run: RunFolder, config: TrainConfig, summary: dict[str, Any]) -> None:
    """Export, draw, build the report, upload it; a failure is one line of warning.

    Args:
        run: The finished run.
        config: Its settings.
        summary: Content of ``summary.json``.
    """
    for stale in ("report.html", "plots/batch.json", "plots/gallery.json", "plots/map.json"):
        (run.path / stale).unlink(missing_ok=True)  # of an earlier test, where a run went on
    task, form = get_task(config.task.name), config.export
    for old in BUNDLE_FORMATS:  # of the checkpoint before
        folder = bundle_folder(run, old)
        if clear(folder) and old != form:
            warn(f"bundle  {folder} was of the checkpoint before: removed (osprey export)")
    if form is not None and task.reader and not config.data.is_foreign and not is_bare():
        _attempt("bundle", lambda: export_run(run, bundle_folder(run, form), form))
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
