"""What people type after ``key=``: paths with spaces, patterns with brackets."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from osprey.config.quoting import as_text, in_quotes
from osprey.config.text_settings import Kind, kind_of_key, optional_settings
from osprey.errors import ConfigError

_KEY = r"[+~]{0,2}[\w./@-]+"
_NEEDED = ("task", "data", "augmentation", "model")
_NO_RECIPE = {f"{key}=null": f"~{key}" for key in ("experiment", "debug")}


def quoted(
    argv: Sequence[str],
    schema: type[Any] | None = None,
    *,
    several: bool = False,
    groups: Collection[str] = (),
    untyped: Collection[str] = (),
) -> list[str]:
    r"""Quote the values Hydra's grammar cannot read, and leave every other word as it is.

    The shell has taken the user's quotes off by the time we see ``data.group=(?P<group>b\d)_`` or
    ``data.root=/photos/my trip (2)``; Hydra wants its own around such values. What a text setting
    is given is quoted where it would not arrive as it was typed.

    Args:
        argv: Settings.
        schema: Those of the command, for their types.
        several: A sweep, in which a comma stands between trials.
        groups: Whose options are names.
        untyped: Groups whose target is the user's own, with types of its own.

    Raises:
        ConfigError: A text setting is given nothing.
    """
    parser = OverridesParser.create()
    words = []
    for word in argv:
        key, equals, value = word.partition("=")
        if schema is not None and (word.startswith("~") or word in _NO_RECIPE):
            words.append(_switched_off(word, schema))
            continue
        if equals and re.fullmatch(_KEY, key):
            kind = _kind(key.lstrip("+"), schema, groups, untyped)
            if kind is not None:
                value = as_text(key.lstrip("+"), value, kind, several=several)
                word = f"{key}={value}"
            elif re.fullmatch(r"\d+(_\d+)+", value):
                words.append(f"{key}='{value}'")  # a folder such as 2024_01, to YAML a number
                continue
            try:
                parser.parse_override(word)
            except HydraException:
                word = f"{key}={in_quotes(value)}"
        words.append(word)
    return words


def _kind(
    key: str, schema: type[Any] | None, groups: Collection[str], untyped: Collection[str]
) -> Kind | None:
    """How what stands after ``key=`` is text; None where it is none."""
    if schema is None:
        return None
    if key in groups or "/" in key:
        return Kind.OPTION
    return None if key.partition(".")[0] in untyped else kind_of_key(key, schema)


def _switched_off(word: str, schema: Any) -> str:
    """``~key`` of a setting that may be null sets it so; Hydra deletes only what is not null."""
    if word in _NO_RECIPE:  # Hydra takes no null for a group
        return _NO_RECIPE[word]
    key = word[1:]
    return f"{key}=null" if key in optional_settings(schema) else word


def refuse_no_options(argv: Sequence[str], groups: Sequence[str]) -> None:
    """Refuse ``group=_base``, which options are made from, and ``~group`` of what a run needs.

    Raises:
        ConfigError: One is written.
    """
    for word in argv:
        if word.startswith("~") and word[1:] in _NEEDED:
            raise ConfigError(f"{word}: every run has one: choose it with {word[1:]}=NAME")
        key, _, value = word.lstrip("+~").partition("=")
        if key in groups and any(part.strip("[] '\"").startswith("_") for part in value.split(",")):
            raise ConfigError(f"no {key} called '{value}'; 'osprey train --help' lists them")


def value_of(word: str) -> object:
    """The value that an override such as ``plugins=[a,b]`` sets; None where it cannot be read."""
    try:
        return OverridesParser.create().parse_override(*quoted([word])).value()
    except HydraException:
        return None
