"""The command line of a finished run, to train it once more."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from osprey.config.groups.data import JOIN
from osprey.config.no_figure import NOT_AGAIN
from osprey.config.overrides import value_of
from osprey.config.quoting import in_quotes
from osprey.errors import UserError
from osprey.runs.folder import RunFolder

_FOLDERS = ("data.root", "from_run")  # settings that are folders


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
    words = [word for word in words if word and not word.startswith(NOT_AGAIN)]
    about = environment_of(run)
    base = Path(str(about.get("folder") or os.getcwd()))
    config_dir = about.get("config_dir")
    flags = [] if config_dir is None else ["--config-dir", str(config_dir)]
    words = [_absolute(word, base) for word in words]
    said = {_key(word) for word in words}
    inherits = "from_run" in said and "data" not in said  # its folders are named from there
    if _joins(run) and "data.root" not in said and not inherits:
        words.append(f"data.root={in_quotes(str(base))}")  # from where its sources' folders go
    return [*flags, *words]


def _joins(run: RunFolder) -> bool:
    """Whether a run's data are several sets joined."""
    try:
        stored = OmegaConf.load(run.path / "config.yaml")
        return bool(OmegaConf.select(stored, "data.reader") == JOIN)
    except Exception:  # a damaged file is told of where it is read as a whole
        return False


def environment_of(run: RunFolder) -> dict[str, Any]:
    """The content of ``environment.json``; empty where it cannot be read."""
    try:
        found = run.read_json("environment.json")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _absolute(word: str, base: Path) -> str:
    """A setting that names a folder, named from anywhere."""
    key = _key(word)
    value = value_of(word) if key in _FOLDERS else None
    if not isinstance(value, str) or not value or value.startswith(("/", "~", "$")):
        return word
    if key == "from_run" and not (base / value).is_dir():
        return word  # a name below runs
    return f"{key}={in_quotes(str(base / value))}"


def replaced(words: Sequence[str], changes: Sequence[str]) -> list[str]:
    """A command line with some settings changed; what is given anew takes the place of the old.

    A group chosen anew, such as ``model=resnet50``, also drops the old settings within it.

    Args:
        words: Of before.
        changes: What is given now.
    """
    said = {_key(word) for word in changes}
    chosen = tuple(f"{key}." for key in said if "." not in key)
    flags = list(words[:2]) if words[:1] == ["--config-dir"] else []
    kept = [
        word
        for word in words[len(flags) :]
        if _key(word) not in said and not _key(word).startswith(chosen or ("\0",))
    ]
    if any(word.startswith("--config-dir") for word in changes):
        flags = []
    return [*flags, *kept, *changes]


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]
