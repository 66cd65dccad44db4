"""Seconds from the command to the first training step, on a harbour rendered before."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from common import REPOSITORY, Row, finish, row

# A thread waits for the task's class to be there and lets its first optimiser step end the process:
# nothing is imported that the command does not import, nor in another order.
WATCHED = """
import os, sys, threading, time
def watch():
    while getattr(sys.modules.get("osprey.tasks.base"), "Task", None) is None:
        time.sleep(0.01)
    task = sys.modules["osprey.tasks.base"].Task
    step = task.optimizer_step
    def first(self, *arguments, **more):
        step(self, *arguments, **more)
        print("first step", flush=True)
        os._exit(0)
    task.optimizer_step = first
threading.Thread(target=watch, daemon=True).start()
from osprey.commands import run_command
run_command("train", [])
"""


def seconds(folder: str) -> float:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(REPOSITORY / "src"), "OSPREY_CACHE": f"{folder}/cache"}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", WATCHED], cwd=folder, env=environment, text=True, capture_output=True
    )
    took = time.monotonic() - started
    if "first step" not in done.stdout:
        raise RuntimeError(f"the run never came to its first step: {done.stdout}{done.stderr}")
    return took


def main(turns: int = 3) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        seconds(folder)  # renders the harbour and times the ways to compute
        figures = [seconds(folder) for _ in range(turns)]
    what = "from the command to the first training step, harbour"
    return [row(what, figures, "s", goal=8.0, at_most=True)]


if __name__ == "__main__":
    finish(main())
