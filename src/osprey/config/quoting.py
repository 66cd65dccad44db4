"""Values in Hydra's quotes, where they would not arrive as they were typed."""

from __future__ import annotations

import re
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hydra.errors import HydraException

from osprey.config.text_settings import Kind
from osprey.errors import ConfigError

_PAIRS = {"[": "]", "{": "}", "(": ")"}


def as_text(key: str, value: str, kind: Kind, *, several: bool) -> str:
    """A value as Hydra must read it to arrive as it was typed.

    Args:
        key: The setting.
        value: What stands after ``=``.
        kind: How the setting holds text.
        several: A sweep, in which a comma stands between trials.

    Raises:
        ConfigError: There is nothing after ``=``.
    """
    if not value.strip() and kind is Kind.OPTION:
        return value  # Hydra says which there are
    if not value.strip():
        rest = ", or null for none" if kind is Kind.OPTIONAL else ""
        raise ConfigError(f"{key}= is empty: give it a value{rest}")
    parts = split_top(value)
    if len(parts) > 1:  # a sweep; where there is none Hydra asks, and we say how to answer
        return ",".join(_one(part.strip(), kind) for part in parts) if several else value
    if several and re.fullmatch(r"(choice|range|glob|interval|tag|sort|shuffle)\(.*\)", value):
        return value
    return _one(value, kind)


def _one(value: str, kind: Kind) -> str:
    if kind is Kind.TEXTS or (kind is Kind.OPTION and value.startswith("[")):
        return _list(value)
    if kind is Kind.NAMED:
        return _table(value)
    if kind is Kind.MIXED:
        read = _read(value)
        return value if read is None or isinstance(read, bool | int) else _text(value)
    return value if value == "null" and kind is not Kind.OPTION else _text(value)


def _list(value: str) -> str:
    if not (value.startswith("[") and value.endswith("]")):
        return value
    inner = value[1:-1]
    if not inner.strip():
        return value
    return f"[{','.join(_text(part.strip()) for part in split_top(inner))}]"


def _table(value: str) -> str:
    if not (value.startswith("{") and value.endswith("}")):
        return value
    entries = []
    for part in split_top(value[1:-1]):
        name, colon, text = part.partition(":")
        entries.append(f"{name}:{' ' + _text(text.strip())}" if colon else part)
    return f"{{{','.join(entries)}}}"


def _text(value: str) -> str:
    """The value in quotes, unless it arrives as it is, or somebody quoted it."""
    if interpolates(value):
        return value
    read = _read(value)
    if read == value or isinstance(read, QuotedString):
        return value
    return in_quotes(value)


def _read(value: str) -> object:
    """What Hydra makes of a value; itself where it cannot read it: that is quoted elsewhere."""
    try:
        found = OverridesParser.create().parse_override(f"key={value}")
    except HydraException:
        return object()
    read = found._value
    return read if isinstance(read, QuotedString) else found.value()


def interpolates(value: str) -> bool:
    """Whether OmegaConf will look something up for it."""
    return re.search(r"(?<!\\)(\\\\)*\$\{", value) is not None


def escaped(value: Any) -> Any:
    """Plain data whose texts OmegaConf will read as they are, also one such as ``${x}``."""
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    if isinstance(value, list):
        return [escaped(part) for part in value]
    if isinstance(value, dict):
        return {key: escaped(part) for key, part in value.items()}
    return value


def in_quotes(value: str) -> str:
    """A value in Hydra's quotes, in which a backslash is itself but for those before a quote."""
    text = re.sub(r"(\\*)'", r"\1\1\\'", value)
    text = re.sub(r"(\\+)$", r"\1\1", text)
    return f"'{text}'"


def split_top(value: str) -> list[str]:
    """The parts between commas that stand in no quotes and no brackets."""
    parts: list[str] = []
    open_: list[str] = []
    start, quote, escaped = 0, "", False
    for place, letter in enumerate(value):
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and not value[start:place].strip():
            quote = letter
        elif letter in _PAIRS:
            open_.append(_PAIRS[letter])
        elif open_ and letter == open_[-1]:
            open_.pop()
        elif letter == "," and not open_:
            parts.append(value[start:place])
            start = place + 1
    return [*parts, value[start:]]
