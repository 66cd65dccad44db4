"""Rendering of the shared page: one file without external resources, byte-identical."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from osprey.system.console import counted
from osprey.system.files import write_text

_PAGE = Path(__file__).with_name("page")


def render(folder: Path, values: Mapping[str, Any]) -> str:
    """Render the page of a task.

    Args:
        folder: Holds ``report.html``, which extends the shared ``page.html``, and the task's own
            templates and scripts; a template with a shared one's name replaces it.
        values: All values for the templates.

    Returns:
        HTML without external resources.
    """
    return _environment(folder).get_template("report.html").render(values)


def write_page(text: str, target: Path) -> None:
    """Write a page, atomically."""
    write_text(target, text, errors="replace")


def style_sheet() -> Markup:
    """The CSS of every page."""
    return _files(_PAGE, "*.css")


@cache
def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([folder, _PAGE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["counted"] = counted
    environment.filters["figure"] = _figure
    environment.filters["percent"] = _percent
    environment.globals["style"] = style_sheet()
    environment.globals["script"] = _files(folder, "*.js")
    environment.globals["shared_script"] = _files(_PAGE, "*.js")
    return environment


def _files(folder: Path, pattern: str) -> Markup:
    """Our own style sheets or scripts, one after another."""
    files = sorted(folder.glob(pattern))
    return Markup("\n".join(file.read_text(encoding="utf-8").strip() for file in files))


def _figure(value: float | None) -> str:
    return "\N{EN DASH}" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "\N{EN DASH}" if value is None else f"{100 * value:.1f}%"
