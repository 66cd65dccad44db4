"""Command lines of options: mistakes in one line, and kinds of values."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from osprey.system.options import option_mistake
from osprey.system.plugins import load_installed, load_plugins


class Parser(argparse.ArgumentParser):
    """A command line whose mistakes are told in one line, without all that there is."""

    def add_plugins(self) -> None:
        """Add ``--plugin``, for commands that open checkpoints."""
        self.add_argument(
            "--plugin",
            action="append",
            default=[],
            metavar="PACKAGE",
            help="a package of your own that the run may name; may be given several times",
        )

    def add_run(self) -> None:
        """Add the run that a command asks about, the newest unless it is named."""
        self.add_argument("run", nargs="?", default="latest", help="default: newest finished run")
        self.add_runs()

    def add_runs(self) -> None:
        """Add ``--runs``, where runs are found by name."""
        self.add_argument("--runs", default="runs", help="where runs are kept (default: runs)")

    def add_registry(self) -> None:
        """Add ``--registry``, where bundles are found by name."""
        self.add_argument("--registry", default="registry", help="of bundles (default: registry)")

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse, and refuse an option with nothing in it, as ``--folder "$UNSET"`` gives it."""
        found = super().parse_args(args, namespace)
        for action in self._actions:
            if getattr(found, action.dest, None) == "" and action.default != "":
                name = "/".join(action.option_strings) or str(action.metavar or action.dest)
                self.error(f"argument {name}: it is empty")
        return found

    def error(self, message: str) -> NoReturn:
        """Say what is wrong; argparse calls this."""
        raise option_mistake(message, self.prog, self._option_string_actions)


def use_plugins(arguments: argparse.Namespace) -> None:
    """Import the packages that ``--plugin`` names, and those that installed plugins bring.

    Raises:
        UserError: One is not there, or raises while it is imported.
    """
    load_installed()
    load_plugins(arguments.plugin, "--plugin")


def fraction(text: str) -> float:
    """A number from 0 to 1, for argparse."""
    return number(text, 1)


def number(text: str, most: float) -> float:
    """A number from 0 to ``most``, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= most:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to {most:g}")
    return value
