"""Results for Weights & Biases: metrics, pictures, predictions, checkpoint."""

from __future__ import annotations

import csv
from typing import Any

from osprey.runs.folder import RunFolder
from osprey.tasks.reporting import confusion_page

_ROWS = 10_000  # of the table of predictions; W&B draws no more
_KINDS = {
    "worst": "gallery/worst_mistakes",
    "doubtful": "gallery/most_doubtful",
    "miss": "gallery/worst_misses",
    "false_alarm": "gallery/worst_false_alarms",
}
_TEXT = ("path", "label", "predicted")  # columns of predictions that are no numbers


def log_media(experiment: Any, run: RunFolder, summary: dict[str, Any]) -> Any:
    """Add results to an open W&B run.

    Args:
        experiment: ``wandb.run``.
        run: The finished run, its pictures drawn.
        summary: Content of ``summary.json``.

    Returns:
        The best checkpoint with report and bundle as an artifact, whose upload has begun.
    """
    import wandb

    split = "test" if "test" in summary else "val"
    figures = summary[split]
    blind = {f"blind/{name}": value for name, value in figures.get("blind", {}).items()}
    numbers = {**figures, **blind}
    scalars = {k: v for k, v in numbers.items() if isinstance(v, int | float)}
    experiment.summary.update({f"{split}/{name}": value for name, value in scalars.items()})
    for name, value in summary.get("thresholds", {}).items():
        experiment.summary[f"threshold/{name}"] = value
    if "temperature" in summary:
        experiment.summary["temperature"] = summary["temperature"]
    media: dict[str, Any] = _pictures(wandb, run)
    if (confusion := confusion_page(run.path)) is not None:
        media["confusion"] = wandb.Html(confusion, inject=False)
    if (predictions := _predictions(wandb, run, split)) is not None:
        media[f"{split}/predictions"] = predictions
    experiment.log(media)
    best = wandb.Artifact(f"model-{experiment.id}", "model", metadata=scalars)
    best.add_file(str(run.best))
    if (run.path / "report.html").is_file():
        best.add_file(str(run.path / "report.html"))
    for bundle in run.path.glob("bundle*"):
        best.add_dir(str(bundle), name=bundle.name)
    return experiment.log_artifact(best, aliases=["best"])


def _predictions(wandb: Any, run: RunFolder, split: str) -> Any:
    """A table of path, label, predicted, score; for a detector every column of its boxes."""
    name = "predictions.csv" if split == "test" else "predictions_val.csv"
    if not (run.path / name).is_file():
        return None
    with (run.path / name).open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        # After them a classifier's probabilities, one a class.
        head = [column for column in next(rows) if not column.startswith("p:")]
        table = [
            [v if column in _TEXT else float(v) for column, v in zip(head, row, strict=False)]
            for row, _ in zip(rows, range(_ROWS), strict=False)
        ]
    return wandb.Table(head, table)


def _pictures(wandb: Any, run: RunFolder) -> dict[str, Any]:
    """The mosaic and the gallery, as far as they could be drawn."""
    plots, media = run.path / "plots", {}
    if (plots / "batch.jpg").is_file():
        media["batch"] = wandb.Image(str(plots / "batch.jpg"))
    if not (plots / "gallery.json").is_file():
        return media
    photos = run.read_json("plots/gallery.json")["photos"]
    for kind, key in _KINDS.items():
        chosen = [photo for photo in photos if photo["kind"] == kind]
        if chosen:
            media[key] = [_captioned(wandb, run, p, p["picture"]) for p in chosen]
        if chosen and chosen[0].get("cam"):
            media[f"{key}_cam"] = [_captioned(wandb, run, p, p["cam"]) for p in chosen]
    return media


def _captioned(wandb: Any, run: RunFolder, photo: dict[str, Any], name: str) -> Any:
    said = photo["why"] if "why" in photo else f"answered {photo['predicted']}"
    caption = f"{photo['label']}, {said} {photo['score']:.3f}"
    return wandb.Image(str(run.path / name), caption=caption)
