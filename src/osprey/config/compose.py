"""Hydra composes; its errors become one plain line each."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

import hydra
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from osprey.config.overrides import quoted
from osprey.config.schema import EvalConfig, TrainConfig
from osprey.config.stamp import new_stamp
from osprey.errors import ConfigError, nearest

OmegaConf.register_new_resolver("osprey.stamp", new_stamp, use_cache=True, replace=True)

_HERE = Path(__file__).resolve().parent
# A wheel carries the config files inside the package; a checkout keeps them at the top level.
CONFIG_DIR = next(
    (path for path in (_HERE.parent / "configs", _HERE.parents[2] / "configs") if path.is_dir()),
    _HERE.parent / "configs",
)

# Settings that are tables of the user's own: Hydra wants a plus before an entry it has not seen.
_OPEN_KEYS = ("model.options", "data.filter", "data.columns")

_SCHEMAS: dict[str, type[Any]] = {"train": TrainConfig, "eval": EvalConfig}

T = TypeVar("T")


def run_hydra(
    config_name: str,
    argv: Sequence[str],
    task: Callable[[DictConfig, list[str]], None],
    program: str,
) -> None:
    """Compose ``config_name`` with the overrides in ``argv`` and call ``task`` for every job.

    Args:
        config_name: Name of a file at the top of the config folder, such as ``train``.
        argv: Hydra's command line: overrides, ``-m``, ``--help``, ``--config-dir`` and so on.
        task: Called with the composed config and the list of task overrides of the job.
        program: How the command is called, for the help text.

    Raises:
        ConfigError: The overrides cannot be composed; the message is one line.
    """
    failed: list[BaseException] = []

    def job(cfg: DictConfig) -> None:
        if failed:
            return  # a sweep that was stopped: its other trials are not begun
        try:  # kept and raised below: Hydra would print a headline of its own over our one line
            overrides = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
            task(cfg, cast("list[str]", overrides))
        except BaseException as error:
            failed.append(error)

    before = sys.argv
    sys.argv = [program, *quoted(argv)]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us instead of Hydra's own printer
    try:
        hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=config_name)(job)()
    except (HydraException, OmegaConfBaseException) as error:
        raise explain(error, _SCHEMAS[config_name]) from error
    finally:
        sys.argv = before
    if failed:
        first = failed[0]
        known = isinstance(first, HydraException | OmegaConfBaseException)
        raise explain(first, _SCHEMAS[config_name]) if known else first


def typed(cfg: DictConfig, schema: type[T]) -> T:
    """Return ``cfg`` as an instance of the dataclass ``schema``, every value of its declared type.

    Raises:
        ConfigError: A key is unknown, a value has the wrong type, or a mandatory one is missing.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(schema), cfg)
        unset = sorted(OmegaConf.missing_keys(merged))
        if unset:
            raise ConfigError(f"{unset[0]} is not set: add {unset[0]}=VALUE to the command")
        return OmegaConf.to_object(merged)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        raise explain(error, schema) from error


def recipe_settings(cfg: DictConfig) -> set[str]:
    """The data settings that a chosen recipe makes, as keys; ``data`` where it chose the group.

    Only while Hydra runs the job that ``cfg`` belongs to.
    """
    default = "harbour"
    if HydraConfig.get().runtime.choices["data"] != default:
        return {"data"}
    plain = compose("train", overrides=[f"data={default}"]).data
    before, now = (
        cast("dict[str, Any]", OmegaConf.to_container(node, resolve=False))
        for node in (plain, cfg.data)
    )
    return {f"data.{key}" for key, value in now.items() if before[key] != value}


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _group_error(error: MissingConfigException) -> ConfigError:
    missing = error.missing_cfg_file or ""
    group, _, name = missing.rpartition("/")
    options = [o for o in (error.options or []) if not o.startswith("_")]
    if not group:
        return ConfigError(f"no such config: '{missing}' (looked in {CONFIG_DIR})")
    hint = nearest(name, options) or f"; there are: {', '.join(options)}"
    return ConfigError(f"no {group} called '{name}'{hint}")


def _known_keys(schema: type[Any], prefix: str = "") -> list[str]:
    """Every setting of a command's configuration, dotted."""
    keys = []
    for name, kind in get_type_hints(schema).items():
        keys.append(f"{prefix}{name}")
        if is_dataclass(kind):
            keys += _known_keys(cast("type[Any]", kind), f"{prefix}{name}.")
    return keys


def unknown_key(key: str, schema: type[Any] = TrainConfig) -> ConfigError:
    """The error for a setting that does not exist, with the nearest that does."""
    for open_key in _OPEN_KEYS:
        if key == open_key or key.startswith(f"{open_key}."):
            return ConfigError(f"{key}: a new entry is written with a plus: +{open_key}.NAME=VALUE")
    known = _known_keys(schema)
    hint = nearest(key, known)
    if not hint:  # 'lr' is far from 'optimizer.lr' in letters, but its last part is right
        ends = [name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]]
        hint = f"; did you mean '{ends[0]}'?" if ends else "; --help lists them"
    return ConfigError(f"unknown setting '{key}'{hint}")


def explain(error: BaseException, schema: type[Any] = TrainConfig) -> ConfigError:
    """Turn one of Hydra's or OmegaConf's errors into one line with what to do.

    ``schema`` has the settings of the command that was called, for the nearest name.
    """
    if isinstance(error, MissingConfigException):
        return _group_error(error)
    if isinstance(error, OverrideParseException):
        return ConfigError(
            f"cannot read '{error.override}': settings are written key=value, "
            "and values with spaces or commas need quotes"
        )
    text = str(error)
    full_key = str(getattr(error, "full_key", "") or "")
    # An unknown key is told in three ways, depending on where it stands.
    found = re.search(r"Could not override '([^']+)'", text)
    if found or "is not in struct" in text or re.search(r"Key '.+' not in '", text):
        return unknown_key(found.group(1) if found else full_key, schema)
    several = re.search(r"Ambiguous value for argument '([^']*)'", text)
    if several:
        return ConfigError(
            f"'{several[1]}' has several values: add -m to try each, or write them as one list, "
            "key=[a,b]"
        )
    unset = re.search(r"Missing mandatory value: ([\w.]+)", text)
    if unset:
        return ConfigError(f"{unset[1]} is not set: add {unset[1]}=VALUE to the command")
    where = f"{full_key}: " if full_key else ""
    wrong = re.search(r"Value '(.*)' of type '\w+' could not be converted to (\w+)", text)
    if wrong:
        kinds = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}
        kind = kinds.get(wrong.group(2), wrong.group(2))
        return ConfigError(f"{where}'{wrong.group(1)}' is not {kind}")
    return ConfigError(f"{where}{_first_line(text)}")
