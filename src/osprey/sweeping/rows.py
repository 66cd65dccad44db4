"""What a leaderboard lists: trials of a sweep, or run folders. Read from small files, no torch."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from osprey.config.no_figure import NO_CHOICE
from osprey.errors import UserError
from osprey.runs.folder import RunFolder
from osprey.sweeping.about import ABOUT, read_about
from osprey.sweeping.records import TRIALS, read_records
from osprey.system.console import in_minutes
from osprey.tasks.registry import shown_metrics
from osprey.tasks.specs import MetricSpec


@dataclass(frozen=True)
class Row:
    """One line.

    Attributes:
        state: ``complete``, ``pruned``, ``failed`` or ``unfinished``.
        words: Its settings.
        runs: Its run folders, one a seed; none of a trial that failed before it had one.
        metric: The monitored one; None where nothing says.
        values: Its validation value, one a seed.
        test: On the test split; of several seeds the mean.
        minutes: Of training; of several seeds their sum.
        usd: What that cost, where it was said what an hour does.
        parameters: Of the network.
        speed: Photos a second, one by one.
        why: It failed, or after which epoch it ended.
        data: Folder of its photos.
    """

    state: str
    words: tuple[str, ...]
    runs: tuple[Path, ...] = ()
    metric: MetricSpec | None = None
    values: tuple[float, ...] = ()
    test: float | None = None
    minutes: float | None = None
    usd: float | None = None
    parameters: int | None = None
    speed: float | None = None
    why: str = ""
    data: str = ""

    @property
    def value(self) -> float:
        """The mean of its seeds; NaN without one."""
        return sum(self.values) / len(self.values) if self.values else math.nan

    @property
    def table(self) -> tuple[str, str]:
        """What it can be ranked with: data and metric."""
        return self.data, "" if self.metric is None else self.metric.logged


@dataclass(frozen=True)
class Board:
    """Rows that are comparable, best first, and the others.

    Attributes:
        metric: By which they are ranked.
        data: Folder of their photos.
        rows: Best first.
    """

    metric: MetricSpec
    data: str
    rows: list[Row] = field(default_factory=list)

    @cached_property
    def alike(self) -> list[bool]:
        """Whether each row could be as good as the best; read from the runs' answers, once."""
        from osprey.sweeping.leaderboard import not_told_apart

        return not_told_apart(self)

    @property
    def priced(self) -> bool:
        """Whether it is known of any row what it cost."""
        return any(row.usd is not None for row in self.rows)

    def differing(self, row: Row) -> list[str]:
        """The settings of a row that not all of the board have."""
        common = set.intersection(*(set(other.words) for other in self.rows))
        return [w for w in row.words if w not in common and not w.startswith(NO_CHOICE)]


def read_rows(place: Path) -> list[Row]:
    """The rows of a sweep's folder, or of every run folder below a folder.

    Args:
        place: ``runs/sweeps/<stamp>``, ``runs``, or one below it.

    Raises:
        UserError: There is neither.
    """
    if not place.is_dir():
        raise UserError(f"there is no folder '{place}': name a sweep's, or that of your runs")
    if (place / ABOUT).is_file() or (place / TRIALS).is_dir():
        return [_of_trial(record, _begun_in(place)) for record in read_records(place)]
    files = [*place.glob("*/config.yaml"), *place.glob("*/*/config.yaml")]
    folders = sorted({file.parent for file in files if not file.parent.is_symlink()})
    if not folders:
        raise UserError(f"there is no run under '{place}': train one with 'osprey train'")
    return [_of_run(folder) for folder in folders]


def boards_of(rows: Sequence[Row]) -> list[Board]:
    """Finished rows by what they can be ranked with, the largest board first."""
    found: dict[tuple[str, str], Board] = {}
    for row in rows:
        if row.state == "complete" and row.metric is not None and not math.isnan(row.value):
            found.setdefault(row.table, Board(row.metric, row.data)).rows.append(row)
    for board in found.values():
        board.rows.sort(key=lambda row: -board.metric.rank(row.value))
    return sorted(found.values(), key=lambda board: -len(board.rows))


def spent_on(rows: Sequence[Row]) -> str:
    """Minutes and money of all the rows, as ``12.5 minutes, 0.42 USD``; empty where not known."""
    minutes = [row.minutes for row in rows if row.minutes is not None]
    usd = [row.usd for row in rows if row.usd is not None]
    parts = [in_minutes(sum(minutes))] if minutes else []
    return ", ".join([*parts, *([f"{sum(usd):.2f} USD"] if usd else [])])


def _begun_in(sweep: Path) -> Path:
    """The folder that a sweep's run folders are named from."""
    try:
        return Path(read_about(sweep).cwd)
    except UserError:  # of a sweep of Hydra's own
        return Path()


def _of_trial(record: dict[str, Any], base: Path) -> Row:
    state = record.get("state") or ("failed" if "failure" in record else "complete")
    runs = record.get("runs") or ([record["run"]] if "run" in record else [])
    metric = MetricSpec(**record["metric"]) if "metric" in record else None
    value = record.get("value")
    summary = record.get("summary", {})
    figures = record.get("figures") or {
        split: summary[split].get(metric.key) for split in ("test",) if split in summary and metric
    }
    why = record.get("failure") or (f"after epoch {record['pruned']}" if "pruned" in record else "")
    return Row(
        state,
        tuple(record["overrides"]),
        tuple(_place(Path(run), base) for run in runs),
        metric,
        tuple(record.get("values") or ([] if value is None else [value])),
        figures.get("test"),
        record.get("minutes", summary.get("minutes")),
        record.get("usd", summary.get("usd")),
        record.get("parameters"),
        record.get("images_per_second", {}).get("one"),
        str(why),
    )


def _place(run: Path, base: Path) -> Path:
    """A run's folder as it is reached from here."""
    return run if run.is_dir() else base / run


def _of_run(folder: Path) -> Row:
    """A run's row; a damaged folder is one that is not finished."""
    words = _lines(folder / "overrides.txt")
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        metric = shown_metrics(summary["task"], *_monitor(folder))[0]
        value = summary.get("val", {}).get(metric.key)
        return Row(
            "complete",
            words,
            (folder,),
            metric,
            () if value is None else (float(value),),
            summary.get("test", {}).get(metric.key),
            summary.get("minutes"),
            summary.get("usd"),
            data=str(summary.get("kin", {}).get("data", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _unfinished(folder, words)


def _unfinished(folder: Path, words: tuple[str, ...]) -> Row:
    try:
        pruned = json.loads((folder / "pruned.json").read_text(encoding="utf-8"))["epochs"]
        state, why = "pruned", f"after epoch {pruned}"
    except (OSError, ValueError, KeyError, TypeError):
        state, why = "unfinished", ""
    try:
        minutes = RunFolder(folder).minutes_trained() or None
    except (OSError, ValueError, csv.Error):
        minutes = None
    return Row(state, words, (folder,), minutes=minutes, why=why)


def _lines(file: Path) -> tuple[str, ...]:
    try:
        words = file.read_text(encoding="utf-8").splitlines()
        return tuple(word for word in words if word and not word.startswith("extras."))
    except (OSError, ValueError):
        return ()


def _monitor(folder: Path) -> tuple[str | None, str | None]:
    """``monitor`` and ``mode`` of a run; YAML's own reader would take a second for fifty runs."""
    text = (folder / "config.yaml").read_text(encoding="utf-8")
    found = [re.search(rf"^{key}: (.+)$", text, re.MULTILINE) for key in ("monitor", "mode")]
    monitor, mode = (None if f is None or f[1] == "null" else f[1].strip("'\"") for f in found)
    return monitor, mode
