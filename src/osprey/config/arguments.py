"""A command line of Hydra's kind: flags and settings in any order, mistakes in one line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

from hydra._internal.utils import get_args_parser

from osprey.errors import ConfigError, nearest
from osprey.system.options import option_mistake
from osprey.system.paths import home_path

# Flags of Hydra's that a run of Osprey's has no use for, and what to say instead.
_REFUSED = {
    "config_path": "--config-path would leave Osprey's own configs out: use --config-dir FOLDER",
    "experimental_rerun": "there is no option '--experimental-rerun': go on with a run by "
    "resume=RUN, or train it again with the settings in its overrides.txt",
}
# Settings of Hydra's that only move or double what Osprey writes itself.
_FOLDERS = "Osprey names its own run folders: use paths.runs=FOLDER and name=NAME"
_HYDRA_SETTINGS = {
    "hydra.run.dir": _FOLDERS,
    "hydra.sweep.subdir": _FOLDERS,
    "hydra.output_subdir": "the run folder keeps config.yaml and overrides.txt: leave it out",
    "hydra.job.chdir": "Osprey works in the folder it is called in: use paths.runs=FOLDER",
    "hydra.mode": "leave it out, and add -m for a sweep",
}
_COMPLETION = ("install", "uninstall", "query")
# As `configs/hydra/default.yaml` has them: so long as they are, nothing is moved.
_AS_OURS = {"run.dir": ".", "sweep.subdir": ".", "output_subdir": None, "job.chdir": False}


@dataclass(frozen=True)
class CommandLine:
    """What was typed after the command.

    Attributes:
        flags: Hydra's own, with their values.
        settings: Overrides, in the order they were typed.
        folder: What ``--config-dir`` names, made absolute.
        several: Whether it is a sweep.
        help: Whether help was asked for.
        shows: Whether something is printed instead of run (``--cfg``, ``--info``).
        about_hydra: Whether Hydra's own help was asked for.
        package: The part of the config that is to be shown.
    """

    flags: tuple[str, ...]
    settings: tuple[str, ...]
    folder: Path | None
    several: bool
    help: bool
    shows: bool
    about_hydra: bool
    package: str | None = None


def parse_command_line(argv: Sequence[str], program: str) -> CommandLine:
    """Tell flags from settings, wherever they stand.

    Args:
        argv: What follows the command's name.
        program: How the command is called, for messages.

    Raises:
        UserError: A flag is unknown, lacks its value, or cannot be used here.
    """
    parser = get_args_parser()
    parser.prog = program

    def fail(message: str) -> NoReturn:
        raise option_mistake(message, program, parser._option_string_actions)

    parser.error = fail  # type: ignore[method-assign]
    found = parser.parse_intermixed_args(list(argv))
    for name, why in _REFUSED.items():
        if getattr(found, name) is not None:
            raise ConfigError(why)
    shown = [
        f"--{n.replace('_', '-')}" for n in ("cfg", "info", "shell_completion") if getattr(found, n)
    ]
    asked = shown + ["-m"] * found.multirun + ["--run"] * found.run
    if len(asked) > 1:
        raise ConfigError(f"{asked[0]} and {asked[1]} cannot be used together: choose one")
    if (found.resolve or found.package is not None) and not found.cfg:
        flag = "--resolve" if found.resolve else "--package"
        raise ConfigError(f"{flag} goes with --cfg: add --cfg job")
    settings = tuple(cast("list[str]", found.overrides))
    nameless = next((word for word in settings if word.lstrip("+~").startswith("=")), None)
    if nameless is not None:
        raise ConfigError(f"'{nameless}' has no setting's name before the '='; --help lists them")
    keys = [word.partition("=")[0] for word in settings]
    if found.shell_completion and sum(key in _COMPLETION for key in keys) != 1:
        raise ConfigError("--shell-completion goes with one of install=SHELL and uninstall=SHELL")
    for word in (word for word in settings if word.startswith("-")):  # after ``--``
        raise option_mistake(f"unrecognized arguments: {word}", program, ())
    refuse_moved_folders(settings)
    return CommandLine(
        tuple(_flags(found)),
        settings,
        _config_folder(found.config_dir),
        bool(found.multirun),
        bool(found.help),
        bool(shown) or bool(found.hydra_help),
        bool(found.hydra_help),
        found.package,
    )


def _flags(found: argparse.Namespace) -> list[str]:
    """The flags again, for Hydra, without those that Osprey answers itself."""
    switches = ("hydra_help", "resolve", "run", "multirun", "shell_completion")
    words = [f"--{name.replace('_', '-')}" for name in switches if getattr(found, name)]
    for name in ("cfg", "package", "config_name", "info"):
        value = getattr(found, name)
        if value is not None:
            words.append(f"--{name.replace('_', '-')}={value}")
    return words


def _config_folder(word: str | None) -> Path | None:
    if word is None:
        return None
    folder = home_path(word).absolute()
    if not folder.is_dir():
        beside = [p.name for p in _entries(folder.parent) if p.is_dir()]
        raise ConfigError(
            f"--config-dir: there is no folder '{word}'{nearest(folder.name, beside)}"
        )
    return folder


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def refuse_moved_folders(settings: Sequence[str]) -> None:
    """Refuse Hydra's settings that would be taken without being obeyed.

    Raises:
        ConfigError: One is set; the line names what to use instead.
    """
    for word in settings:
        key = word.lstrip("+~").partition("=")[0].strip()
        for refused, why in _HYDRA_SETTINGS.items():
            if f"{key}.".startswith(f"{refused}."):
                raise ConfigError(f"{refused}: {why}")


def refuse_moved_folders_of(node: Any) -> None:
    """The same of a configuration's ``hydra`` node, which a file of the user's may have changed.

    Raises:
        ConfigError: One is set; the line names what to use instead.
    """
    for name, ours in _AS_OURS.items():
        group, _, last = name.rpartition(".")
        found = node[group][last] if group else node[last]
        if found != ours:
            raise ConfigError(f"hydra.{name}: {_HYDRA_SETTINGS[f'hydra.{name}']}")
