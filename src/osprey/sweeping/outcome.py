"""How a trial went: of its trainings' records one record, its values, and a line for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from osprey.sweeping.records import shown_words
from osprey.system.console import in_minutes
from osprey.tasks.specs import MetricSpec


def is_good(record: Mapping[str, Any]) -> bool:
    """Whether a training came to its end."""
    return "failure" not in record and "pruned" not in record


def merged(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What several seeds add to the first one's record: means, and every run."""
    if len(records) == 1:
        return {}
    figures = {s: _mean([r["figures"][s] for r in records]) for s in records[0]["figures"]}
    return {
        "value": _mean([r["value"] for r in records]),
        "values": [r["value"] for r in records],
        "figures": figures,
        "runs": [r["run"] for r in records],
    }


def spent(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """``minutes`` and ``usd`` of a trial: of all its trainings together, as far as known."""
    known = {key: [r[key] for r in records if key in r] for key in ("minutes", "usd")}
    return {key: round(sum(values), 4) for key, values in known.items() if values}


def objective_values(record: Mapping[str, Any], objectives: Sequence[str]) -> list[float]:
    """The values that the study is told, one an objective; NaN of what is not known."""
    known = {
        "monitor": record["value"],
        "speed": record.get("images_per_second", {}).get("one"),
        "parameters": record.get("parameters"),
        "bytes": record.get("bytes"),
    }
    return [math.nan if known[name] is None else float(known[name]) for name in objectives]


def line_of(record: Mapping[str, Any], metric: MetricSpec) -> str:
    """How a trial went, in one line."""
    words = shown_words(record["drawn"])
    if "failure" in record:
        return f"failed: {record['failure']}  {words}"
    if record["state"] == "pruned":
        return f"ended early, after epoch {record['pruned']}  {words}"
    shown = f"{metric.name} {record['value']:{metric.format}}"
    return f"{shown}  {in_minutes(record['minutes'])}  {words}"


def _mean(values: Sequence[float | None]) -> float:
    known = [math.nan if value is None else value for value in values]
    return sum(known) / len(known)
