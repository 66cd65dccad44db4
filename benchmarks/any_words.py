"""Tracebacks in generated command lines: ``python benchmarks/any_words.py --count 2000``.

The goal is none. Every command, in a folder of its own, with words as `tests/generated_words.py`
makes them. Exit code 1 where one was found; the shortest words of each kind are shown.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

REPOSITORY = Path(__file__).resolve().parents[1]


def main() -> int:
    """Generate, run, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="print each line and its answer")
    arguments = parser.parse_args()
    sys.path.append(str(REPOSITORY / "tests"))
    from generated_words import Said, command_lines, furnish, nothing_trained, run

    found: dict[str, Said] = {}
    counts: Counter[str] = Counter()

    @seed(arguments.seed)
    @settings(
        max_examples=arguments.count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(words=command_lines())
    def try_all(words: list[str]) -> None:
        said = run(words)
        counts[f"exit code {said.code}"] += 1
        counts["tried"] += 1
        if arguments.show:
            print(f"{shlex.join(words)!a}\n    {said.code} {said.err.strip()!a}")
        if said.wrong:
            counts[said.wrong] += 1
            key = f"{said.wrong}: {said.err.strip().splitlines()[-1:]}"
            if key not in found or len(str(words)) < len(str(found[key].words)):
                found[key] = said

    started = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        furnish(Path(place))
        os.chdir(place)
        os.environ["OSPREY_CACHE"] = str(Path(place, "cache"))
        with nothing_trained():
            try_all()
        os.chdir(REPOSITORY)
    for said in found.values():
        print(f"--- {said.wrong}: {said.words}\n{said.err[-1500:]}")
    seconds = time.monotonic() - started
    codes = ", ".join(f"{n} {k}" for k, n in sorted(counts.items()) if k.startswith("exit"))
    print(f"tried {counts['tried']} command lines in {seconds:.0f} s: {codes}")
    print(f"tracebacks: {counts['a traceback']} (goal 0); answers amiss: {len(found)}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
