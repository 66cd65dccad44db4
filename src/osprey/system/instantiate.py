"""Make what a node names. Nodes within it are made first, as Hydra does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from osprey.errors import ConfigError, UserError
from osprey.system.plugins import one_line
from osprey.system.targets import check_arguments, import_target, provided

_OF_HYDRA = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")


def arguments_of(node: Mapping[str, Any]) -> dict[str, Any]:
    """A node's own arguments, without what speaks to Hydra."""
    return {key: value for key, value in node.items() if key not in _OF_HYDRA}


def instantiate(
    key: str,
    node: Mapping[str, Any],
    kind: type | None = None,
    run_time: Mapping[str, Any] | None = None,
) -> Any:
    """Make what ``node`` names.

    Args:
        key: Where the node stands, for messages.
        node: Plain data with ``_target_``, its arguments, perhaps ``_partial_``.
        kind: What it must be an instance of; None for anything.
        run_time: What else may be given, by name, where the signature takes it and the node does
            not say it.

    Returns:
        The object; with ``_partial_: true`` a `functools.partial`.

    Raises:
        ConfigError: One line: what cannot be imported, which argument is wrong, what it raised.
    """
    target = node.get("_target_")
    found = import_target(key, target)
    given = arguments_of(node)
    is_partial = bool(node.get("_partial_"))
    extra = {k: v for k, v in provided(found, run_time or {}).items() if k not in given}
    if not is_partial:
        check_arguments(key, str(target), found, given, extra)
    values = {name: made(f"{key}.{name}", value) for name, value in given.items()}
    if is_partial:
        return partial(found, **values, **extra)
    result = call(key, str(target), found, {**values, **extra})
    if kind is not None and not isinstance(result, kind):
        raise wrong_kind(key, str(target), result, kind)
    return result


def made(key: str, value: Any) -> Any:
    """A value with every node within it made."""
    if isinstance(value, Mapping):
        if "_target_" in value:
            return instantiate(key, value)
        return {name: made(f"{key}.{name}", part) for name, part in value.items()}
    if isinstance(value, list):
        return [made(f"{key}.{number}", part) for number, part in enumerate(value)]
    return value


def call(key: str, target: str, found: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    """Call it; whatever it raises is one line that names it.

    Raises:
        ConfigError: It raised.
    """
    try:
        return found(**values)
    except UserError:
        raise
    except Exception as error:
        raise ConfigError(f"{key}._target_: '{target}' failed: {one_line(error)}") from error


def wrong_kind(key: str, target: str, made: object, kind: type) -> ConfigError:
    """The error for a target that gives something else than is wanted: an object, or a class."""
    what = made.__name__ if isinstance(made, type) else type(made).__name__
    article = "an" if what[0] in "AEIOaeio" else "a"
    return ConfigError(f"{key}._target_: '{target}' gives {article} {what}, not a {_name(kind)}")


def _name(kind: type) -> str:
    """A class by the name people import it by, such as ``torch.nn.Module``."""
    parts = kind.__module__.split(".")
    for end in range(1, len(parts) + 1):
        module = sys.modules.get(".".join(parts[:end]))
        if getattr(module, kind.__name__, None) is kind:
            return ".".join([*parts[:end], kind.__name__])
    return f"{kind.__module__}.{kind.__name__}"
