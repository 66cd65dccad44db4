"""Values for the templates of a detector's report."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np

from osprey.reports.charts import score_histogram
from osprey.reports.confusion import confusion_picture
from osprey.reports.figures import FEW, slicings, wilson
from osprey.reports.photos import batch, gallery
from osprey.reports.sections import SPLITS, commands, curves, monitored, shared_sections
from osprey.system.console import counted
from osprey.tasks.detection.chance import chance_line
from osprey.tasks.detection.report import charts, figures
from osprey.tasks.detection.report.payload import payload
from osprey.tasks.detection.report.record import DetectorRun
from osprey.tasks.detection.report.repeats import repeats

_CURVES = 12  # classes whose precision and recall are drawn
_NO_SLICE = ("width", "height", "boxes")
_GALLERY = {
    "miss": "Worst misses: no sign of them, and large",
    "false_alarm": "Worst false alarms: wrong, and surest of it",
}

# What may choose the best epoch, as it is logged; the first unless monitor= names another.
_MONITORED = {"val/map": "mAP", "val/ap50": "AP50", "val/ap75": "AP75"}


def sections(run: DetectorRun) -> dict[str, Any]:
    """Every value that the page's templates use, by name."""
    sliced, unsliced = slicings(run.manifest, run.split, run.paths, _NO_SLICE)
    predict = ["osprey", "predict", "--run", "RUN", "--image", "PHOTO", "--save-dir", "OUT"]
    return {
        **shared_sections(run),
        **_headline(run),
        "commands": commands(run, {"find the subjects on a photo": predict}),
        "curves": _curves(run),
        "per_class": _per_class(run),
        **_precision_recall(run),
        **_scores_and_counts(run),
        **_confusion(run),
        "mistakes": figures.mistakes(run),
        "repeats": repeats(run),
        "batch": batch(run),
        "gallery": gallery(run, _GALLERY),
        "slicings": [
            {"name": s.name, "others": s.others, "rows": figures.slice_rows(run, s)} for s in sliced
        ],
        "unsliced": unsliced,
        "few": FEW,
        "other": _other(run),
        **_boxes(run),
        "payload": payload(run, sliced),
    }


def _headline(run: DetectorRun) -> dict[str, Any]:
    sizes = {name: run.figures[f"ap_{name}"] for name in ("small", "medium", "large")}
    return {
        "sizes": sizes,
        "all": figures.totals(run),
        "averaged": _averaged(run),
        "empty": run.figures["empty"],
        "chance": chance_line(run.figures),
        "monitored": monitored(run, _MONITORED),
        "chosen": "each class's threshold",
    }


def _averaged(run: DetectorRun) -> str:
    """How many classes the mean is over: one without true boxes has no AP."""
    tested = sum(row["ap"] is not None for row in run.figures["per_class"])
    every = counted(len(run.classes), "class")
    return every if tested == len(run.classes) else f"{tested} of {every}, those with boxes"


def _curves(run: DetectorRun) -> list[dict[str, Any]]:
    return curves(
        run,
        {"train/loss": ("first", "training loss")},
        {"val/map": ("first", "mAP"), "val/ap50": ("second", "AP50")},
    )


def _per_class(run: DetectorRun) -> list[dict[str, Any]]:
    """Per class the summary's metrics, and the interval of its recall."""
    rows = []
    for row in run.figures["per_class"]:
        low, high = wilson(round(row["recall"] * row["n"]), int(row["n"]))
        rows.append({**row, "low": low, "high": high})
    return rows


def _precision_recall(run: DetectorRun) -> dict[str, Any]:
    """A curve of each class that has boxes, of many the classes with the most."""
    rows = [(i, row) for i, row in enumerate(run.figures["per_class"]) if row["n"]]
    rows.sort(key=lambda row: -int(row[1]["n"]))
    drawn = []
    for label, row in rows[:_CURVES]:
        at = (row["recall"], row["precision"], row["threshold"])
        curve = figures.precision_recall(run, label)
        drawn.append({**row, "chart": charts.precision_recall_chart(curve, at, row["label"])})
    return {"precision_recall": drawn, "with_boxes": len(rows)}


def _scores_and_counts(run: DetectorRun) -> dict[str, Any]:
    right = run.matched.hit >= 0
    scores = run.found.scores
    true, found = figures.counts(run)
    return {
        "histogram": score_histogram(
            scores[right], scores[~right], ("true", "false"), "Scores of true and of false boxes"
        ),
        "counting": charts.count_chart(true, found),
        "exact": float((true == found).mean()),
        "more": int((found > true).sum()),
        "fewer": int((found < true).sum()),
    }


def _confusion(run: DetectorRun) -> dict[str, Any]:
    matrix = figures.confusion(run)
    mixed = matrix.copy()
    np.fill_diagonal(mixed, 0)
    mixed[-1], mixed[:, -1] = 0, 0
    pairs = sorted(np.argwhere(mixed).tolist(), key=lambda at: -int(mixed[at[0], at[1]]))
    return {
        "confusion": confusion_picture(matrix, run.classes, background=True),
        "confusions": [
            {
                "true": run.classes[i],
                "said": run.classes[j],
                "n": int(mixed[i, j]),
                "rate": int(mixed[i, j]) / int(matrix[i].sum()),
            }
            for i, j in pairs[:10]
        ],
    }


def _other(run: DetectorRun) -> list[dict[str, Any]]:
    """This run's test metrics beside those of the same run on the other type of split."""
    found = run.summary.get("other_split")
    if not found or "test" not in run.summary:
        return []
    mine = "random" if found["by"] == "group" else "group"
    rows = [
        {"by": mine, "run": "this run", **run.summary["test"]},
        {"by": found["by"], "run": found["run"], **found["test"]},
    ]
    return sorted(rows, key=lambda row: str(row["by"]))


def _without(empty: Counter[str]) -> str:
    """How many photos of each split have no box, in a sentence."""
    names = {"train": "to train on", "val": "to validate", "test": "to test"}
    said = [f"{counted(empty[key], 'photo')} {name}" for key, name in names.items() if empty[key]]
    return f"Without a box: {', '.join(said)}." if said else "Every photo has boxes."


def _boxes(run: DetectorRun) -> dict[str, Any]:
    """Boxes of each class and split, photos without any, and boxes mended before training."""
    found: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    photos, empty = Counter[str](), Counter[str]()
    for split, text in zip(run.manifest["split"], run.manifest["boxes"], strict=True):
        if split in found:
            labels = [box[0] for box in json.loads(text)]
            found[split].update(labels)
            photos[split] += 1
            empty[split] += not labels
    return {
        "counts": [
            {"label": name, **{split: found[split][name] for split in SPLITS}}
            for name in run.classes
        ],
        "totals": {split: photos[split] for split in SPLITS},
        "boxes": {split: sum(found[split].values()) for split in SPLITS},
        "without_said": _without(empty),
        "mended": run.mended.head(20).to_dict("records"),
        "mended_n": len(run.mended),
    }
