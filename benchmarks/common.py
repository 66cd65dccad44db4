"""What every benchmark shares: one row a figure, ratios of alternating turns, the machine's name.

A benchmark is a script whose ``main`` returns rows. Ours and the peer's way take turns in one
process on the same images, so that a busy machine slows both; the figure is the median of the
turns' ratios, its spread their extremes.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("OSPREY_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
WEIGHTS = DATA.parent / "weights" / "mobilenetv2_100.in1k.pth"


@dataclass(frozen=True)
class Row:
    """One measured figure beside its goal.

    Attributes:
        what: What was measured, in a few words.
        figure: The median.
        low: The lowest turn.
        high: The highest turn.
        unit: Such as ``x`` (ratio), ``s``, ``MB``.
        goal: What it should reach, or None.
        at_most: The goal is an upper limit.
        note: Absolute figures behind a ratio, or why a goal was missed.
    """

    what: str
    figure: float
    low: float
    high: float
    unit: str
    goal: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal was met; None without one."""
        if self.goal is None:
            return None
        return self.figure <= self.goal if self.at_most else self.figure >= self.goal


def row(
    what: str, turns: Iterable[float], unit: str, goal: float | None = None, **more: object
) -> Row:
    """A row from the figures of several turns."""
    values = sorted(turns)
    return Row(what, statistics.median(values), values[0], values[-1], unit, goal, **more)  # type: ignore[arg-type]


def take_turns(
    ours: Callable[[], float], peer: Callable[[], float], turns: int
) -> tuple[list[float], list[float]]:
    """Call both ``turns`` times in alternation (each returns its rate), after one untimed turn."""
    ours(), peer()
    pairs = [(ours(), peer()) for _ in range(turns)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def compare(
    what: str,
    ours: Callable[[], float],
    peer: Callable[[], float],
    turns: int = 5,
    goal: float | None = None,
    unit: str = "images/s",
) -> Row:
    """Ratio of our rate over the peer's, turn by turn; the note holds both medians."""
    mine, theirs = take_turns(ours, peer, turns)
    note = f"{statistics.median(mine):.0f} over {statistics.median(theirs):.0f} {unit}"
    return row(what, [a / b for a, b in zip(mine, theirs, strict=True)], "x", goal, note=note)


def environment(**more: str) -> dict[str, str]:
    """Of a command that runs this checkout."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), **more}


def machine() -> str:
    """Processor, cores, memory and the versions that matter, in one line."""
    import torch

    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(x.partition(":")[2].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        pass
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return (
        f"{len(os.sched_getaffinity(0))} cores of {name}{gpu}, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | figure | spread | goal | |", "|---|---|---|---|---|"]
    for r in rows:
        goal = (
            ""
            if r.goal is None
            else f"{'at most' if r.at_most else 'at least'} {r.goal:g} {r.unit}"
        )
        verdict = {None: "", True: "met", False: "**missed**"}[r.met]
        note = "; ".join(part for part in (verdict, r.note) if part)
        lines.append(
            f"| {r.what} | {r.figure:.3g} {r.unit} | {r.low:.3g} to {r.high:.3g} "
            f"| {goal} | {note} |"
        )
    return "\n".join(lines)


def finish(rows: list[Row]) -> None:
    """Print the rows; ``benchmarks/run.py`` asks for them as JSON besides."""
    print(table(rows))
    target = os.environ.get("OSPREY_BENCH_JSON")
    if target:
        Path(target).write_text(json.dumps([asdict(r) for r in rows]))


def real_data(*parts: str) -> Path:
    """A folder of the real data; without it the benchmark ends, saying so."""
    path = DATA.joinpath(*parts)
    if not path.exists():
        print(f"skipped: real data absent: {path} (set OSPREY_REAL_DATA)")
        sys.exit(0)
    return path
