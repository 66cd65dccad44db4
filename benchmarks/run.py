"""Run every benchmark, each in a process of its own, and print one table: ``make bench``."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import REPOSITORY, Row, machine, table

HERE = Path(__file__).resolve().parent
MARK = "Not part of ``make bench``"  # what needs a GPU or many minutes says so at its top


def is_quick(script: Path) -> bool:
    """Whether it prints rows, and in minutes."""
    code = script.read_text()
    about = (ast.get_docstring(ast.parse(code)) or "").replace("\n", " ")
    has_rows = re.search(r"^ +finish\(main\(", code, re.MULTILINE)
    return has_rows is not None and MARK not in about


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; write ``bench.json``; 1 if one broke."""
    scripts = [HERE / f"{name}.py" for name in names] or [
        path for path in sorted(HERE.glob("*.py")) if is_quick(path)
    ]
    rows: list[Row] = []
    broken = []
    for script in scripts:
        print(f"== {script.stem}", flush=True)
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "rows.json"
            environment = {**os.environ, "OSPREY_BENCH_JSON": str(result)}
            code = subprocess.run([sys.executable, script], env=environment).returncode
            if result.is_file():
                rows += [Row(**r) for r in json.loads(result.read_text())]
        if code:
            broken.append(script.stem)
        print(f"   {time.monotonic() - started:.0f} s", flush=True)
    print(f"\n{machine()}\n\n{table(rows)}")
    content = {"machine": machine(), "rows": [{**vars(r), "met": r.met} for r in rows]}
    (REPOSITORY / "bench.json").write_text(json.dumps(content, indent=2) + "\n")
    if broken:
        print(f"broke: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
