"""The runs of an ensemble, and checks that they fit together. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from osprey.errors import ConfigError, UserError
from osprey.runs.folder import RunFolder, find_run
from osprey.tasks.registry import get_task


def find_members(words: Sequence[str], runs: Path, task: str) -> list[RunFolder]:
    """The finished runs that ``model.runs`` names.

    Args:
        words: Their folders or names.
        runs: ``paths.runs``.
        task: The ensemble's.

    Returns:
        Their folders, in order.

    Raises:
        ConfigError: One is missing, not finished, named twice, of another task, or does not fit the
            first.
    """
    members: list[RunFolder] = []
    for word in words:
        try:
            run = find_run(word, runs)
        except UserError as error:
            raise ConfigError(f"model.runs: {error}") from None
        if not run.finished or not run.best.is_file():
            raise ConfigError(
                f"model.runs: run '{run.path}' is not finished: "
                f"go on with osprey train resume={run.path}"
            )
        if run.task not in (task, ""):
            is_a, wanted = get_task(run.task).noun, get_task(task).noun
            raise ConfigError(f"model.runs: run '{run.path}' is {is_a}, not {wanted}")
        if run.path.resolve() in [other.path.resolve() for other in members]:
            raise ConfigError(f"model.runs: run '{run.path}' is named twice")
        members.append(run)
    for run in members:
        _check_together(members[0], run)
    return members


def _check_together(first: RunFolder, run: RunFolder) -> None:
    theirs, ours = run.load_config(), first.load_config()
    if theirs.model.factory == "ensemble":
        names = ", ".join(theirs.model.runs)
        raise ConfigError(
            f"model.runs: run '{run.path}' is an ensemble itself: name its members ({names})"
        )
    classes = [set(r.read_json("summary.json")["classes"]) for r in (first, run)]
    for (has, with_it), (lacks, without) in (
        ((classes[0], first), (classes[1], run)),
        ((classes[1], run), (classes[0], first)),
    ):
        if has - lacks:
            raise ConfigError(
                f"model.runs: run '{without.path}' does not know the class '{min(has - lacks)}' "
                f"of '{with_it.path}'; the members of an ensemble have the same classes"
            )
    if theirs.data.resize != ours.data.resize:
        raise ConfigError(
            f"model.runs: run '{run.path}' was trained with data.resize={theirs.data.resize}, "
            f"'{first.path}' with {ours.data.resize}; the members of an ensemble see the same "
            "part of a photo"
        )
