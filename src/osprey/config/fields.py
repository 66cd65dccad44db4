"""One place for a setting: its type, default, choices, range and help are a field of a dataclass.

A group's dataclass is also its ``_base`` option for Hydra, so a default stands nowhere else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any

from osprey.errors import ConfigError, nearest

UNSET = "???"  # Hydra's mark for a value that the user must give


@dataclass(frozen=True)
class Limits:
    """What a setting may be, and what it does.

    Attributes:
        help: One line for people.
        choices: The words it may be; empty for any.
        low: Lowest value, itself allowed; None for no limit.
        high: Highest value, itself allowed; None for no limit.
    """

    help: str = ""
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """The choices or the range, for a table of settings."""
        if self.choices:
            return " | ".join(self.choices)
        if self.low is None and self.high is None:
            return ""
        if self.high is None:
            return f"at least {_number(self.low)}"
        return f"{_number(self.low)} to {_number(self.high)}"


def _number(value: float | None) -> str:
    """A limit as it is typed: seeds go to 4294967295, which is no power of ten."""
    return str(value) if isinstance(value, int) else f"{value:g}"


def setting(
    default: Any = UNSET,
    help: str = "",
    *,
    choices: Sequence[str] = (),
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """A dataclass field for one setting.

    Args:
        default: Its value unless somebody sets it; lists and dictionaries are copied.
        help: One line that says what it does.
        choices: The words it may be.
        low: Lowest value, itself allowed.
        high: Highest value, itself allowed.
    """
    metadata = {"limits": Limits(help, tuple(choices), low, high)}
    if isinstance(default, list | dict):
        kept = default
        return dataclasses.field(default_factory=lambda: type(kept)(kept), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def defaults(settings: type[Any]) -> dict[str, Any]:
    """Every setting of a group with its default, as Hydra's node for ``_base``."""
    found: dict[str, Any] = {}
    for field in fields(settings):
        if field.name in _INTERNAL:
            continue
        factory = field.default_factory
        made = field.default if factory is MISSING else factory()
        found["_target_" if field.name == "target" else field.name] = made
    return found


# Filled in while a node is read: what it names beyond Osprey's own settings.
_INTERNAL = ("args",)


def check_choice(key: str, value: str, choices: Iterable[str]) -> None:
    """Raise ConfigError where ``value`` is none of ``choices``."""
    names = list(choices)
    if value not in names:
        raise ConfigError(
            f"{key}: unknown '{value}'{nearest(value, names)} (one of {', '.join(names)})"
        )


def check_range(key: str, number: object, low: float | None, high: float | None) -> None:
    """Raise ConfigError where a number that is set lies outside ``low`` to ``high``."""
    if number is None or isinstance(number, str):
        return
    assert isinstance(number, int | float)
    below, above = low is not None and number < low, high is not None and number > high
    if below or above or number != number:
        limits = f"at least {low}" if high is None else f"{low} to {high}"
        raise ConfigError(f"{key}: {number} is out of range ({limits})")


def check_fields(settings: Any, prefix: str = "") -> None:
    """Check every setting against its choices and its range, groups within groups too.

    Raises:
        ConfigError: One line that names the setting and what it may be.
    """
    for field in fields(settings):
        value, key = getattr(settings, field.name), f"{prefix}{field.name}"
        if is_dataclass(value):
            check_fields(value, f"{key}.")
            continue
        limits: Limits | None = field.metadata.get("limits")
        if limits is None or value is None or isinstance(value, dict):
            continue
        if limits.choices:
            for word in value if isinstance(value, list) else [value]:
                check_choice(key, str(word), limits.choices)
        if limits.low is not None or limits.high is not None:
            check_range(key, value, limits.low, limits.high)
