"""``sweep.resume=DIR``: the command line of a sweep of before, with what is said anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from osprey.errors import UserError, nearest
from osprey.sweeping.about import ABOUT, read_about

_KEY = "sweep.resume="


def with_sweep_resumed(argv: Sequence[str]) -> list[str]:
    """Complete the command line of a sweep that goes on.

    Args:
        argv: Words of the command line.

    Returns:
        The words of before, but for those that are said anew, then the words; the same words
        where no sweep goes on.

    Raises:
        UserError: There is no such sweep.
    """
    named = [word.partition("=")[2] for word in argv if word.startswith(_KEY)]
    if not named or named[-1] == "null":
        return list(argv)
    runs = [w.partition("=")[2] for w in argv if w.startswith("paths.runs=")]
    folder = _find(named[-1], Path(runs[-1] if runs else "runs") / "sweeps")
    about = read_about(folder)
    words = [word for word in argv if not word.startswith(_KEY)]
    said = {_key(word) for word in words}
    before = [word for word in about["words"] if _key(word) not in said]
    flags = [] if {"-m", "--multirun"} & set(words) else ["-m"]
    if about["config_dir"] is not None and not any(w.startswith("--config-dir") for w in words):
        flags += ["--config-dir", str(about["config_dir"])]
    plugins = [] if "plugins" in said else [w for w in about["plugins"] if w not in before]
    return [*flags, *before, *plugins, *words, f"{_KEY}{folder}"]


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
