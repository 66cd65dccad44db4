"""After the last epoch: calibrate, test, write the summary, say what came out."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

from osprey.config.schema import TrainConfig
from osprey.engine.console import epochs_table
from osprey.engine.present import present
from osprey.ensembling.averaging import clear
from osprey.ensembling.ensemble import Combined
from osprey.runs.comparable import comparable_key, other_split
from osprey.runs.folder import RunFolder
from osprey.system.console import say
from osprey.tasks.plugin import MetricSpec
from osprey.tasks.registry import get_task


def finish(
    run: RunFolder, config: TrainConfig, minutes: float, combined: Combined | None = None
) -> dict[str, Any]:
    """Average, calibrate and test the best checkpoint; from then on the run counts as finished.

    Args:
        run: The run.
        config: Its settings.
        minutes: How long it trained.
        combined: What an ensemble said of validation.

    Returns:
        The content of ``summary.json``.
    """
    task = get_task(config.task.name)
    manifest = run.load_manifest(config.data.root)
    found = task.finalize(run, config, manifest, combined)
    summary: dict[str, Any] = {
        "name": config.name,
        "run": run.path.name,
        "task": config.task.name,
        "classes": manifest.classes,
        "kin": comparable_key(config, manifest),
        "epochs": _epochs(run, task.metrics[0]),
        "minutes": round(minutes, 2),
        "peak_memory_mb": _peak_memory(),
        **found,
    }
    if (manifest.table["split"] == "test").any():
        table = run.path / "predictions.csv"
        summary["test"] = task.test(run.best, config, manifest, "test", table)
        summary["other_split"] = _other_split(run, config, summary)
    run.write_json("summary.json", summary)
    clear(run.best.parent)
    run.publish(Path(config.paths.runs))
    present(run, config, manifest, summary)
    return summary


def _other_split(
    run: RunFolder, config: TrainConfig, summary: dict[str, Any]
) -> dict[str, Any] | None:
    """Figures of the run's twin that was split the other way."""
    task = get_task(config.task.name)
    keys = [*(metric.key for metric in task.metrics), *task.compared]
    return other_split(run, Path(config.paths.runs), summary, keys)


def _metrics(run: RunFolder) -> list[dict[str, str]]:
    """The rows of metrics.csv; none of a run that trained no epochs."""
    if not (run.path / "metrics.csv").is_file():
        return []
    with (run.path / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _epochs(run: RunFolder, metric: MetricSpec) -> dict[str, Any]:
    """How many epochs were trained and which was best."""
    rows = _metrics(run)
    if not rows:
        return {"trained": 0, "best": 0}
    best = max(rows, key=lambda row: metric.rank(float(row[metric.logged])))
    return {"trained": len(rows), "best": int(best["epoch"])}


def _peak_memory() -> int | None:
    """Most memory this process ever held, in MB (getrusage counts kB, on macOS bytes)."""
    try:
        import resource
    except ImportError:  # Windows does not tell
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3))


def report(run: RunFolder, summary: dict[str, Any]) -> None:
    """Print what came out and the next commands to copy."""
    task = get_task(summary["task"])
    say()
    shown = "test" if "test" in summary else "val"
    if "per_class" in summary[shown]:
        task.per_class_table(summary[shown]["per_class"])
        say()
    epochs = summary["epochs"]
    if epochs["trained"]:
        epochs_table(_metrics(run), epochs["best"], task.metrics)
        say()
    say(f"val     {task.metrics_line(summary['val'])}")
    if "test" in summary:
        say(f"test    {task.metrics_line(summary['test'])}")
    averaging = summary.get("averaging", {})
    mean = f"{averaging.get('kind')} of epochs {', '.join(map(str, averaging.get('epochs', [])))}"
    chosen = mean if averaging.get("kept") else f"epoch {epochs['best']}"
    best = f"best    {chosen} of {epochs['trained']} by validation {task.metrics[0].name}; "
    settings = task.settings_line(summary)
    say(
        (best if epochs["trained"] else "ready   ")
        + f"{settings + '; ' if settings else ''}{summary['minutes']:.1f} minutes, "
        f"{summary['peak_memory_mb'] or '?'} MB"
    )
    say(f"run     {run.path}")
    if (run.path / "report.html").is_file():
        say(f"report  {run.path / 'report.html'}")
    say()
    say("next:")
    say(f"  osprey predict --run {run.path} --image PHOTO --verbose")
    say(f"  osprey eval run={run.path} data.split={shown}")
    if epochs["trained"]:
        say(f"  osprey train resume={run.path} trainer.max_epochs={2 * epochs['trained']}")
    elif "ensemble" not in summary:
        say(f"  osprey train experiment=finetune from={run.path}")
