"""A command of the user's that runs when all is done, however it ended."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from osprey.errors import Interrupted, UserError, exit_code_of
from osprey.system.console import say, warn
from osprey.system.launcher import is_first

KEY = "cost.on_end"
_wanted: list[str] = []


@dataclass
class Outcome:
    """How the work within `ending` went.

    Attributes:
        code: Its exit code.
    """

    code: int = 0


@contextmanager
def ending(words: Sequence[str]) -> Iterator[Outcome]:
    """Run what ``cost.on_end`` says when the block is left, also by an error or a signal.

    Args:
        words: The command line: its word counts before anything of it can fail.
    """
    _wanted.clear()
    for word in words:
        key, _, value = word.partition("=")
        if key == KEY and value != "null":
            at_the_end(value)
    outcome = Outcome()
    try:
        yield outcome
    except UserError:
        outcome.code = 2
        raise
    except KeyboardInterrupt as stop:
        outcome.code = exit_code_of(stop)
        raise
    except Interrupted as stop:
        outcome.code = stop.code
        raise
    except BaseException:
        outcome.code = 1
        raise
    finally:
        _run(outcome.code)


def at_the_end(command: str | None) -> None:
    """Remember a command of the user's own config, for the `ending` around it."""
    if command and command not in _wanted:
        _wanted.append(command)


def _run(code: int) -> None:
    """Run what was remembered; one that fails is a line and changes no exit code."""
    commands, _wanted[:] = list(_wanted), []
    for command in commands if is_first() else ():
        say(f"on end  {command}")
        environment = {**os.environ, "OSPREY_EXIT_CODE": str(code)}
        # A session of its own: a second Ctrl-C does not keep a machine from being shut down.
        done = subprocess.run(
            command, shell=True, env=environment, check=False, start_new_session=True
        )
        if done.returncode:
            warn(f"on end  '{command}' ended with exit code {done.returncode}")
