"""The report of a finished run: its task's sections on the shared page."""

from __future__ import annotations

from pathlib import Path

from osprey.reports.build import render, style_sheet, write_page
from osprey.reports.run_record import damage_in_one_line, read_run, task_of
from osprey.tasks.plugin import ReportPage
from osprey.tasks.registry import DEFAULT_TASK, get_task


def build_report(run_folder: Path, output: Path | None = None) -> Path:
    """Write the report of a finished run, atomically.

    It depends on the run folder's files alone, so the same folder gives the same bytes.

    Args:
        run_folder: ``runs/<name>/<stamp>``.
        output: The file; default ``report.html`` in the run folder.

    Returns:
        The file written.

    Raises:
        UserError: The run is not finished, or a file in its folder is damaged.
    """
    target = output or run_folder / "report.html"
    page = _page(run_folder)
    write_page(render(page.folder, page.values), target)
    return target


def confusion_page(run_folder: Path) -> str | None:
    """An HTML page of a finished run's confusion matrix alone; None without one.

    Raises:
        UserError: See `build_report`.
    """
    matrix = _page(run_folder).values.get("confusion")
    if matrix is None:
        return None
    return f'<!doctype html><style>{style_sheet()}</style><div class="matrix">{matrix}</div>'


def _page(run_folder: Path) -> ReportPage:
    with damage_in_one_line(run_folder):
        task = get_task(task_of(run_folder) or DEFAULT_TASK)
        return task.report(read_run(run_folder, predictions=task.writes_predictions))
