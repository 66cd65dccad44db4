"""After the last epoch: validate, test, write and print the summary."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from osprey.config.schema import CostConfig, TrainConfig
from osprey.data.manifest import Manifest
from osprey.engine.callbacks.progress import raise_best
from osprey.engine.console import epochs_table, print_remarks, print_sources
from osprey.ensembling.averaging import clear
from osprey.ensembling.ensemble import Combined
from osprey.models.checkpoint import read_checkpoint
from osprey.runs.comparable import comparable_key, other_split
from osprey.runs.folder import RunFolder
from osprey.runs.learnt import learnt_counts
from osprey.runs.trial_mark import sharers
from osprey.system.console import in_minutes, say
from osprey.system.launcher import is_first
from osprey.system.memory import peak_memory
from osprey.system.plugins import plugin_setting
from osprey.system.processes import wait_for_all
from osprey.tasks.evaluation import EvaluationSettings, Watchers, load_for_testing, watched_by
from osprey.tasks.plugin import MetricSpec
from osprey.tasks.quiet import quieten
from osprey.tasks.registry import get_task, shown_metrics

_UNTESTED = "none: validation, which also chose what is best, flatters"


def evaluate_run(
    run: RunFolder,
    config: TrainConfig,
    minutes: float,
    watchers: Watchers,
    combined: Combined | None = None,
) -> dict[str, Any]:
    """Average, validate and test the best checkpoint, and write ``summary.json``.

    In a distributed run every process calls this; rank 0 writes.

    Args:
        run: The run.
        config: Its settings.
        minutes: Duration of training.
        watchers: Callbacks and loggers for the test.
        combined: An ensemble's outputs on validation.

    Returns:
        The content of ``summary.json``; only a part of it in processes other than rank 0.
    """
    quieten(config.extras.ignore_warnings)
    task = get_task(config.task.name)
    manifest = None if config.data.is_foreign else run.load_manifest(config.data.root)
    kind, averaging = config.callbacks.averaging, None
    if manifest is not None and kind != "none":
        averaging = _average(run, kind, load_for_testing(run.best, config), manifest)
    found = task.finalize(run, config, manifest, combined)
    wait_for_all()  # until best.ckpt is as it stays
    found |= {} if averaging is None else {"averaging": averaging}
    data, model = config.data.root, config.model.name
    kin = {} if manifest is None else {"kin": comparable_key(data, model, manifest)}
    metrics = shown_metrics(task.name, config.monitor, config.mode)
    summary: dict[str, Any] = {
        "name": config.name,
        "run": run.path.name,
        "task": config.task.name,
        "classes": [] if manifest is None else manifest.classes,
        **kin,
        "epochs": _epochs(run, metrics[0]),
        "minutes": round(minutes, 2),
        "peak_memory_mb": None,
        **_money(minutes, config.cost),
        **found,
    }
    if manifest is None or (manifest.table["split"] == "test").any():
        table = run.path / "predictions.csv"
        with watched_by(watchers):
            tested = task.test(run.best, config, manifest, "test", table)
        summary |= {"test": tested} if tested else {}
    if not is_first():
        return summary
    if manifest is not None:
        for split in {"val", "test"} & summary.keys():
            blind = task.blind_figures(manifest.split("train"), manifest.split(split))
            summary[split] |= {"blind": blind} if blind else {}
    peak = peak_memory()
    summary["peak_memory_mb"] = None if peak is None else round(peak / 1e6)
    if manifest is not None and "test" in summary:
        summary["other_split"] = _other_split(run, Path(config.paths.runs), summary)
    if manifest is not None and config.data.allow_leakage and (learnt := learnt_counts(run)):
        summary["trained_on"] = learnt
    run.write_json("summary.json", summary)
    return summary


def _money(minutes: float, cost: CostConfig) -> dict[str, float]:
    """What the training cost, where somebody says what an hour costs."""
    usd = cost.usd_of(minutes, sharers())
    return {} if usd is None else {"usd": round(usd, 4)}


def publish(run: RunFolder, runs: Path) -> None:
    """Point ``runs/latest`` to a finished run, and remove what averaging kept."""
    clear(run.best.parent)
    run.publish(runs)


def _average(
    run: RunFolder, kind: str, best: tuple[Any, EvaluationSettings], manifest: Manifest
) -> dict[str, Any]:
    """Weights of several epochs averaged, as ``callbacks.averaging`` says."""
    from osprey.ensembling.averaging_candidate import CandidateEvaluator, average_weights

    evaluator = CandidateEvaluator(*best, manifest)
    averaging, replaced = average_weights(run, kind, evaluator)
    if replaced and is_first():
        raise_best(run.last, averaging["val_macro_f1"])  # a later epoch must beat the mean, too
    wait_for_all()
    return averaging


def _other_split(run: RunFolder, runs: Path, summary: dict[str, Any]) -> dict[str, Any] | None:
    """Test metrics of a comparable run that was split the other way."""
    task = get_task(summary["task"])
    keys = [*(metric.key for metric in task.metrics), *task.compared]
    return other_split(run, runs, summary, keys)


def _epochs(run: RunFolder, metric: MetricSpec) -> dict[str, Any]:
    """How many epochs were trained, which one best.ckpt is of, and which had the highest figure."""
    rows = run.read_metrics()
    if not rows:
        return {"trained": 0, "best": 0}
    highest = max(rows, key=lambda row: metric.rank(float(row[metric.logged])))
    chosen = read_checkpoint(run.last)["callbacks"]["BestAndLast"]
    best = int(chosen.get("epoch") or highest["epoch"])
    found: dict[str, Any] = {"trained": len(rows), "best": best}
    if int(highest["epoch"]) != best:
        found["highest"] = int(highest["epoch"])
    return found if chosen.get("error") is None else {**found, "error": chosen["error"]}


def _chosen_line(epochs: dict[str, Any], rows: Sequence[dict[str, str]], metric: MetricSpec) -> str:
    """Which epoch was chosen, and how far it is from the one with the highest figure."""
    best, highest = epochs["best"], epochs.get("highest", epochs["best"])
    if best == highest:
        return f"epoch {best} of {epochs['trained']} by validation {metric.name}"
    one, other = (f"{float(rows[n - 1][metric.logged]):{metric.format}}" for n in (best, highest))
    error = f", standard error {epochs['error']:.3f}" if "error" in epochs else ""
    return (
        f"epoch {best} of {epochs['trained']}: validation {metric.name} {one}, best was {other} in "
        f"epoch {highest}{error}"
    )


def report(
    run: RunFolder, summary: dict[str, Any], metrics: Sequence[MetricSpec], target: str
) -> None:
    """Print the results, by the metrics of `shown_metrics`, and the next commands."""
    task = get_task(summary["task"])
    say()
    shown = "test" if "test" in summary else "val"
    if "per_class" in summary[shown]:
        task.per_class_table(summary[shown]["per_class"])
        say()
    epochs = summary["epochs"]
    if epochs["trained"]:
        epochs_table(run.read_metrics(), epochs["best"], metrics)
        say()
    say(f"val     {task.metrics_line(summary['val'])}")
    tested = task.metrics_line(summary["test"]) if "test" in summary else _UNTESTED
    say(f"test    {tested}")
    print_sources(summary[shown], task.metrics_line)
    print_remarks(task.remarks(summary[shown]))
    for name, count in summary.get("trained_on", {}).items():
        say(f"{name:<7} trained on {count} of these photos: the figures flatter")
    averaging = summary.get("averaging", {})
    mean = f"{averaging.get('kind')} of epochs {', '.join(map(str, averaging.get('epochs', [])))}"
    best = f"best    {mean} of {epochs['trained']} by validation {metrics[0].name}; "
    if epochs["trained"] and not averaging.get("kept"):
        best = f"best    {_chosen_line(epochs, run.read_metrics(), metrics[0])}; "
    settings = task.settings_line(summary)
    say(
        (best if epochs["trained"] else "ready   ")
        + f"{settings + '; ' if settings else ''}{in_minutes(summary['minutes'])}, "
        f"{summary['peak_memory_mb'] or '?'} MB"
        + (f", {summary['usd']:.2f} USD" if "usd" in summary else "")
    )
    say(f"run     {run.path}")
    if (run.path / "report.html").is_file():
        say(f"report  {run.path / 'report.html'}")
    for card in sorted(run.path.glob("bundle*/card.json")):
        say(f"bundle  {card.parent} ({agreement(json.loads(card.read_text(encoding='utf-8')))})")
    say()
    for line in _next_lines(run, target, summary, shown):
        say(line)


def agreement(card: dict[str, Any]) -> str:
    """How a bundle compares with PyTorch, by its card, in a few words."""
    check = card["check"]
    same = f"{check['agreement']:.1%} of {check['photos']} answers as by PyTorch"
    return same if card["precision"] == "float32" else f"{card['precision']}, {same}"


def _next_lines(run: RunFolder, target: str, summary: dict[str, Any], split: str) -> list[str]:
    """The commands that go on from here, each with the plugins it must trust."""
    task, setting = get_task(summary["task"]), plugin_setting()
    names = [name for word in setting for name in word[len("plugins=[") : -1].split(",")]
    options = [part for name in names for part in ("--plugin", name)]
    epochs = summary["epochs"]
    lines = ["next:"]
    if task.lacks:
        lines.insert(0, f"note    {target} {task.lacks}")
    else:
        words = ["osprey", "predict", "--run", str(run.path), "--image", "PHOTO", "--verbose"]
        lines.append(shlex.join([*words, *options]))
    lines.append(shlex.join(["osprey", "eval", f"run={run.path}", f"data.split={split}", *setting]))
    if epochs["trained"]:
        more = f"trainer.max_epochs={2 * epochs['trained']}"
        lines.append(shlex.join(["osprey", "train", f"resume={run.path}", more, *setting]))
    elif "ensemble" not in summary:
        lines.append(shlex.join(["osprey", "train", "experiment=finetune", f"from={run.path}"]))
    return [line if line[:4] in ("next", "note") else f"  {line}" for line in lines]
