"""Two steps against one: the same photos named by their boxes, and as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sklearn.metrics import precision_recall_fscore_support

from osprey.data.manifest import Manifest
from osprey.errors import DataError
from osprey.imaging.boxes import NOTHING
from osprey.pipelines.two_step import TwoStep
from osprey.system.console import say
from osprey.system.files import write_csv
from osprey.tasks.classification.predictor import Predictor

WAYS = ("one_step", "two_step")


def compare(
    steps: TwoStep, one_step: Predictor, part: Manifest, nothing: str | None, table: Path
) -> dict[str, Any]:
    """Figures of both ways on the photos of a split; every answer goes to ``table``.

    Args:
        steps: Detector and classifier.
        one_step: Asked of the whole photos.
        part: The photos with their true labels.
        nothing: The class of a photo in which two steps find nothing; None where there is none,
            and such a photo counts as named wrongly.
        table: CSV to write: path, label, and the label and score of each way.

    Returns:
        Plain data: ``n``, ``empty`` (photos in which nothing was found) and of each way ``top1``,
        ``macro_f1`` and ``per_class``.

    Raises:
        DataError: A photo can no longer be read, or there is none.
    """
    nothing = nothing or NOTHING
    if part.table.empty:
        raise DataError("the split is empty: nothing to test on")
    truth = [str(label) for label in part.table["label"]]
    rows = _rows(steps, one_step, part, nothing)
    write_csv(table, list(rows[0]), (list(row.values()) for row in rows))
    classes = sorted(set(truth))
    return {
        "n": len(rows),
        "empty": sum(row["boxes"] == 0 for row in rows),
        "nothing": nothing if nothing in part.classes else None,
        "full_image_fallback": steps.fallback,
        **{way: _metrics(truth, [str(row[way]) for row in rows], classes) for way in WAYS},
    }


def _rows(
    steps: TwoStep, one_step: Predictor, part: Manifest, nothing: str
) -> list[dict[str, Any]]:
    """Each photo's label, and the label and score of each way."""
    files = [part.root / str(path) for path in part.table["path"]]
    names, truth = part.table["path"], map(str, part.table["label"])
    rows: list[dict[str, Any]] = []
    for name, label, whole, boxed in zip(
        names, truth, one_step.predict(files), steps.predict(files), strict=True
    ):
        if whole.failure or boxed.prediction.failure:
            raise DataError(str(whole.failure or boxed.prediction.failure))
        best, score = whole.top(one_step.classes)[0]
        found = len(boxed.prediction.detections or ())
        label_2, score_2 = boxed.summary(steps.classifier.classes)
        if not len(boxed.probabilities):
            label_2 = nothing
        row = {"path": name, "label": label, "one_step": best, "one_step_score": f"{score:.6g}"}
        rows.append(row | {"two_step": label_2, "two_step_score": score_2, "boxes": found})
    return rows


def _metrics(
    truth: Sequence[str], answers: Sequence[str], classes: Sequence[str]
) -> dict[str, Any]:
    precision, recall, f1, counts = precision_recall_fscore_support(
        truth, answers, labels=classes, zero_division=0
    )
    return {
        "top1": sum(a == b for a, b in zip(truth, answers, strict=True)) / len(truth),
        "macro_f1": float(f1.mean()),
        "per_class": [
            {"label": name, "n": int(n), "precision": float(p), "recall": float(r), "f1": float(f)}
            for name, n, p, r, f in zip(classes, counts, precision, recall, f1, strict=True)
        ],
    }


def print_comparison(figures: Mapping[str, Any], split: str) -> None:
    """A line a class, both ways side by side, then each way's headline."""
    pairs = list(zip(*(figures[way]["per_class"] for way in WAYS), strict=True))
    width = max(5, *(len(one["label"]) for one, _ in pairs))
    say(f"{'':<{width}}         {'one step':^26}  {'two steps':^26}")
    head = "precision  recall     F1"
    say(f"{'class':<{width}}      n  {head}    {head}")
    for one, two in pairs:
        cells = "    ".join(
            f"{row['precision']:>9.3f}  {row['recall']:>6.3f}  {row['f1']:>5.3f}"
            for row in (one, two)
        )
        say(f"{one['label']:<{width}} {one['n']:>6}  {cells}")
    say()
    for way, name in zip(WAYS, ("one step", "two steps"), strict=True):
        found = figures[way]
        line = f"top-1 {found['top1']:.3f}, macro-F1 {found['macro_f1']:.3f} (n={figures['n']})"
        say(f"{split:<7} {name + ':':<11} {line}")
    if figures["full_image_fallback"]:
        told = "named as a whole"
    elif figures["nothing"]:
        told = f"called {figures['nothing']}"
    else:
        told = "all wrong; if a class means that there is nothing, add nothing=CLASS"
    if figures["empty"]:
        say(f"{split:<7} nothing found on {figures['empty']} photos: {told}")
