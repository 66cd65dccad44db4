"""Do two runs say the same? ``python benchmarks/same_summary.py A/summary.json B/summary.json``.

Prints every figure of either that the other has not, times, memory, names and folders aside; then
the headline figures of both. A change that must not move any number is tried with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# When, how fast, where the photos lay; and what earlier releases did not measure.
ASIDE = {"run", "minutes", "peak_memory_mb", "kin", "blind", "ap50_interval", "map_interval"}


def differences(one: Any, other: Any, key: str = "") -> Iterator[str]:
    """Each figure that differs, with both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(set(one) | set(other) - ASIDE):
            if name not in ASIDE:
                yield from differences(one.get(name), other.get(name), f"{key}{name}.")
    elif one != other:
        yield f"{key.rstrip('.')}: {one} and {other}"


def headline(summary: dict[str, Any]) -> str:
    """The figures of the test split that are single numbers."""
    figures = summary["test"].items()
    return ", ".join(f"{k} {v:.6g}" for k, v in figures if isinstance(v, int | float))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python benchmarks/same_summary.py A/summary.json B/summary.json")
    before, after = (json.loads(Path(name).read_text()) for name in sys.argv[1:])
    found = list(differences(before, after))
    print("\n".join(found) or "the same, to the last digit")
    print(f"before: {headline(before)}\nafter:  {headline(after)}")
    sys.exit(bool(found))
