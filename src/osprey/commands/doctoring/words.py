"""Settings of a command's own beside those that compose a training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import Field, fields
from typing import Any, TypeVar

from osprey.config.fields import check_fields
from osprey.config.schema import GROUPS, DataConfig, RunSettings
from osprey.errors import ConfigError, nearest

T = TypeVar("T")
_OTHERS = ("experiment", "debug", "local", "sweep", "from", "plugins")


def own_settings(argv: Sequence[str], kind: type[T]) -> tuple[T, list[str]]:
    """Take a command's own settings off its command line.

    Args:
        argv: The command line.
        kind: Dataclass of the settings: text, true and false, whole numbers with limits.

    Returns:
        The settings, and the words that are left.

    Raises:
        ConfigError: A value is of another kind, or a key is unknown here.
    """
    own = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    given: dict[str, Any] = {}
    left = []
    for word in argv:
        key, equals, text = word.partition("=")
        if equals and key in own:
            given[key] = _value(key, text, own[key])
            continue
        _refuse_unknown(key, bool(equals), tuple(own))
        left.append(word)
    settings = kind(**given)
    check_fields(settings)
    return settings, left


def _value(key: str, text: str, field: Field[Any]) -> Any:
    default, limits = field.default, field.metadata["limits"]
    if isinstance(default, int) and not isinstance(default, bool):
        if not text.isdecimal() or not limits.low <= int(text) <= limits.high:
            span = f"from {limits.low} to {limits.high}"
            raise ConfigError(f"{key}: '{text}' is not a whole number {span}")
        return int(text)
    if isinstance(default, bool):
        if text not in ("true", "false"):
            raise ConfigError(f"{key}: '{text}' is not true or false")
        return text == "true"
    if not text:
        raise ConfigError(f"{key}: it is empty: give a value, or leave it out")
    return None if text == "null" else text


def _refuse_unknown(key: str, is_setting: bool, own: Sequence[str]) -> None:
    """A key without a dot that is neither the command's own nor a training's."""
    if not is_setting or not key.isidentifier():
        return
    known = [*GROUPS, *(field.name for field in fields(RunSettings)), *_OTHERS]
    if key not in known:
        data = [f"data.{field.name}" for field in fields(DataConfig)]
        hint = nearest(key, [*own, *known]) or nearest(f"data.{key}", data)
        names = ", ".join(own)
        raise ConfigError(f"unknown setting '{key}'{hint or f' (there are: {names}, data.KEY)'}")


def refuse_several(argv: Sequence[str], command: str) -> None:
    """Refuse what belongs to a sweep, and a call that names no data.

    Raises:
        ConfigError: It does.
    """
    if any(word in ("-m", "--multirun") for word in argv):
        raise ConfigError(f"{command} reads one data set: it takes no -m")
    keys = [word.partition("=")[0].lstrip("+") for word in argv]
    named = any(key in ("data", "experiment") or key.startswith("data.") for key in keys)
    shows = any(word.startswith(("--cfg", "--info")) for word in argv)
    if not named and not shows:
        raise ConfigError(f"name the data: osprey {command} data=folder data.root=PATH")


def settings_lines(kind: type[Any]) -> list[str]:
    """A line for each of a command's own settings, for its help."""
    texts = []
    for field in fields(kind):
        value = field.default
        shown = value if isinstance(value, str) else json.dumps(value)
        texts.append(f"{field.name}={shown}")
    width = max(17, *map(len, texts))
    helps = (value_help(field.metadata) for field in fields(kind))
    return [f"  {text:<{width}} {help}" for text, help in zip(texts, helps, strict=True)]


def value_help(metadata: Any) -> str:
    """What a setting does."""
    return str(metadata["limits"].help)
