"""What each section of the report shows, as plain values for its template."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np

from osprey.reports import charts, figures
from osprey.reports.confusion import confusion_picture
from osprey.reports.facts import RunFacts
from osprey.reports.photos import batch, gallery

_SPLITS = ("train", "val", "test")


def sections(run: RunFacts) -> dict[str, Any]:
    """Everything the page's templates ask for."""
    slicings, unsliced = figures.slicings(run.manifest, run.shown)
    photos = gallery(run)
    return {
        **_headline(run),
        "commands": _commands(run),
        "curves": _curves(run),
        **_confusion(run),
        "per_class": _per_class(run),
        **_calibration(run),
        "batch": batch(run),
        "gallery": photos,
        "slicings": [
            {"name": s.name, "others": s.others, "rows": figures.slice_rows(s, run.shown)}
            for s in slicings
        ],
        "unsliced": unsliced,
        "few": figures.FEW,
        "other": _other(run),
        **_data(run),
        **_environment(run),
        "payload": _payload(run, slicings),
    }


def _headline(run: RunFacts) -> dict[str, Any]:
    shown = run.figures
    right = int(run.shown.right.sum())
    low, high = figures.wilson(right, len(run.shown.labels))
    model = run.config["model"]
    return {
        "name": str(run.summary["name"]),
        "stamp": str(run.summary["run"]),
        "model": str(model["name"]),
        "split": run.shown.split,
        "figures": {**shown, "low": low, "high": high},
        "val": run.summary["val"],
        "summary": run.summary,
        "classes": run.classes,
        "trained": _trained(run),
        "fewest": min(row["n"] for row in shown["per_class"]),
    }


def _trained(run: RunFacts) -> str:
    """In words, which part of the network moved, from which weights."""
    model = run.config["model"]
    if "ensemble" in run.summary:
        return f"{len(run.summary['ensemble']['members'])} finished runs combined, nothing trained"
    pretrained = model.get("pretrained")
    start = "from random weights" if pretrained is False else "from pretrained weights"
    if isinstance(model.get("freeze"), int) and model["freeze"] > 0:
        return f"whole network {start}, the backbone resting for {model['freeze']} epochs"
    if model.get("freeze") == "backbone" or run.summary["epochs"]["trained"] == 0:
        return f"the head alone, on a resting backbone {start}"
    if model.get("freeze_stages"):
        return f"all but the first {model['freeze_stages']} stages, {start}"
    return f"whole network {start}"


def _commands(run: RunFacts) -> list[dict[str, str]]:
    """The commands to copy; the run is named as it was, wherever its folder lies now."""
    folder = f"{run.config['paths']['runs']}/{run.summary['name']}/{run.summary['run']}"
    lines = {
        "train it again": ["osprey", "train", *run.overrides],
        "test it again": ["osprey", "eval", f"run={folder}", f"data.split={run.shown.split}"],
        "name a photo": ["osprey", "predict", "--run", folder, "--image", "PHOTO", "--verbose"],
        "this report again": ["osprey", "report", folder],
    }
    return [{"what": what, "line": shlex.join(words)} for what, words in lines.items()]


def _curves(run: RunFacts) -> list[dict[str, Any]]:
    best = int(run.summary["epochs"].get("best") or 0)
    rates = {"train/loss": "second", "val/log_loss": "first"}
    scores = {"val/macro_f1": "first", "val/top1": "second"}
    drawn = [
        {
            "title": "Loss",
            "chart": charts.curve(run.metrics, rates, "loss", best),
            "legend": [("first", "validation log loss"), ("second", "training loss")],
        },
        {
            "title": "Validation",
            "chart": charts.curve(run.metrics, scores, "validation score", best, 1.0),
            "legend": [("first", "macro-F1 (chooses the best epoch)"), ("second", "top-1")],
        },
        {
            "title": "Learning rate",
            "chart": charts.curve(run.metrics, {"lr": "first"}, "learning rate", best),
            "legend": [("first", "at the end of each epoch")],
        },
    ]
    return [item for item in drawn if item["chart"] is not None]


def _confusion(run: RunFacts) -> dict[str, Any]:
    matrix = np.array(run.figures["confusion"], dtype=np.int64)
    totals = matrix.sum(axis=1)
    return {
        "confusion": confusion_picture(matrix, run.classes),
        "confusions": [
            {"true": run.classes[i], "said": run.classes[j], "n": n, "rate": n / int(totals[i])}
            for i, j, n in figures.confusions(matrix)
        ],
    }


def _per_class(run: RunFacts) -> list[dict[str, Any]]:
    """Per class the summary's figures, and the interval of its recall."""
    matrix = np.array(run.figures["confusion"], dtype=np.int64)
    rows = []
    for i, row in enumerate(run.figures["per_class"]):
        low, high = figures.wilson(int(matrix[i, i]), int(row["n"]))
        rows.append({**row, "low": low, "high": high})
    return rows


def _calibration(run: RunFacts) -> dict[str, Any]:
    shown, temperature = run.shown, float(run.summary["temperature"])
    before = figures.reliability(figures.untempered(shown.p, temperature), shown.labels)
    after = figures.reliability(shown.p, shown.labels)
    return {
        "reliability": charts.reliability_chart(before, after),
        "histogram": charts.score_histogram(shown),
        "coverage": charts.coverage_chart(shown),
        "thresholds": figures.thresholds(run.val, shown) if run.val is not None else [],
    }


def _other(run: RunFacts) -> dict[str, Any] | None:
    """This run's test figures beside those of its twin on the other kind of split."""
    found = run.summary.get("other_split")
    if not found or "test" not in run.summary:
        return None
    mine = "random" if found["by"] == "group" else "group"
    rows = [
        {"by": mine, "run": "this run", **run.summary["test"]},
        {"by": found["by"], "run": found["run"], **found["test"]},
    ]
    for row in rows:
        row["low"], row["high"] = figures.wilson(round(row["top1"] * row["n"]), row["n"])
    rows.sort(key=lambda row: str(row["by"]))
    return {"rows": rows, "gap": rows[1]["macro_f1"] - rows[0]["macro_f1"]}


def _data(run: RunFacts) -> dict[str, Any]:
    table = run.manifest
    counts: list[dict[str, Any]] = []
    if not table.empty:
        found = table.groupby(["label", "split"]).size().to_dict()
        names = sorted(table["label"].unique())
        counts = [
            {"label": label, **{s: int(found.get((label, s), 0)) for s in _SPLITS}}
            for label in names
        ]
    groups = 0 if table.empty else int(table["group"][table["group"] != ""].nunique())
    return {
        "counts": counts,
        "totals": {s: sum(row[s] for row in counts) for s in _SPLITS},
        "groups": groups,
        "unreadable": run.unreadable.head(20).to_dict("records"),
        "unreadable_n": len(run.unreadable),
        "data": run.config["data"],
    }


def _environment(run: RunFacts) -> dict[str, Any]:
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


def _payload(run: RunFacts, slicings: list[figures.Slicing]) -> dict[str, Any]:
    """What the page's script filters: one small number a photo and column."""
    return {
        "classes": run.classes,
        "labels": run.shown.labels.tolist(),
        "predicted": run.shown.predicted.tolist(),
        "scores": np.rint(1000 * run.shown.scores).astype(int).tolist(),
        "slices": [
            {"name": s.name, "values": s.values, "codes": s.codes.tolist()} for s in slicings
        ],
    }
