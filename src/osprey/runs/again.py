"""The command line of a finished run, to train it once more."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from osprey.errors import UserError
from osprey.runs.folder import RunFolder

# What belongs to the place and the moment of the first training alone.
_NOT_AGAIN = ("extras.", "paths.", "resume=", "sweep")


def command_of(run: RunFolder) -> list[str]:
    """The words of ``osprey train`` that trained a run.

    Folders are absolute, since they were named where the command was called.

    Args:
        run: Its folder.

    Raises:
        UserError: The folder does not say.
    """
    file = run.path / "overrides.txt"
    try:
        words = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        raise UserError(f"run '{run.path}' has no readable overrides.txt") from None
    words = [word for word in words if word and not word.startswith(_NOT_AGAIN)]
    about = environment_of(run)
    base = Path(str(about.get("folder") or os.getcwd()))
    config_dir = about.get("config_dir")
    flags = [] if config_dir is None else ["--config-dir", str(config_dir)]
    return [*flags, *(_absolute(word, base) for word in words)]


def environment_of(run: RunFolder) -> dict[str, Any]:
    """The content of ``environment.json``; empty where it cannot be read."""
    try:
        found = run.read_json("environment.json")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _absolute(word: str, base: Path) -> str:
    key, equals, value = word.partition("=")
    if key != "data.root" or not equals or not value or value[0] in "/~'\"$[":
        return word
    return f"{key}={base / value}"


def replaced(words: Sequence[str], changes: Sequence[str]) -> list[str]:
    """A command line with some settings changed; what is given anew takes the place of the old.

    A group chosen anew, such as ``model=resnet50``, also drops the old settings within it.

    Args:
        words: Of before.
        changes: What is given now.
    """
    said = {_key(word) for word in changes}
    chosen = tuple(f"{key}." for key in said if "." not in key)
    kept = [w for w in words if _key(w) not in said and not _key(w).startswith(chosen or ("\0",))]
    return [*kept, *changes]


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]
