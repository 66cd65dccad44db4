"""Mistakes in a command's options, as one line each."""

from __future__ import annotations

import re
from collections.abc import Iterable

from osprey.errors import UserError, nearest


def option_mistake(message: str, program: str, options: Iterable[str]) -> UserError:
    """The one line for what argparse finds wrong.

    Args:
        message: Argparse's.
        program: How the command is called.
        options: Every option there is, for the nearest name.
    """
    strange = re.match(r"unrecognized arguments: (.*)", message, re.DOTALL)
    if strange:
        first, _, _ = strange[1].strip().partition(" ")
        word, _, _ = first.partition("=")
        if word.startswith("-"):
            message = f"there is no option '{word}'{nearest(word, options)}"
        else:
            message = f"there is no place for '{word}' (names with spaces need quotes)"
    text = " ".join(message.split())  # a name may hold a line break
    return UserError(f"{text.removesuffix('?')}; '{program} --help' tells what there is")
