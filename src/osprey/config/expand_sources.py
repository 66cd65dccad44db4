"""The names in ``data.sources`` as the settings that they stand for, while Hydra runs a job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, cast

from hydra import compose
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from osprey.config.errors import explain
from osprey.config.groups.data import DATAMODULE
from osprey.config.parse import base_nodes
from osprey.config.quoting import escaped
from osprey.config.sources import KEY, OWN, READING, check_keys
from osprey.errors import ConfigError


def expand_sources(cfg: DictConfig) -> list[str]:
    """Put each source's settings in the place of its name, so that a run can be read anywhere.

    Args:
        cfg: The composed configuration, changed in place.

    Returns:
        Lines for the user: settings of an option that one training cannot have several of.

    Raises:
        ConfigError: There is no such option of data, or a mapping has an unknown key.
    """
    sources = cfg.data.get("sources") if isinstance(cfg.get("data"), DictConfig) else None
    if not isinstance(sources, ListConfig) or not len(sources):
        return []
    notices: list[str] = []
    try:
        found = [_expanded(cfg, node, notices) for node in _plain(sources)]
    except OmegaConfBaseException as error:
        raise explain(error, prefix=f"{KEY}.") from error
    with open_dict(cfg):
        cfg.data.sources = escaped(found)
    return notices


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True)


def _expanded(cfg: DictConfig, source: Any, notices: list[str]) -> dict[str, Any]:
    """One source as a mapping with all that it sets, without the defaults."""
    if not isinstance(source, dict):
        source = {"data": source}
    own = {str(key): value for key, value in source.items() if key != "data"}
    if source.get("data") is None:
        root = str(own.get("root") or "")
        name = str(own.get("name") or PurePath(root).name or "source")
        check_keys(name, own)
        return {"name": name, **own}
    word = str(source["data"])
    name = str(own.get("name") or word)
    check_keys(name, own)
    option = _option(cfg, word)
    _tell_left(cfg, name, option, notices)
    base = base_nodes()["data"]
    taken = {k: option[k] for k in (*READING, "classes") if k in option and option[k] != base[k]}
    for key in ("columns", "filter"):
        if isinstance(own.get(key), dict):
            own[key] = {**(taken.get(key) or {}), **own[key]}
    return {**taken, **own, "name": name}


def _option(cfg: DictConfig, word: str) -> dict[str, Any]:
    """An option of data, resolved among this job's other settings."""
    try:
        node = compose("train", overrides=[f"data={word}"]).data
    except HydraException as error:
        raise ConfigError(f"{KEY}: {explain(error)}") from None
    except ValueError:  # a number, null, true, a list
        raise ConfigError(
            f"{KEY}: {word} is no option of data: name one, or give a mapping such as "
            "{reader: folder, root: FOLDER}"
        ) from None
    plain = OmegaConf.to_container(node, resolve=False)
    around = cast("dict[str, Any]", OmegaConf.to_container(cfg, resolve=False))
    option = cast("dict[str, Any]", _plain(OmegaConf.create({**around, "data": plain}).data))
    if option.get("_target_", DATAMODULE) != DATAMODULE:
        raise ConfigError(f"{KEY}: data={word} has a DataModule of its own, which cannot be joined")
    return option


def _tell_left(cfg: DictConfig, name: str, option: Mapping[str, Any], notices: list[str]) -> None:
    """Settings of an option that are of a training: those of the join count."""
    base, ours = base_nodes()["data"], _plain(cfg.data)
    left = [
        key
        for key, value in option.items()
        if key in base
        and key not in (*READING, *OWN, "_target_")
        and value != base[key]
        and value != ours.get(key)
    ]
    if left:
        notices.append(
            f"source {name}: its {', '.join(f'{key}={option[key]}' for key in left)} "
            f"{'is' if len(left) == 1 else 'are'} not taken over: a training has one "
            f"({', '.join(f'data.{key}' for key in left)})"
        )
