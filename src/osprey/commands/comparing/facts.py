"""What differs between two finished runs, read from their folders. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from osprey.config.chosen import flat
from osprey.config.no_figure import NO_CHOICE
from osprey.config.parse import tree_of
from osprey.config.schema import TrainConfig
from osprey.errors import UserError
from osprey.reports.run_record import damage_in_one_line
from osprey.runs.folder import RunFolder
from osprey.tasks.plugin import TaskPlugin
from osprey.tasks.registry import get_task, shown_metrics
from osprey.tasks.specs import MetricSpec, PairedDifference

Runs = tuple[RunFolder, RunFolder]


@dataclass(frozen=True)
class Figure:
    """A metric of both runs on a split.

    Attributes:
        metric: Which.
        before: The first's.
        now: The second's.
        paired: How far apart they are on the same samples; None where that is not known.
        blind: What looking at nothing scores; None where that is not known.
    """

    metric: MetricSpec
    before: float
    now: float
    paired: PairedDifference | None
    blind: float | None

    @property
    def verdict(self) -> str:
        """Which is better, if they can be told apart; empty where that is not known."""
        if self.paired is None:
            return ""
        if not self.paired.told_apart:
            return "not told apart"
        return "B is better" if self.metric.rank(self.paired.value) > 0 else "A is better"


@dataclass(frozen=True)
class SplitFigures:
    """The metrics of both runs on a split.

    Attributes:
        split: ``val`` or ``test``.
        counts: Samples of the first, and of the second.
        figures: The monitored metric first.
        unpaired: Why the samples are not compared one by one; empty: they are.
    """

    split: str
    counts: tuple[Any, Any]
    figures: list[Figure]
    unpaired: str


@dataclass(frozen=True)
class ClassChange:
    """The figure of a class in both runs.

    Attributes:
        label: The class.
        key: ``f1`` or ``ap50``.
        before: The first's.
        now: The second's.
        counts: Samples or boxes of the class in the first, and in the second.
    """

    label: str
    key: str
    before: float
    now: float
    counts: tuple[Any, Any]

    @property
    def change(self) -> float:
        """Second minus first."""
        return self.now - self.before


@dataclass(frozen=True)
class Comparison:
    """Two finished runs of one task.

    Attributes:
        runs: The first, A, and the second, B.
        configs: Their settings.
        task: Theirs.
        settings: Those that differ: name, the first's, the second's.
        splits: Validation, then test, as far as both have them.
        classes: Those that changed, most first; of the last split.
        untested: Why validation is looked at and not test; empty: test is.
    """

    runs: Runs
    configs: tuple[TrainConfig, TrainConfig]
    task: TaskPlugin
    settings: list[tuple[str, str, str]]
    splits: list[SplitFigures]
    classes: list[ClassChange]
    untested: str

    @property
    def shown(self) -> SplitFigures:
        """The split whose classes and answers are shown."""
        return self.splits[-1]


def compare_runs(one: RunFolder, other: RunFolder) -> Comparison:
    """Compare two finished runs.

    Args:
        one: A.
        other: B.

    Raises:
        UserError: They are one, of different tasks, damaged, or have no figures in common.
    """
    if one.path.resolve() == other.path.resolve():
        raise UserError(f"'{one.path}' was named twice: name two runs")
    configs = one.load_config(), other.load_config()
    names = [config.task.name for config in configs]
    if names[0] != names[1]:
        raise UserError(
            f"'{one.path}' is of task={names[0]} and '{other.path}' of task={names[1]}: runs of "
            "one task are compared"
        )
    task, runs = get_task(names[0]), (one, other)
    summaries = _summary(one), _summary(other)
    splits = [split for split in ("val", "test") if all(split in found for found in summaries)]
    if not splits:
        raise UserError(f"'{one.path}' and '{other.path}' were not tested on one split both")
    shown = splits[-1]
    metrics = shown_metrics(task.name, configs[0].monitor, configs[0].mode)
    return Comparison(
        runs,
        configs,
        task,
        _settings(tree_of(configs[0]), tree_of(configs[1])),
        [_figures(task, runs, split, [s[split] for s in summaries], metrics) for split in splits],
        _classes(runs, [found[shown] for found in summaries]),
        _untested(runs, summaries),
    )


def _summary(run: RunFolder) -> dict[str, Any]:
    with damage_in_one_line(run.path):
        found = run.read_json("summary.json")
        parts = (found, *(found.get(split, {}) for split in ("val", "test")))
        if not all(isinstance(part, dict) for part in parts):
            raise ValueError("summary.json holds no figures")
        return dict(found)


def _untested(runs: Runs, summaries: Sequence[dict[str, Any]]) -> str:
    without = [run for run, found in zip(runs, summaries, strict=True) if "test" not in found]
    if not without:
        return ""
    who = "neither run has a test" if len(without) == 2 else f"'{without[0].path}' has no test"
    return f"{who}: classes and answers are those of validation"


def _settings(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, str, str]]:
    before, now = flat(first), flat(second)
    keys = [k for k in {**before, **now} if before.get(k) != now.get(k)]
    return [
        (key, _plain(before.get(key)), _plain(now.get(key)))
        for key in sorted(keys)
        if not key.startswith(NO_CHOICE)
    ]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def _figures(
    task: TaskPlugin,
    runs: Runs,
    split: str,
    parts: Sequence[dict[str, Any]],
    metrics: Sequence[MetricSpec],
) -> SplitFigures:
    values = [_numbers(run, part, metrics) for run, part in zip(runs, parts, strict=True)]
    blind = _numbers(runs[0], parts[0].get("blind") or {}, metrics)
    paired: dict[str, PairedDifference] = {}
    unpaired = ""
    try:
        paired = task.paired_differences(*runs, split, [metric.key for metric in metrics])
    except UserError as error:
        unpaired = str(error)
    known = [metric for metric in metrics if all(metric.key in found for found in values)]
    figures = [
        Figure(m, values[0][m.key], values[1][m.key], paired.get(m.key), blind.get(m.key))
        for m in known
    ]
    counts = parts[0].get("n", "?"), parts[1].get("n", "?")
    return SplitFigures(split, counts, figures, unpaired)


def _numbers(
    run: RunFolder, figures: dict[str, Any], metrics: Sequence[MetricSpec]
) -> dict[str, float]:
    """The metrics that are known, by key."""
    with damage_in_one_line(run.path):
        found = {metric.key: figures.get(metric.key) for metric in metrics}
        return {key: float(value) for key, value in found.items() if value is not None}


def _classes(runs: Runs, parts: Sequence[dict[str, Any]]) -> list[ClassChange]:
    """The classes whose figure changed, most first."""
    one, other = (_rows(run, part) for run, part in zip(runs, parts, strict=True))
    changes = [
        ClassChange(
            label,
            key,
            float(one[label][key]),
            float(other[label][key]),
            (one[label]["n"], other[label]["n"]),
        )
        for label, key in ((label, _key(one[label])) for label in one if label in other)
        if None not in (values := (one[label].get(key), other[label].get(key)))
        and values[0] != values[1]
    ]
    return sorted(changes, key=lambda change: -abs(change.change))


def _key(row: dict[str, Any]) -> str:
    return "ap50" if "ap50" in row else "f1"


def _rows(run: RunFolder, figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    with damage_in_one_line(run.path):
        return {row["label"]: {"n": "?", **row} for row in figures.get("per_class", [])}
