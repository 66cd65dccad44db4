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
from osprey.tasks.measures import MEASURES, Measures
from osprey.tasks.registry import kind_of


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
    kind = kind_of(config.task.name)
    manifest = run.load_manifest(config.data.root)
    facts = kind.conclude(run, config, manifest, combined)
    summary: dict[str, Any] = {
        "name": config.name,
        "run": run.path.name,
        "task": config.task.name,
        "classes": manifest.classes,
        "kin": comparable_key(config, manifest),
        "epochs": _epochs(run, MEASURES[config.task.name]),
        "minutes": round(minutes, 2),
        "peak_memory_mb": _peak_memory(),
        **facts,
    }
    if (manifest.table["split"] == "test").any():
        table = run.path / "predictions.csv"
        summary["test"] = kind.test(run.best, config, manifest, "test", table)
        summary["other_split"] = other_split(run, Path(config.paths.runs), summary)
    run.write_json("summary.json", summary)
    clear(run.best.parent)
    run.publish(Path(config.paths.runs))
    present(run, config, manifest, summary)
    return summary


def _metrics(run: RunFolder) -> list[dict[str, str]]:
    """The rows of metrics.csv; none of a run that trained no epochs."""
    if not (run.path / "metrics.csv").is_file():
        return []
    with (run.path / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _epochs(run: RunFolder, measures: Measures) -> dict[str, Any]:
    """How many epochs were trained and which was best."""
    rows = _metrics(run)
    if not rows:
        return {"trained": 0, "best": 0}
    best = max(rows, key=lambda row: float(row[measures.logged]))
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
    kind, measures = kind_of(summary["task"]), MEASURES[summary["task"]]
    say()
    shown = "test" if "test" in summary else "val"
    kind.per_class_table(summary[shown]["per_class"])
    say()
    epochs = summary["epochs"]
    if epochs["trained"]:
        epochs_table(_metrics(run), epochs["best"], measures)
        say()
    say(f"val     {kind.metrics_line(summary['val'])}")
    if "test" in summary:
        say(f"test    {kind.metrics_line(summary['test'])}")
    averaging = summary.get("averaging", {})
    mean = f"{averaging.get('kind')} of epochs {', '.join(map(str, averaging.get('epochs', [])))}"
    chosen = mean if averaging.get("kept") else f"epoch {epochs['best']}"
    best = f"best    {chosen} of {epochs['trained']} by validation {measures.name}; "
    say(
        (best if epochs["trained"] else "ready   ")
        + f"{kind.settings_line(summary)}; {summary['minutes']:.1f} minutes, "
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
