"""Settings that are text: what stands after ``=`` is kept letter by letter.

To YAML ``data.root=1e3`` is a number and ``data.classes=[yes,2024_01]`` holds two more; to the
person who typed them they are names. Which settings are text, their types say.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from osprey.errors import ConfigError


class Kind(Enum):
    """How a setting holds text."""

    TEXT = "one"
    OPTIONAL = "one, or null"
    TEXTS = "a list of them"
    NAMED = "names with one each"
    MIXED = "one, or a number or a truth value"
    OPTION = "the name of a group's option, or a list of them"


@cache
def text_settings(schema: Any, prefix: str = "") -> dict[str, Kind]:
    """The text settings of a command's configuration, dotted, with their kind."""
    found: dict[str, Kind] = {}
    for name, hint in get_type_hints(schema).items():
        key = f"{prefix}{'_target_' if name == 'target' else name}"
        if is_dataclass(hint):
            assert isinstance(hint, type)
            found |= text_settings(hint, f"{key}.")
        kind = kind_of(hint)
        if kind is not None:
            found[key] = kind
    return found


@cache
def optional_settings(schema: Any, prefix: str = "") -> frozenset[str]:
    """The settings that may be null, dotted."""
    found: set[str] = set()
    for name, hint in get_type_hints(schema).items():
        if is_dataclass(hint):
            assert isinstance(hint, type)
            found |= optional_settings(hint, f"{prefix}{name}.")
        elif type(None) in get_args(hint):
            found.add(f"{prefix}{name}")
    return frozenset(found)


def kind_of(hint: Any) -> Kind | None:
    """How a type holds text; None where it holds none."""
    optional = False
    if get_origin(hint) in (Union, types.UnionType):
        parts = [part for part in get_args(hint) if part is not type(None)]
        optional = len(parts) < len(get_args(hint))
        if len(parts) > 1:
            return Kind.MIXED if str in parts else None
        hint = parts[0]
    if hint is str:
        return Kind.OPTIONAL if optional else Kind.TEXT
    if get_origin(hint) is list and get_args(hint) == (str,):
        return Kind.TEXTS
    if get_origin(hint) is dict and get_args(hint) == (str, str):
        return Kind.NAMED
    return None


def kind_of_key(key: str, schema: Any) -> Kind | None:
    """How the setting ``key`` holds text; an entry of a table of texts is one."""
    known = text_settings(schema)
    if known.get(key.rpartition(".")[0]) is Kind.NAMED:
        return Kind.TEXT
    return known.get(key)


def with_text_keys(settings: type[Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Names in a table of texts as text, also ``0`` and ``yes``, which to YAML are none."""
    hints = get_type_hints(settings)
    found = dict(known)
    for key, value in known.items():
        hint = hints.get(key)
        if isinstance(value, dict) and is_dataclass(hint) and isinstance(hint, type):
            found[key] = with_text_keys(hint, value)
        elif isinstance(value, dict) and hint is not None and kind_of(hint) is Kind.NAMED:
            found[key] = {str(name): text for name, text in value.items()}
    return found


def refuse_changed_text(settings: type[Any], known: Mapping[str, Any], prefix: str) -> None:
    """A YAML file's ``yes`` or ``1e3`` is no text any more; which one it was, nobody can tell.

    Raises:
        ConfigError: A text setting has such a value.
    """
    for name, hint in get_type_hints(settings).items():
        kind, value = kind_of(hint), known.get(name)
        if kind is None or kind is Kind.MIXED:
            continue
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            if isinstance(part, bool | float):
                shown = str(part).lower() if isinstance(part, bool) else part
                said = "a truth value" if isinstance(part, bool) else "a number"
                key = f"{prefix}{'_target_' if name == 'target' else name}"
                raise ConfigError(
                    f"{key}: it is text, and {shown} is {said} to YAML: write it in quotes"
                )
