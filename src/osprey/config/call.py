"""One command line of Hydra's kind: read, its plugins imported, its values quoted for Hydra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from osprey.config import folders
from osprey.config.arguments import CommandLine, parse_command_line
from osprey.config.overrides import quoted, refuse_no_options, value_of
from osprey.config.schema import GROUPS, EvalConfig, TrainConfig
from osprey.config.shorthands import long_form
from osprey.system.plugins import load_installed, load_plugins

_SCHEMAS: dict[str, type[Any]] = {"train": TrainConfig, "eval": EvalConfig}


@dataclass(frozen=True)
class Call:
    """One command line of Hydra's kind, read and checked as far as words go.

    Attributes:
        config_name: Name of a file at the top of the config folder, such as ``train``.
        program: How the command is called, for messages.
        line: Its flags and settings.
        words: The settings as Hydra reads them.
    """

    config_name: str
    program: str
    line: CommandLine
    words: tuple[str, ...]

    @property
    def schema(self) -> type[Any]:
        """The settings of the command."""
        return _SCHEMAS[self.config_name]


def read_call(config_name: str, argv: Sequence[str], program: str) -> Call:
    """Read a command line, and import the plugins that it names.

    Args:
        config_name: Name of a file at the top of the config folder, such as ``train``.
        argv: Hydra's command line: overrides, ``-m``, ``--config-dir`` and so on, in any order.
        program: How the command is called, for messages.

    Raises:
        UserError: A flag or a word cannot be used; the message is one line.
    """
    line = parse_command_line(argv, program)
    load_installed()
    load_plugins(plugins_in(line.settings))
    refuse_no_options(line.settings, tuple(GROUPS))
    folders.refuse_hidden(value_of(w) for w in line.settings if w.startswith("hydra.searchpath="))
    with folders.laid_over(line.folder):
        words = quoted(
            long_form(line.settings),
            _SCHEMAS[config_name],
            several=line.several,
            groups=["hydra", *(folders.groups() if config_name == "train" else GROUPS)],
            untyped=folders.foreign_groups(line.settings),
        )
    return Call(config_name, program, line, tuple(words))


def plugins_in(argv: Sequence[str]) -> list[str]:
    """The packages that ``plugins=`` names on a command line: their configs are composed with."""
    for word in reversed(argv):
        key, equals, _ = word.partition("=")
        if equals and key.lstrip("+") == "plugins":
            found = value_of(word)
            return [str(name) for name in (found if isinstance(found, list) else [found])]
    return []
