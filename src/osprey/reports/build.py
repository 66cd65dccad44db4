"""From a run folder to ``report.html``: one file, no network, the same bytes every time."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from osprey.reports.run_record import damage_in_one_line, read_run
from osprey.tasks.classification.report.facts import read as read_classifier
from osprey.tasks.classification.report.sections import sections as classifier_sections
from osprey.tasks.detection.report.facts import DetectorRun
from osprey.tasks.detection.report.facts import read as read_detector
from osprey.tasks.detection.report.sections import sections as detector_sections

_PAGE = Path(__file__).with_name("page")


def build_report(run_folder: Path, output: Path | None = None) -> Path:
    """Write the report of a finished run, whole or not at all.

    It is made of the run folder's files alone: neither the photos, the network nor the clock
    have a say in it, so the same folder gives the same bytes.

    Args:
        run_folder: ``runs/<name>/<stamp>``.
        output: Where to write; ``report.html`` in the run folder unless said.

    Returns:
        The file written.

    Raises:
        UserError: The run is not finished, or a file in its folder is damaged.
    """
    target = output or run_folder / "report.html"
    task, values = _values(run_folder)
    text = _environment().get_template(f"{task}.html").render(values)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.write_bytes(text.encode("utf-8", "replace"))
    os.replace(temporary, target)
    return target


def confusion_page(run_folder: Path) -> str:
    """A page of a finished run's confusion matrix alone, rows the truth.

    Raises:
        UserError: As `build_report`.
    """
    _, values = _values(run_folder)
    style = _environment().globals["style"]
    return f'<!doctype html><style>{style}</style><div class="matrix">{values["confusion"]}</div>'


def _values(run_folder: Path) -> tuple[str, dict[str, Any]]:
    """The run's task, and all that its page's templates ask for."""
    with damage_in_one_line(run_folder):
        run = read_run(run_folder)
        found = read_detector(run) if run.task == "detection" else read_classifier(run)
    if isinstance(found, DetectorRun):
        return run.task, detector_sections(found)
    return run.task, classifier_sections(found)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = _figure
    environment.filters["percent"] = _percent
    environment.globals["style"] = _files("*.css")
    environment.globals["script"] = lambda task: _files(f"{task}/*.js")
    environment.globals["shared_script"] = _files("*.js")
    return environment


def _files(pattern: str) -> Markup:
    """Our own style sheets or scripts, one after another."""
    files = sorted(_PAGE.glob(pattern))
    return Markup("\n".join(file.read_text(encoding="utf-8").strip() for file in files))


def _figure(value: float | None) -> str:
    return "\N{EN DASH}" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "\N{EN DASH}" if value is None else f"{100 * value:.1f}%"
