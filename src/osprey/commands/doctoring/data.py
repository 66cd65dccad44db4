"""The data that a command's words name, and files that it may write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from osprey.config.expand_sources import expand_sources
from osprey.config.fields import check_fields
from osprey.config.parse import complete, typed
from osprey.config.schema import DataConfig, TrainConfig
from osprey.config.sources import roots_of
from osprey.config.validate import check_data
from osprey.data.folders import outside
from osprey.errors import ConfigError, DataError, UserError
from osprey.system.console import say
from osprey.system.outputs import is_stream, refuse_existing
from osprey.system.paths import home_path
from osprey.system.plugins import load_plugins
from osprey.system.trust import trust_targets


def read_settings(cfg: DictConfig, command: str) -> TrainConfig:
    """The typed settings of a composed training, those of its data checked.

    Args:
        cfg: The composed configuration.
        command: Name of the command, for messages.

    Raises:
        ConfigError: A setting cannot be used.
    """
    for line in expand_sources(cfg):
        say(f"note     {line}")
    complete(cfg)
    config = typed(cfg)
    check_fields(config.data, "data.")
    check_data(config.data)
    if config.data.is_foreign:
        raise ConfigError(
            f"data._target_: {command} reads photos by a reader: give data.reader, which may be a "
            "function of your own (data.reader._target_=...)"
        )
    load_plugins(config.plugins)
    trust_targets(OmegaConf.to_container(cfg, resolve=False))
    return config


def check_target(name: str, key: str, data: DataConfig) -> Path:
    """Check, before the work is done, that a file may be written.

    Args:
        name: As it was typed.
        key: Of the setting.
        data: Says where the photos are.

    Returns:
        Its path, ``~`` expanded.

    Raises:
        UserError: It lies among the photos, its folder is not there, or a file that Osprey did not
            write is in its place.
    """
    path = home_path(name)
    if is_stream(str(path)) or path.suffix.lower() != ".csv":
        raise UserError(f"{key}: '{name}' is no CSV file: name one, such as {key}=manifest.csv")
    if not path.parent.is_dir():
        raise UserError(f"{key}: there is no folder '{path.parent}' to write to")
    refuse_inside(path.parent, key, data)
    refuse_existing([path], key, force=False)
    return path


def refuse_inside(folder: Path, key: str, data: DataConfig) -> None:
    """Check that a folder to write to is not among the photos."""
    for photos in roots_of(data):
        if photos.is_dir():
            outside([folder], photos, [photos / "photo"], key)


@contextmanager
def telling(notices: list[str]) -> Iterator[None]:
    """Say what was noticed before data are refused, which may be why."""
    try:
        yield
    except DataError:
        for notice in notices:
            say(f"note     {notice}")
        raise
