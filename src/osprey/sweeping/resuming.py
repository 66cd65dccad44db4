"""``sweep.resume=DIR``: the command line of a sweep of before, with what is said anew."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from osprey.config.overrides import value_of
from osprey.errors import UserError, nearest
from osprey.sweeping.about import ABOUT, read_about
from osprey.system.console import say

_KEY = "sweep.resume"


def with_sweep_resumed(argv: Sequence[str]) -> list[str]:
    """Complete the command line of a sweep that goes on, in the folder it was begun in.

    Args:
        argv: Words of the command line.

    Returns:
        The words of before, but for those that are said anew, then the words; the same words
        where no sweep goes on.

    Raises:
        UserError: There is no such sweep.
    """
    named = _said(argv, _KEY)
    if named is None:
        return list(argv)
    folder = _find(named, Path(_said(argv, "paths.runs") or "runs") / "sweeps").resolve()
    about = read_about(folder)
    if Path(about.cwd).is_dir() and Path(about.cwd) != Path.cwd():
        say(f"folder  {about.cwd}: where the sweep was begun")
        os.chdir(about.cwd)
    words = [word for word in argv if _key(word) != _KEY]
    said = {_key(word) for word in words}
    before = [word for word in about.words if _key(word) not in said]
    flags = [] if {"-m", "--multirun"} & set(words) else ["-m"]
    if about.config_dir is not None and not any(w.startswith("--config-dir") for w in words):
        flags += ["--config-dir", about.config_dir]
    plugins = [] if "plugins" in said else [word for word in about.plugins if word not in before]
    return [*flags, *before, *plugins, *words, f"{_KEY}={os.path.relpath(folder)}"]


def _said(argv: Sequence[str], key: str) -> str | None:
    """The last value of a setting, without the quotes that Hydra would take off; None of null."""
    values = [word for word in argv if _key(word) == key]
    found = value_of(values[-1]) if values else None
    return None if found is None else str(found)


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def _find(word: str, sweeps: Path) -> Path:
    there = sorted(path.parent for path in sweeps.glob(f"*/{ABOUT}"))
    if word == "latest":
        if not there:
            raise UserError(f"there is no sweep under '{sweeps}': begin one with -m sweep=optuna")
        return max(there, key=lambda path: (path / ABOUT).stat().st_mtime_ns)
    for path in (Path(word), sweeps / word):
        if (path / ABOUT).is_file():
            return path
    hint = nearest(Path(word).name, [path.name for path in there])
    raise UserError(f"there is no sweep '{word}'{hint or f'; name a folder below {sweeps}'}")
