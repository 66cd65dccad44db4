"""The comparison of two runs as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from osprey.commands.comparing.facts import ClassChange, Comparison, Figure, SplitFigures
from osprey.commands.comparing.pictures import pictures_of
from osprey.config.schema import DataConfig
from osprey.errors import UnreadableImage, UserError
from osprey.reports.build import render, write_page
from osprey.system.console import counted, say
from osprey.system.outputs import output_path
from osprey.system.paths import home_path
from osprey.tasks.specs import ChangedGroup, ChangedPhoto

_PAGE = Path(__file__).with_name("page")
_SPLITS = {"val": "validation", "test": "test"}
_CLASS_FIGURES = {"f1": "F1", "ap50": "AP50"}


def default_page(found: Comparison) -> Path:
    """Where the page lies unless a file is named: beside the report of B, named after A."""
    one, other = found.runs
    return other.path / f"compare_{one.full_name.replace('/', '_')}.html"


def write_comparison(found: Comparison, target: Path, *, force: bool) -> None:
    """Write the page; photos that cannot be read any more are counted on the terminal, too.

    Args:
        found: The comparison.
        target: Its file.
        force: Whatever is there may be replaced.

    Raises:
        UserError: A file that Osprey did not write is there, or the place cannot be written to.
    """
    if not target.parent.is_dir():
        raise UserError(f"--html: there is no folder '{target.parent}' to write to")
    with output_path(str(target), "--html", force=force) as partial:
        values, unreadable = _values(found)
        write_page(render(_PAGE, values), partial)
    if unreadable:
        say(f"note    {unreadable}")


def _values(found: Comparison) -> tuple[dict[str, Any], str]:
    """Values of the template, and what is to be said of photos that cannot be read."""
    unpaired = [part.unpaired for part in found.splits if part.unpaired]
    groups: list[ChangedGroup] = []
    if not found.shown.unpaired:
        groups = found.task.changed_photos(*found.runs, found.shown.split)
    failures: dict[str, str] = {}
    data = [config.data for config in found.configs]
    shown = [_group(group, data, failures) for group in groups]
    unreadable = _unreadable(failures)
    notices = [*unpaired, found.untested, unreadable]
    values = {
        "name": " and ".join(dict.fromkeys(run.full_name.split("/")[0] for run in found.runs)),
        "stamp": "compared",
        "runs": [
            {"letter": letter, "name": run.full_name, "path": str(run.path)}
            for letter, run in zip("AB", found.runs, strict=True)
        ],
        "task": found.task.name,
        "notices": [f"{line[0].upper()}{line[1:]}." for line in notices if line],
        "settings": found.settings,
        "splits": [_split(part) for part in reversed(found.splits)],
        "split": _SPLITS[found.shown.split],
        "tiles": [_figure(figure) for figure in found.shown.figures],
        "classes": [_class(change) for change in found.classes],
        "class_figure": next((_CLASS_FIGURES[c.key] for c in found.classes), ""),
        "groups": shown,
        "drawn": any(panel.outlines for g in groups for p in g.photos for panel in p.panels),
    }
    return values, unreadable


def _split(part: SplitFigures) -> dict[str, Any]:
    return {
        "name": _SPLITS[part.split],
        "counts": part.counts,
        "figures": [_figure(figure) for figure in part.figures],
        "shared": next((f.paired.n for f in part.figures if f.paired), 0),
        "blind": [
            f"{f.metric.name} {f.blind:{f.metric.format}}"
            for f in part.figures
            if f.blind is not None
        ],
    }


def _figure(figure: Figure) -> dict[str, Any]:
    form, found = figure.metric.format, figure.paired
    return {
        "name": figure.metric.name,
        "lower": not figure.metric.higher_is_better,
        "before": f"{figure.before:{form}}",
        "now": f"{figure.now:{form}}",
        "change": f"{figure.now - figure.before:+{form}}",
        "ends": found and (f"{found.low:+{form}}", f"{found.high:+{form}}"),
        "verdict": figure.verdict,
    }


def _class(change: ClassChange) -> dict[str, Any]:
    one, other = change.counts
    return {
        "label": change.label,
        "n": str(one) if one == other else f"{one}, {other}",
        "value": one,
        "before": change.before,
        "now": change.now,
        "change": change.change,
    }


def _group(
    group: ChangedGroup, data: Sequence[DataConfig], failures: dict[str, str]
) -> dict[str, Any]:
    photos = [_photo(photo, data, failures) for photo in group.photos]
    return {"title": group.title, "count": group.count, "photos": photos}


def _photo(
    photo: ChangedPhoto, data: Sequence[DataConfig], failures: dict[str, str]
) -> dict[str, Any]:
    files = [home_path(of.root) / path for of, path in zip(data, photo.paths, strict=True)]
    pictures: list[str] = []
    try:
        pictures = pictures_of(files, photo.panels, [of.value_range for of in data])
    except UnreadableImage as error:
        failures[photo.paths[0]] = str(error)
    return {
        "path": photo.paths[0],
        "answers": list(zip("AB", photo.answers, strict=True)),
        "truth": photo.truth,
        "panels": [
            {"name": panel.name, "picture": picture}
            for panel, picture in zip(photo.panels, pictures, strict=False)
        ],
    }


def _unreadable(failures: dict[str, str]) -> str:
    if not failures:
        return ""
    first = next(iter(failures.values()))
    return f"{counted(len(failures), 'photo')} cannot be read any more, first {first}"
