"""Values for the templates of a classifier's report."""

from __future__ import annotations

from typing import Any

import numpy as np

from osprey.reports.charts import score_histogram
from osprey.reports.confusion import confusion_picture
from osprey.reports.figures import FEW, Slicing, slicings, wilson
from osprey.reports.photo_map import map_of
from osprey.reports.photos import batch, gallery
from osprey.reports.sections import commands, curves, monitored, shared_sections
from osprey.tasks.classification.chance import chance_line
from osprey.tasks.classification.report import charts, figures
from osprey.tasks.classification.report.record import ClassifierRun
from osprey.tasks.classification.report.remarks import remarks

_GALLERY = {
    "worst": "Worst mistakes: wrong, and surest of it",
    "doubtful": "Most doubtful: the two best classes nearly level",
}

# What may choose the best epoch, as it is logged; the first unless monitor= names another.
_MONITORED = {"val/macro_f1": "macro-F1", "val/top1": "top-1", "val/log_loss": "log loss"}


def sections(run: ClassifierRun) -> dict[str, Any]:
    """Every value that the page's templates use, by name."""
    sliced, unsliced = slicings(run.manifest, run.split, run.shown.paths)
    predict = ["osprey", "predict", "--run", "RUN", "--image", "PHOTO", "--verbose"]
    return {
        **shared_sections(run),
        **_headline(run),
        "commands": commands(run, {"name a photo": predict}),
        "curves": _curves(run),
        **_confusion(run),
        "per_class": _per_class(run),
        **_calibration(run),
        "remarks": remarks(run),
        "batch": batch(run),
        "gallery": gallery(run, _GALLERY),
        "map": map_of(run),
        "slicings": [
            {"name": s.name, "others": s.others, "rows": figures.slice_rows(s, run.shown)}
            for s in sliced
        ],
        "unsliced": unsliced,
        "few": FEW,
        "other": _other(run),
        "payload": _payload(run, sliced),
    }


def _headline(run: ClassifierRun) -> dict[str, Any]:
    low, high = wilson(int(run.shown.right.sum()), len(run.shown.labels))
    return {
        "figures": {**run.figures, "low": low, "high": high},
        "fewest": min(row["n"] for row in run.figures["per_class"]),
        "chance": chance_line(run.figures),
        "monitored": monitored(run, _MONITORED),
        "chosen": "the temperature",
    }


def _curves(run: ClassifierRun) -> list[dict[str, Any]]:
    return curves(
        run,
        {
            "val/log_loss": ("first", "validation log loss"),
            "train/loss": ("second", "training loss"),
        },
        {
            "val/macro_f1": ("first", "macro-F1"),
            "val/top1": ("second", "top-1"),
        },
    )


def _confusion(run: ClassifierRun) -> dict[str, Any]:
    matrix = np.array(run.figures["confusion"], dtype=np.int64)
    totals = matrix.sum(axis=1)
    return {
        "confusion": confusion_picture(matrix, run.classes),
        "confusions": [
            {"true": run.classes[i], "said": run.classes[j], "n": n, "rate": n / int(totals[i])}
            for i, j, n in figures.confusions(matrix)
        ],
    }


def _per_class(run: ClassifierRun) -> list[dict[str, Any]]:
    """Per class the summary's metrics, and the interval of its recall."""
    matrix = np.array(run.figures["confusion"], dtype=np.int64)
    rows = []
    for i, row in enumerate(run.figures["per_class"]):
        low, high = wilson(int(matrix[i, i]), int(row["n"]))
        rows.append({**row, "low": low, "high": high})
    return rows


def _calibration(run: ClassifierRun) -> dict[str, Any]:
    shown, temperature = run.shown, float(run.summary["temperature"])
    before = figures.reliability(figures.untempered(shown.p, temperature), shown.labels)
    after = figures.reliability(shown.p, shown.labels)
    return {
        "reliability": charts.reliability_chart(before, after),
        "histogram": score_histogram(
            shown.scores[shown.right],
            shown.scores[~shown.right],
            ("right", "wrong"),
            "Scores of right and of wrong answers",
        ),
        "coverage": charts.coverage_chart(shown),
        "thresholds": _thresholds(run),
    }


def _thresholds(run: ClassifierRun) -> list[dict[str, Any]]:
    """None of fewer validation photos than any threshold needs: "no threshold" would be untrue."""
    if run.val is None or len(run.val.labels) < figures.LEAST:
        return []
    return figures.thresholds(run.val, run.shown)


def _other(run: ClassifierRun) -> dict[str, Any] | None:
    """This run's test metrics beside those of the same run on the other type of split."""
    found = run.summary.get("other_split")
    if not found or "test" not in run.summary:
        return None
    mine = "random" if found["by"] == "group" else "group"
    rows = [
        {"by": mine, "run": "this run", **run.summary["test"]},
        {"by": found["by"], "run": found["run"], **found["test"]},
    ]
    for row in rows:
        row["low"], row["high"] = wilson(round(row["top1"] * row["n"]), row["n"])
    rows.sort(key=lambda row: str(row["by"]))
    return {"rows": rows, "gap": rows[1]["macro_f1"] - rows[0]["macro_f1"]}


def _payload(run: ClassifierRun, slicings: list[Slicing]) -> dict[str, Any]:
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
