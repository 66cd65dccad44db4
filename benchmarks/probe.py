"""From the command to the tested model: the probe on clothing, with nothing kept and again."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import REPOSITORY, WEIGHTS, Row, environment, finish, real_data, row


def train(folder: Path, *words: str) -> tuple[float, dict[str, object]]:
    """Run the command in ``folder``; its seconds, and what its run's summary says."""
    command = [sys.executable, str(REPOSITORY / "scripts" / "train.py"), *words]
    cache = str(folder / "cache")
    place = environment(OSPREY_CACHE=cache, OSPREY_REAL_DATA=str(real_data()))
    started = time.monotonic()
    subprocess.run(command, cwd=folder, env=place, check=True)
    seconds = time.monotonic() - started
    newest = (folder / "runs" / "latest").resolve()
    return seconds, json.loads((newest / "summary.json").read_text())


def top1(summary: dict[str, object]) -> float:
    return float(summary["test"]["top1"])  # type: ignore[index]


def main() -> list[Row]:
    real_data("clothing")
    real_data("..", "weights", WEIGHTS.name)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first, summary = train(folder, "experiment=clothing_probe")
        second, again = train(folder, "experiment=clothing_probe")
    assert top1(summary) == top1(again)
    return [
        row(
            "clothing probe, command to tested model, nothing kept", [first], "s", 60, at_most=True
        ),
        row("the same again, features kept", [second], "s", 20, at_most=True),
        row("clothing probe, test accuracy", [top1(summary)], "top-1", 0.87),
    ]


if __name__ == "__main__":
    finish(main())
