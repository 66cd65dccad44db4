"""What people type after ``key=``: paths with spaces, patterns with brackets."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException


def quoted(argv: Sequence[str]) -> list[str]:
    r"""Quote the values Hydra's grammar cannot read, and leave every other word as it is.

    The shell has taken the user's quotes off by the time we see ``data.group=(?P<group>b\d)_`` or
    ``data.root=/photos/my trip (2)``; Hydra wants its own around such values.
    """
    parser = OverridesParser.create()
    words = []
    for word in argv:
        key, equals, value = word.partition("=")
        if equals and re.fullmatch(r"[+~]{0,2}[\w./@-]+", key):
            if re.fullmatch(r"\d+(_\d+)+", value):
                words.append(f"{key}='{value}'")  # a folder such as 2024_01, to YAML a number
                continue
            try:
                parser.parse_override(word)
            except HydraException:
                # In Hydra's quotes a backslash is itself, but for those right before a quote.
                text = re.sub(r"(\\*)'", r"\1\1\\'", value)
                text = re.sub(r"(\\+)$", r"\1\1", text)
                word = f"{key}='{text}'"
        words.append(word)
    return words


def value_of(word: str) -> object:
    """The value that an override such as ``plugins=[a,b]`` sets; None where it cannot be read."""
    try:
        return OverridesParser.create().parse_override(*quoted([word])).value()
    except HydraException:
        return None


def flags_first(argv: Sequence[str]) -> list[str]:
    """Flags and their values, then settings: argparse wants them apart."""
    settings = [w for w in argv if not w.startswith("-") and ("=" in w or w.startswith("~"))]
    return [*(word for word in argv if word not in settings), *settings]
