"""What is known of each trial, as files of the sweep's folder, and the list of them at its end."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from osprey.system.console import say, warn
from osprey.system.files import write_json
from osprey.tasks.specs import MetricSpec

TRIALS = "trials"  # the folder of a sweep with a file a trial
SHOWN = 30  # trials of a long sweep that are listed


def write_record(folder: Path, number: int, record: dict[str, Any]) -> None:
    """Write what is known of one trial.

    Args:
        folder: Of the sweep.
        number: Of the trial.
        record: ``overrides`` and ``value``; ``run``, ``metric`` and ``summary`` of one that was
            trained; ``failure`` of one that was not; ``state``.
    """
    place = folder / TRIALS
    place.mkdir(parents=True, exist_ok=True)
    write_json(place / f"{number:05d}.json", record)


def read_records(folder: Path) -> list[dict[str, Any]]:
    """The trials of a sweep, in the order of their numbers."""
    found = []
    for file in sorted((folder / TRIALS).glob("*.json")):
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            found.append(
                {"number": int(file.stem), "overrides": list(record["overrides"]), **record}
            )
        except (OSError, ValueError, KeyError, TypeError):
            warn(f"'{file}' is damaged: its trial is not listed")
    return found


def ranked(records: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], MetricSpec | None]:
    """Trials that were trained to their end, best first, and by which metric."""
    done = [r for r in records if r.get("value") is not None and "failure" not in r]
    done = [r for r in done if r.get("state", "complete") == "complete"]
    if not done:
        return [], None
    # Trials of different tasks cannot be ranked; the first one's figure is what the list is by.
    metric = MetricSpec(**done[0]["metric"])
    return sorted(done, key=lambda r: -metric.rank(float(r["value"]))), metric


def print_ranking(records: Sequence[dict[str, Any]], command: str) -> None:
    """Say which trial won and how to have it again.

    Args:
        records: Every trial.
        command: What to type before its settings.
    """
    done, metric = ranked(records)
    say()
    if metric is not None:
        say(f"sweep, best first by validation {metric.name}:")
    for record in done[:SHOWN]:
        assert metric is not None
        say(f"  {figures_of(record, metric)}  {_words(record)}  {record['run']}")
    if len(done) > SHOWN:
        say(f"  ... and {len(done) - SHOWN} more")
    for record in records:
        if record.get("state") == "pruned":
            say(f"  ended early      {_words(record)}")
    for record in records:
        if "failure" in record:
            say(f"  failed           {_words(record)}")
    if done:
        say(f"again:  {command} {shlex.join(done[0]['overrides'])}")


def figures_of(record: dict[str, Any], metric: MetricSpec) -> str:
    """Validation and test figure of a trial; of several seeds their means."""
    found = record.get("figures") or {
        split: record["summary"][split].get(metric.key)
        for split in ("val", "test")
        if split in record["summary"]
    }
    nan = float("nan")
    return "  ".join(
        f"{split} {nan if value is None else value:{metric.format}}"
        for split, value in found.items()
    )


def shown_words(words: Sequence[str]) -> str:
    """Settings for people: numbers of sixteen digits get four."""
    return " ".join(re.sub(r"\d+\.\d{6,}(e-?\d+)?", _short, word) for word in words)


def _short(found: re.Match[str]) -> str:
    return f"{float(found[0]):.4g}"


def _words(record: dict[str, Any]) -> str:
    return shown_words(record.get("drawn") or record["overrides"])
