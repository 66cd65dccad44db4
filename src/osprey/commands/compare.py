"""``osprey compare A B``: settings, figures and answers of two finished runs, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from osprey.commands.command_line import Parser, use_plugins
from osprey.config.chosen import flat
from osprey.config.parse import tree_of
from osprey.errors import UserError
from osprey.runs.folder import RunFolder, find_run
from osprey.system.console import counted, say
from osprey.tasks.plugin import TaskPlugin
from osprey.tasks.registry import get_task, shown_metrics
from osprey.tasks.specs import MetricSpec, PairedDifference

_SHOWN = 20
_NO_CHOICE = ("paths.", "extras.", "name", "resume")  # settings that change no figure


def main(argv: list[str]) -> int:
    """Print the comparison."""
    parser = Parser(
        prog="osprey compare",
        description="Compare two finished runs: settings, figures, and the answers that differ.",
    )
    parser.add_argument("first", metavar="RUN_A", help="a run folder, its name, or latest")
    parser.add_argument("second", metavar="RUN_B", help="another")
    parser.add_runs()
    parser.add_argument(
        "--limit", type=int, default=_SHOWN, metavar="N", help=f"answers shown (default: {_SHOWN})"
    )
    parser.add_plugins()
    arguments = parser.parse_args(argv)
    use_plugins(arguments)
    if arguments.limit < 0:
        parser.error(f"argument --limit: {arguments.limit} is out of range (at least 0)")
    one, other = (
        _finished(find_run(name, Path(arguments.runs)))
        for name in (arguments.first, arguments.second)
    )
    if one.path.resolve() == other.path.resolve():
        raise UserError(f"'{one.path}' was named twice: name two runs")
    if one.task != other.task:
        raise UserError(
            f"'{one.path}' is of task={one.task} and '{other.path}' of task={other.task}: runs of "
            "one task are compared"
        )
    _compare(one, other, arguments.limit)
    return 0


def _finished(run: RunFolder) -> RunFolder:
    if not run.finished:
        raise UserError(f"run '{run.path}' is not finished: go on with osprey train resume=...")
    return run


def _compare(one: RunFolder, other: RunFolder, limit: int) -> None:
    task = get_task(one.task)
    say(f"A       {one.path}")
    say(f"B       {other.path}")
    config = one.load_config()
    _settings(tree_of(config), tree_of(other.load_config()))
    first, second = one.read_json("summary.json"), other.read_json("summary.json")
    metrics = shown_metrics(task.name, config.monitor, config.mode)
    for split in (s for s in ("val", "test") if s in first and s in second):
        say()
        say(f"{split} ({first[split].get('n', '?')} and {second[split].get('n', '?')} samples):")
        differences = {
            metric.key: task.paired_difference(one, other, split, metric.key) for metric in metrics
        }
        _figures(first[split], second[split], metrics, differences)
    shown = "test" if "test" in first and "test" in second else "val"
    _classes(first[shown], second[shown])
    _answers(task, one, other, shown, limit)


def _settings(first: dict[str, Any], second: dict[str, Any]) -> None:
    before, now = flat(first), flat(second)
    keys = [k for k in {**before, **now} if before.get(k) != now.get(k)]
    keys = [key for key in keys if not key.startswith(_NO_CHOICE)]
    say()
    say("settings that differ:" if keys else "settings: the same")
    width = max(map(len, keys), default=0)
    for key in sorted(keys):
        say(f"  {key:<{width}}  {_plain(before.get(key))} -> {_plain(now.get(key))}")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def _figures(
    first: dict[str, Any],
    second: dict[str, Any],
    metrics: tuple[MetricSpec, ...],
    differences: dict[str, PairedDifference | None],
) -> None:
    blind = first.get("blind") or {}
    width = max(len(metric.name) for metric in metrics)
    for metric in metrics:
        values = [figures.get(metric.key) for figures in (first, second)]
        if None in values:
            continue
        before, now = (float(value) for value in values if value is not None)
        line = f"  {metric.name:<{width}}  {before:{metric.format}}  {now:{metric.format}}"
        line += f"  {now - before:+{metric.format}}"
        found = differences[metric.key]
        if found is not None:
            verdict = _verdict(metric, found.value) if found.told_apart else "not told apart"
            line += (
                f"  on the {found.n} that both answered {found.low:+{metric.format}} to "
                f"{found.high:+{metric.format}} (95%): {verdict}"
            )
        if metric.key in blind:
            line += f"; looking at nothing {float(blind[metric.key]):{metric.format}}"
        say(line)


def _verdict(metric: MetricSpec, difference: float) -> str:
    return "B is better" if metric.rank(difference) > 0 else "A is better"


def _classes(first: dict[str, Any], second: dict[str, Any]) -> None:
    """The classes whose figure changed most."""
    changes = sorted(_changes(first, second), key=lambda change: -abs(change[2] - change[1]))
    if not changes:
        return
    say()
    say("classes that changed most:")
    width = max(len(label) for label, *_ in changes[:_SHOWN])
    for label, before, now, key in changes[:_SHOWN]:
        say(f"  {label:<{width}}  {key} {before:.3f}  {now:.3f}  {now - before:+.3f}")


def _changes(
    first: dict[str, Any], second: dict[str, Any]
) -> Iterator[tuple[str, float, float, str]]:
    rows = {row["label"]: row for row in second.get("per_class", [])}
    for row in first.get("per_class", []):
        key = "f1" if "f1" in row and "ap50" not in row else "ap50"
        before, now = row.get(key), rows.get(row["label"], {}).get(key)
        if before is not None and now is not None and before != now:
            yield row["label"], float(before), float(now), key


def _answers(task: TaskPlugin, one: RunFolder, other: RunFolder, split: str, limit: int) -> None:
    found = task.changed_answers(one, other, split)
    if found is None:
        return
    mended = sum(row["second"] == row["label"] for row in found)
    broken = sum(row["first"] == row["label"] for row in found)
    say()
    say(
        f"answers that differ: {counted(len(found), 'photo')} of {split}; B is right where A was "
        f"wrong on {mended}, wrong where A was right on {broken}"
    )
    for row in found[:limit]:
        say(f"  {row['path']}  is {row['label']}: {row['first']} -> {row['second']}")
    if len(found) > limit:
        say(f"  ... and {len(found) - limit} more (--limit {len(found)})")
