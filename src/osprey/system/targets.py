"""Targets: a dotted name in a node, imported, and its arguments checked against its signature."""

from __future__ import annotations

import importlib
import inspect
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from osprey.errors import ConfigError, nearest
from osprey.system.plugins import children, no_module, one_line, see_current_folder
from osprey.system.trust import refuse_detour

_KINDS: dict[type, str] = {int: "a whole number", float: "a number", bool: "true or false"}
Parameters = Mapping[str, inspect.Parameter]


def import_target(key: str, target: object) -> Any:
    """The class or function that a node's ``_target_`` names.

    Args:
        key: Where it stands, such as ``model``.
        target: A dotted name; modules may lie in the current folder.

    Raises:
        ConfigError: It cannot be imported; the line says why, with the nearest name.
    """
    if not isinstance(target, str) or "." not in target.strip("."):
        raise ConfigError(
            f"{key}._target_: '{target}' is not the dotted name of a class, such as my_pkg.nets.Net"
        )
    see_current_folder()
    parts = target.split(".")
    module, missing = _module(key, target, parts)
    found: Any = module
    for number, name in enumerate(missing):
        if not hasattr(found, name):
            place = ".".join(parts[: len(parts) - len(missing) + number])
            kind = "module" if isinstance(found, types.ModuleType) else "class"
            hint = nearest(name, _names_in(found, place))
            raise ConfigError(
                f"{key}._target_: '{target}' cannot be imported: {kind} '{place}' has no "
                f"'{name}'{hint}"
            )
        found = getattr(found, name)
    if not callable(found) or isinstance(found, types.ModuleType):
        raise ConfigError(f"{key}._target_: '{target}' is neither a class nor a function")
    refuse_detour(key, target, found)
    return found


def _names_in(found: object, place: str) -> list[str]:
    """What a module or class holds; of names that differ in case alone the class comes last."""
    names = [name for name in dir(found) if not name.startswith("_")]
    return [*children(place), *sorted(names, key=lambda n: isinstance(getattr(found, n, 0), type))]


def _module(key: str, target: str, parts: list[str]) -> tuple[types.ModuleType, list[str]]:
    """The longest part of a dotted name that is a module, and what is left of it."""
    for end in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:end])
        try:
            return importlib.import_module(name), parts[end:]
        except ModuleNotFoundError as error:
            # Only if it is this module, or one above it, that is not there.
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise _failed(key, target, error) from None
            if end == 1 or isinstance(sys.modules.get(".".join(parts[: end - 1])), type(None)):
                continue
        except Exception as error:
            raise _failed(key, target, error) from None
    name = ".".join(parts[:-1])
    raise ConfigError(f"{key}._target_: '{target}' cannot be imported: {no_module(name)}")


def _failed(key: str, target: str, error: BaseException) -> ConfigError:
    return ConfigError(f"{key}._target_: '{target}' cannot be imported: {one_line(error)}")


def parameters_of(found: Callable[..., Any]) -> Parameters:
    """The arguments of a class or function by name; of a C function that tells none, nothing."""
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return {}
    return {n: p for n, p in signature.parameters.items() if n not in ("self", "args", "kwargs")}


def takes_anything(found: Callable[..., Any]) -> bool:
    """Whether it takes ``**kwargs``, so that no name can be called wrong."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)


def provided(found: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Of what Osprey can give at run time, what the signature names."""
    named = parameters_of(found)
    return {name: value for name, value in values.items() if name in named}


def check_arguments(
    key: str,
    target: str,
    found: Callable[..., Any],
    given: Mapping[str, Any],
    at_run_time: Collection[str] = (),
    *,
    partial: bool = False,
) -> None:
    """Check a node's arguments against the signature: names, what is missing, plain types.

    Args:
        key: The node, such as ``model``.
        target: Its dotted name.
        found: What that is.
        given: The node's own arguments.
        at_run_time: Names of arguments that are filled in later.
        partial: What is missing may come later.

    Raises:
        ConfigError: One line with the argument and the nearest name.
    """
    known = parameters_of(found)
    open_ended = takes_anything(found)
    for name in given:
        if name not in known and not open_ended:
            hint = nearest(name, known) or _listed(known)
            raise ConfigError(f"{key}.{name}: '{target}' takes no such argument{hint}")
    for name, parameter in known.items():
        wanted = parameter.default is inspect.Parameter.empty
        plain = parameter.kind in (
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.KEYWORD_ONLY,
        )
        missing = name not in given and name not in at_run_time and not partial
        if wanted and plain and missing:
            raise ConfigError(f"{key}._target_: '{target}' needs '{name}': add +{key}.{name}=VALUE")
    hints = type_hints(found)
    for name, value in given.items():
        if name in hints:
            check_plain_type(f"{key}.{name}", value, hints[name])


def _listed(names: Iterable[str]) -> str:
    shown = ", ".join(names)
    return f" (it takes {shown})" if shown else " (it takes none)"


def type_hints(found: Callable[..., Any]) -> dict[str, Any]:
    """Annotations of the arguments, as far as they can be read."""
    function = found.__init__ if isinstance(found, type) else found  # type: ignore[misc]
    try:
        return typing.get_type_hints(function)
    except Exception:  # names that exist for type checkers alone
        return {}


def check_plain_type(key: str, value: object, hint: Any) -> None:
    """Refuse a value of another type, where the annotation is one that YAML can write.

    Raises:
        ConfigError: Such as ``model.width: 'wide' is not a whole number``.
    """
    origin = typing.get_origin(hint)
    options = typing.get_args(hint) if origin in (typing.Union, types.UnionType) else (hint,)
    if origin is typing.Literal:
        words = [str(word) for word in typing.get_args(hint)]
        if str(value) not in words:
            hint_text = nearest(str(value), words)
            raise ConfigError(f"{key}: unknown '{value}'{hint_text} (one of {', '.join(words)})")
        return
    plain = (int, float, bool, str, type(None))
    if isinstance(value, dict | list) or any(option not in plain for option in options):
        return
    if any(_fits(value, option) for option in options):
        return
    kinds = [_KINDS.get(o, "text" if o is str else "null") for o in options]
    raise ConfigError(f"{key}: '{value}' is not {' or '.join(dict.fromkeys(kinds))}")


def _fits(value: object, kind: Any) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)
