"""Values for the templates that every report has."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from osprey.reports.charts import curve
from osprey.reports.run_record import RunRecord
from osprey.system.console import counted

SPLITS = ("train", "val", "test")


def shared_sections(run: RunRecord) -> dict[str, Any]:
    """Values of the templates that are the same for every task."""
    return {
        "name": str(run.summary["name"]),
        "stamp": str(run.summary["run"]),
        "model": _model(run),
        "split": run.split,
        "figures": run.figures,
        "val": run.summary["val"],
        "summary": run.summary,
        "classes": run.classes,
        "trained": _trained(run),
        **_data(run),
        **_environment(run),
    }


def _model(run: RunRecord) -> str:
    model = run.config["model"]
    backbone = model.get("backbone")
    return f"{model['name']} on {backbone}" if backbone else str(model["name"])


def _trained(run: RunRecord) -> str:
    """In words, which part of the network moved, from which weights."""
    model = run.config["model"]
    if "ensemble" in run.summary:
        members = counted(len(run.summary["ensemble"]["members"]), "finished run")
        return f"{members} combined, nothing trained"
    pretrained = model.get("pretrained")
    start = "from random weights" if pretrained is False else "from pretrained weights"
    if isinstance(model.get("freeze"), int) and model["freeze"] > 0:
        rest = counted(model["freeze"], "epoch")
        return f"whole network {start}, the backbone resting for {rest}"
    if model.get("freeze") == "backbone" or run.summary["epochs"]["trained"] == 0:
        return f"the head alone, on a resting backbone {start}"
    if model.get("freeze_stages"):
        stages = model["freeze_stages"]
        first = "stage" if stages == 1 else f"{stages} stages"
        return f"all but the first {first}, {start}"
    return f"whole network {start}"


def commands(run: RunRecord, use: Mapping[str, list[str]]) -> list[dict[str, str]]:
    """Commands to copy; the run is named by its original folder.

    Args:
        run: The run.
        use: Further commands: a description, and the words of the command, with RUN for the run.

    Returns:
        ``{"what", "line"}`` of each command.
    """
    folder = f"{run.config['paths']['runs']}/{run.summary['name']}/{run.summary['run']}"
    lines = {
        "train it again": ["osprey", "train", *_tuned(run)],
        "test it again": ["osprey", "eval", "run=RUN", f"data.split={run.split}"],
        **use,
        "this report again": ["osprey", "report", "RUN"],
    }
    named = {"RUN": folder, "run=RUN": f"run={folder}"}
    return [
        {"what": what, "line": shlex.join(named.get(word, word) for word in words)}
        for what, words in lines.items()
    ]


def _tuned(run: RunRecord) -> list[str]:
    """The overrides, with what autotune chose here: it might choose otherwise the next time."""
    choice = run.extras.get("autotune", {}).get("choice", {})
    said = dict(word.partition("=")[::2] for word in run.overrides)
    tuned = {
        f"trainer.{name}": value
        for name, value in choice.items()
        if said.get(f"trainer.{name}", "auto") == "auto"
    }
    words = [word for word in run.overrides if word.partition("=")[0] not in tuned]
    return [*words, *(f"{key}={_plain(value)}" for key, value in tuned.items())]


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def monitored(run: RunRecord, names: Mapping[str, str]) -> str:
    """Name of the metric that chose the best epoch.

    Args:
        run: The run.
        names: Names of the metrics as they are logged; the first is the default.
    """
    monitor = run.config.get("monitor") or next(iter(names))
    return names.get(monitor, str(monitor).removeprefix("val/"))


def curves(
    run: RunRecord, loss: dict[str, tuple[str, str]], scores: dict[str, tuple[str, str]]
) -> list[dict[str, Any]]:
    """Charts of loss, validation score and learning rate over the epochs, where logged.

    Args:
        run: The run.
        loss: ``{column of metrics.csv: (CSS class of its line, legend)}``.
        scores: The same for validation scores, 0 to 1.

    Returns:
        ``{"title", "chart", "legend"}`` of each chart.
    """
    best = int(run.summary["epochs"].get("best") or 0)
    chosen = run.config.get("monitor") or next(iter(scores), None)
    scores = {
        column: (kind, f"{legend} (chooses the best epoch)" if column == chosen else legend)
        for column, (kind, legend) in scores.items()
    }
    wanted: list[tuple[str, str, dict[str, tuple[str, str]], float | None]] = [
        ("Loss", "loss", loss, None),
        ("Validation", "validation score", scores, 1.0),
        ("Learning rate", "learning rate", {"lr": ("first", "at the end of each epoch")}, None),
    ]
    drawn = []
    for title, name, columns, top in wanted:
        lines = {column: kind for column, (kind, _) in columns.items()}
        chart = curve(run.metrics, lines, name, best, top)
        if chart is not None:
            drawn.append({"title": title, "chart": chart, "legend": list(columns.values())})
    return drawn


def _data(run: RunRecord) -> dict[str, Any]:
    table = run.manifest
    counts: list[dict[str, Any]] = []
    if not table.empty:
        found = table.groupby(["label", "split"]).size().to_dict()
        names = sorted(table["label"].unique())
        counts = [
            {"label": label, **{s: int(found.get((label, s), 0)) for s in SPLITS}}
            for label in names
        ]
    groups = 0 if table.empty else int(table["group"][table["group"] != ""].nunique())
    return {
        "counts": counts,
        "totals": {s: sum(row[s] for row in counts) for s in SPLITS},
        "groups": groups,
        "unreadable": run.unreadable.head(20).to_dict("records"),
        "unreadable_n": len(run.unreadable),
        "guesses": run.guesses,
        "data": run.config["data"],
    }


def _environment(run: RunRecord) -> dict[str, Any]:
    facts = run.environment
    rows = [
        ("Python", facts.get("python")),
        ("machine", facts.get("platform")),
        ("cores", facts.get("cpu_count")),
        ("peak memory", _with_unit(run.summary.get("peak_memory_mb"), "MB")),
        ("commit", facts.get("git_commit")),
        (
            "uncommitted changes",
            "yes, kept in environment.json" if facts.get("git_patch") else None,
        ),
        ("data SHA-256", facts.get("data_sha256")),
    ]
    return {
        "machine": [(name, str(value)) for name, value in rows if value is not None],
        "packages": sorted((facts.get("packages") or {}).items()),
        "extras": [(name, _flat(found)) for name, found in sorted(run.extras.items())],
    }


def _with_unit(value: Any, unit: str) -> str | None:
    return None if value is None else f"{value} {unit}"


def _flat(facts: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as lines of a table."""
    if isinstance(facts, dict):
        return [row for k, v in facts.items() for row in _flat(v, f"{prefix}{k} ")]
    if isinstance(facts, list) and any(isinstance(v, dict | list) for v in facts):
        return [row for i, v in enumerate(facts, 1) for row in _flat(v, f"{prefix}{i} ")]
    if isinstance(facts, list):
        return [(prefix.strip(), ", ".join(map(str, facts)))]
    text = f"{facts:.6g}" if isinstance(facts, float) else str(facts)
    return [(prefix.strip(), text)]
