"""Hydra's and OmegaConf's errors as one plain line each."""

from __future__ import annotations

import re
import shlex
from dataclasses import is_dataclass
from typing import Any, cast, get_type_hints

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import (
    GrammarParseError,
    InterpolationKeyError,
    OmegaConfBaseException,
    UnsupportedInterpolationType,
)

from osprey.config.groups.sweep import Sweep
from osprey.config.quoting import in_quotes
from osprey.config.schema import TrainConfig
from osprey.config.text_settings import Kind, kind_of_key
from osprey.errors import ConfigError, nearest

# Settings that are tables of the user's own: Hydra wants a plus before an entry it has not seen.
_OPEN_KEYS = ("model.options", "data.filter", "data.columns", "task.metrics")
_KINDS = {
    **{"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"},
    **{"Int": "a whole number", "Bool": "true or false", "Str": "a text"},
}


def first_line(text: str) -> str:
    """The first line of a message that says something."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def known_keys(schema: type[Any], prefix: str = "") -> list[str]:
    """Every setting of a command's configuration, dotted."""
    keys = []
    for name, kind in get_type_hints(schema).items():
        keys.append(f"{prefix}{'_target_' if name == 'target' else name}")
        if is_dataclass(kind):
            keys += known_keys(cast("type[Any]", kind), f"{prefix}{name}.")
    return [key for key in keys if not key.endswith(".args")]


def unknown_key(key: str, schema: type[Any] = TrainConfig) -> ConfigError:
    """The error for a setting that does not exist, with the nearest that does."""
    for open_key in _OPEN_KEYS:
        if key == open_key or key.startswith(f"{open_key}."):
            return ConfigError(f"{key}: a new entry is written with a plus: +{open_key}.NAME=VALUE")
    tasks = _of_tasks() if schema is TrainConfig else {}
    if owner := tasks.get(key):
        boxes = "; for boxes data.sampler=balanced evens out classes"
        return ConfigError(
            f"{key} is a setting of task={owner}{boxes if key == 'task.class_weights' else ''}"
        )
    sweep = known_keys(Sweep) if schema is TrainConfig else []
    if key in sweep:
        return ConfigError(f"{key} is of a sweep: choose one with -m sweep=optuna or sweep=grid")
    # Deeper ones are of a user's own module, which has the nearest name.
    known = [*known_keys(schema), *(tasks if key.count(".") == 1 else ()), *sweep]
    parts = [name for name in known if name.startswith(f"{key}.")]
    if key in known and parts:
        shown = ", ".join(parts[:4]) + (", ..." if len(parts) > 4 else "")
        return ConfigError(f"{key} is a group of settings: {shown}")
    if key in known:
        return ConfigError(f"{key} is there already: write {key}=VALUE")
    hint = nearest(key, known)
    if not hint:  # 'lr' is far from 'optimizer.lr' in letters, but its last part is right
        ends = [name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]]
        hint = f"; did you mean '{ends[0]}'?" if ends else "; --help lists them"
    return ConfigError(f"unknown setting '{key}'{hint}")


def _of_tasks() -> dict[str, str]:
    """The settings that a task has beside those of all, each with the task's name."""
    from osprey.config.folders import CONFIG_DIR  # which imports this module

    files = sorted((CONFIG_DIR / "task").glob("*.yaml"))
    return {f"task.{key}": file.stem for file in files for key in map(str, OmegaConf.load(file))}


_LAUNCHERS = ("joblib", "submitit_local", "submitit_slurm")  # of the extra ``launchers``


def _group_error(error: MissingConfigException) -> ConfigError:
    missing = error.missing_cfg_file or ""
    group, _, name = missing.rpartition("/")
    options = [o for o in (error.options or []) if not o.startswith("_")]
    if not group:
        return ConfigError(f"no such config: '{missing}'")
    if group == "hydra/launcher" and name in _LAUNCHERS:
        return ConfigError(f"{group}={name} needs pip install 'osprey-vision[launchers]'")
    listed = ", ".join(options) if len(options) < 30 else f"{len(options)} of them"
    hint = nearest(name, options) or f"; there are: {listed}"
    return ConfigError(f"no {group} called '{name}'{hint}")


def _several_values(word: str, schema: type[Any]) -> str:
    """What to say of commas where there is no sweep, with the remedies that work in a shell."""
    key, _, value = word.partition("=")
    said = f"'{word}' has several values: add -m to try each"
    kind = kind_of_key(key.lstrip("+"), schema)
    if kind is Kind.TEXTS or key == "logger":
        return f"{said}, or write them as one list: {for_shell(f'{key}=[{value}]')}"
    if kind is not None:
        return f"{said}, or keep the comma in quotes: {for_shell(f'{key}={in_quotes(value)}')}"
    return said


def for_shell(word: str) -> str:
    """A word as it is typed in a shell; Hydra's quotes stand readable within the shell's."""
    if "'" in word and not re.search(r'[$`"!\\]', word):
        return f'"{word}"'
    return shlex.quote(word)


def explain(error: BaseException, schema: type[Any] = TrainConfig, prefix: str = "") -> ConfigError:
    """Turn one of Hydra's or OmegaConf's errors into one line with what to do.

    Args:
        error: What was raised.
        schema: The settings of the command that was called, for the nearest name.
        prefix: The group whose settings were read, such as ``data.``.
    """
    if isinstance(error, MissingConfigException):
        return _group_error(error)
    if isinstance(error, OverrideParseException):
        return ConfigError(
            f"cannot read '{error.override}': settings are written key=value, "
            "and values with spaces or commas need quotes"
        )
    text = str(error)
    merging = re.match(r"Error merging override \+{0,2}([^\s=]+)=", text)
    if merging and isinstance(error.__cause__, OmegaConfBaseException):
        key = f"{merging[1]}: "
        said = str(_of_value(error.__cause__, key, schema))
        return ConfigError(f"{key}{said.removeprefix(key)}")
    full_key = str(getattr(error, "full_key", "") or "")
    full_key = f"{prefix}{full_key}" if full_key else ""
    # An unknown key is told in three ways, depending on where it stands.
    found = re.search(r"Could not override '([^']+)'", text)
    if found or "is not in struct" in text or re.search(r"Key '.+' not in '", text):
        return unknown_key(found.group(1) if found else full_key, schema)
    where = f"{full_key}: " if full_key else ""
    return _of_override(text, schema) or _of_value(error, where, schema)


def _of_override(text: str, schema: type[Any]) -> ConfigError | None:
    """What is wrong with how a setting is written; None where it is none of these."""
    several = re.match(r"Ambiguous value for argument '(.*?)'\n1\. ", text, re.DOTALL)
    if several:
        return ConfigError(_several_values(several[1], schema))
    sweep = re.match(r"Sweep parameters '(.*)' requires --multirun", text, re.DOTALL)
    if sweep:
        return ConfigError(f"'{sweep[1]}' has several values: add -m to try each")
    unset = re.search(r"Missing mandatory value: ([\w.]+)", text)
    if unset:
        return ConfigError(f"{unset[1]} is not set: add {unset[1]}=VALUE to the command")
    there = re.search(r"Could not append to config. An item is already at '([^']+)'", text)
    if there:
        return ConfigError(f"+{there[1]}: it is there already: leave out the plus")
    gone = re.search(r"Could not delete from config. '([^']+)' does not exist", text)
    if gone and gone[1] in known_keys(schema):
        return ConfigError(f"~{gone[1]}: nothing is set there")
    if gone:
        return unknown_key(gone[1], schema)
    other = re.search(r"Could not delete from config. The value of '([^']+)' is (.*) and", text)
    if other:
        return ConfigError(f"~{other[1]}: its value is {other[2]}: write ~{other[1]} alone")
    return None


# What OmegaConf says of a value, and what we say; the groups of the one stand in the other.
_VALUES = (
    (r"Value '(.*)' is not a valid bool", "'{0}' is not true or false"),
    (r"Environment variable '(.*)' not found", "there is no environment variable '{0}'"),
    (r"is not a ListConfig", "it is a list: write [a,b], [a] for one, [] for none"),
    (r"Invalid type assigned: \w+ is not a subclass of str", "it is text: give it one, in quotes"),
    (r"Cannot convert '.*' to string", "it is text: give it one, in quotes"),
)


def _of_value(error: BaseException, where: str, schema: type[Any]) -> ConfigError:
    """What is wrong with a value; ``where`` is its key and a colon, or empty."""
    text = str(error)
    wrong = re.search(r"Value '(.*)' of type '\w+' could not be converted to (\w+)", text)
    if wrong:
        return ConfigError(f"{where}'{wrong[1]}' is not {_KINDS.get(wrong[2], wrong[2])}")
    null = re.search(r"Incompatible value 'None' for field of type '(\w+)'", text)
    if null or "is not Optional" in text:
        kind = _KINDS.get((null[1] if null else "").capitalize(), "")
        return ConfigError(f"{where}it cannot be null" + (f": give {kind}" if kind else ""))
    for pattern, said in _VALUES:
        found = re.search(pattern, text)
        if found:
            return ConfigError(f"{where}{said.format(*found.groups())}")
    if isinstance(error, InterpolationKeyError | UnsupportedInterpolationType | GrammarParseError):
        return ConfigError(f"{where}{_lookup(text, where.removesuffix(': '), schema)}")
    return ConfigError(f"{where}{first_line(text)}")


def _lookup(text: str, key: str, schema: type[Any]) -> str:
    """What to say of ``${...}`` that stands for nothing, and how it is typed as part of a name."""
    name = re.search(r"Interpolation key '([^']*)' not found", text)
    kind = re.search(r"Unsupported interpolation type (\S+)", text)
    inner = "..."
    if name:
        inner = name[1]
        hint = nearest(inner, known_keys(schema)).removesuffix("?")
        why = f"there is no setting '{inner}' that ${{{inner}}} could stand for{hint}"
    elif kind:
        inner = f"{kind[1]}:..."
        why = f"there is nothing called '{kind[1]}' to look up with ${{{inner}}}"
    else:
        why = "a '${' that cannot be read"
    typed = f"{key}=\\${{{inner}}}" if key else f"\\${{{inner}}}"
    return f"{why}; as part of a name it has a backslash, within single quotes: '{typed}'"
