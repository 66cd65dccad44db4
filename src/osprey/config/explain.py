"""Arguments of the chosen options: type, value, limits and help."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, get_type_hints

from osprey.config.fields import Limits
from osprey.system.targets import parameters_of

_INTERNAL = ("args", "target", "options")


@dataclass(frozen=True)
class Row:
    """One argument of what is chosen.

    Attributes:
        name: As it is written on a command line.
        kind: Its type.
        value: What it is now, or by default.
        help: One line.
    """

    name: str
    kind: str
    value: str
    help: str


def settings_rows(group: str, settings: Any) -> list[Row]:
    """A row for each of Osprey's own settings of a group, with the value it has now.

    Args:
        group: Its name.
        settings: Its typed settings.
    """
    hints = get_type_hints(type(settings))
    rows = []
    for field in fields(settings):
        if field.name in _INTERNAL:
            continue
        limits: Limits = field.metadata.get("limits", Limits())
        text = ": ".join(part for part in (limits.help, str(limits)) if part)
        kind = type_name(hints[field.name])
        rows.append(Row(f"{group}.{field.name}", kind, _shown(getattr(settings, field.name)), text))
    return rows


def argument_rows(
    group: str,
    found: Callable[..., Any],
    given: Mapping[str, Any],
    at_run_time: Collection[str] = (),
) -> list[Row]:
    """A row for each argument of a class or function, help from its docstring.

    Args:
        group: Of the configuration.
        found: The target.
        given: Arguments that the configuration sets.
        at_run_time: Arguments that Osprey fills in.
    """
    texts = argument_help(found)
    rows = []
    for name, parameter in parameters_of(found).items():
        needed = parameter.default is inspect.Parameter.empty
        default = "(needed)" if needed else parameter.default
        value = given.get(name, "(at run time)" if name in at_run_time else default)
        kind = type_name(parameter.annotation)
        rows.append(Row(f"{group}.{name}", kind, _shown(value), texts.get(name, "")))
    return rows


def argument_help(found: Callable[..., Any]) -> dict[str, str]:
    """The first sentence on each argument, from a docstring's ``Args`` in Google's style."""
    own = found.__init__ if isinstance(found, type) else None  # type: ignore[misc]
    text = "\n".join(_own_doc(part) for part in (found, own) if part is not None)
    section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    if section is None:
        return {}
    entries = re.split(r"^ {4}(?=\*{0,2}\w+(?: \([^)]*\))?:)", section[1], flags=re.MULTILINE)
    found_help = {}
    for entry in entries:
        name, colon, words = entry.partition(":")
        if colon:
            line = " ".join(words.split())
            found_help[name.split("(")[0].strip(" *")] = (
                line.split(". ")[0].rstrip(".").replace("``", "")
            )
    return found_help


def type_name(hint: Any) -> str:
    """A type as people write it."""
    if hint is inspect.Parameter.empty or hint is Any:
        return "any"
    if isinstance(hint, str):
        return hint
    if isinstance(hint, type) and not hasattr(hint, "__args__"):
        return hint.__name__
    return re.sub(r"\b(?:typing|collections\.abc|torch|omegaconf)\.", "", str(hint))


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if value is MISSING:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def first_sentence(found: Callable[..., Any]) -> str:
    """What a docstring begins with."""
    return _own_doc(found).partition("\n\n")[0].replace("\n", " ").replace("``", "")


def _own_doc(found: Any) -> str:
    """A docstring of its own, not of a class it derives from."""
    return inspect.cleandoc(getattr(found, "__doc__", None) or "")
