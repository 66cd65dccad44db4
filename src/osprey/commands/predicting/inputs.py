"""The runs that commands are given; checked without torch."""

from __future__ import annotations

from pathlib import Path

from osprey.errors import UserError
from osprey.runs.folder import RunFolder, find_run
from osprey.tasks.registry import get_task


def run_with_model(word: str, runs: Path, task: str | None = None) -> RunFolder:
    """The run that ``word`` names, which has a checkpoint to predict with.

    ``latest`` is the newest, or the newest trained for ``task``.

    Raises:
        UserError: There is no such run, or it has none yet.
    """
    run = find_run(word, runs, task=task)
    if not run.best.is_file():
        raise UserError(f"run '{run.path}' has no best.ckpt yet: it has not finished an epoch")
    return run


def run_of_task(word: str, runs: Path, task: str, option: str) -> RunFolder:
    """Likewise, of a run that was trained for ``task``.

    Raises:
        UserError: Or it was trained for another.
    """
    run = run_with_model(word, runs, task)
    if run.task not in (task, ""):
        is_a, wanted = get_task(run.task).noun, get_task(task).noun
        raise UserError(f"{option}: run '{run.path}' is {is_a}, not {wanted}")
    return run
