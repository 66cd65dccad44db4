"""Hydra composes the configuration; its errors become one plain line each."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from osprey.config.errors import explain
from osprey.config.optimizers import OPTIMIZERS
from osprey.config.overrides import flags_first, quoted, value_of
from osprey.config.parse import base_nodes
from osprey.config.schema import EvalConfig, TrainConfig
from osprey.config.shorthands import long_form
from osprey.config.stamp import new_stamp
from osprey.errors import ConfigError, nearest
from osprey.system.plugins import config_folders, load_installed, load_plugins

OmegaConf.register_new_resolver("osprey.stamp", new_stamp, use_cache=True, replace=True)

_HERE = Path(__file__).resolve().parent
# A wheel carries the config files inside the package; a checkout keeps them at the top level.
CONFIG_DIR = next(
    (path for path in (_HERE.parent / "configs", _HERE.parents[2] / "configs") if path.is_dir()),
    _HERE.parent / "configs",
)

_SCHEMAS: dict[str, type[Any]] = {"train": TrainConfig, "eval": EvalConfig}


class PluginConfigs(SearchPathPlugin):
    """Lays the ``configs`` folders of the user's packages over Osprey's own."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra before it composes."""
        for folder in config_folders():
            search_path.prepend(provider="osprey-plugin", path=f"file://{folder}")


def register_configs() -> None:
    """Give Hydra the ``_base`` option of each group, and the plugins' folders."""
    store = ConfigStore.instance()
    for group, node in base_nodes().items():
        store.store(group=group, name="_base", node=node, provider="osprey")
    if PluginConfigs not in Plugins.instance().discover(SearchPathPlugin):
        Plugins.instance().register(PluginConfigs)


def register_optimizers() -> None:
    """Give Hydra an option for each optimiser's name.

    A hundred of them, and Hydra copies its whole store for every group that ``--help`` lists: there
    they are left out.
    """
    store = ConfigStore.instance()
    own = {file.stem for file in (CONFIG_DIR / "optimizer").glob("*.yaml")}
    for name in (name for name in OPTIMIZERS if name not in own):
        node = {"defaults": ["_base", "_self_"], "name": name}
        store.store(group="optimizer", name=name, node=node, provider="osprey")


register_configs()


def run_hydra(
    config_name: str,
    argv: Sequence[str],
    task: Callable[[DictConfig], Any],
    program: str,
) -> None:
    """Compose ``config_name`` with the overrides in ``argv`` and call ``task`` for every job.

    Args:
        config_name: Name of a file at the top of the config folder, such as ``train``.
        argv: Hydra's command line: overrides, ``-m``, ``--help``, ``--config-dir`` and so on.
        task: Called with the composed config; what it returns is the job's value for a sweeper. A
            launcher may call it in another process, so it must be a function of a module.
        program: How the command is called, for the help text.

    Raises:
        ConfigError: The overrides cannot be composed; the message is one line.
    """
    load_installed()
    load_plugins(plugins_in(argv))
    if not {"-h", "--help"} & set(argv):
        register_optimizers()
    job = _Job(task)
    before = sys.argv
    sys.argv = [program, *quoted(long_form(flags_first(argv)))]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us instead of Hydra's own printer
    try:
        hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=config_name)(job)()
    except (HydraException, OmegaConfBaseException) as error:
        raise _explained(error, config_name, argv) from error
    finally:
        sys.argv = before
    if job.failure is not None:
        known = isinstance(job.failure, HydraException | OmegaConfBaseException)
        raise explain(job.failure, _SCHEMAS[config_name]) if known else job.failure


def _explained(error: Exception, config_name: str, argv: Sequence[str]) -> ConfigError:
    """The one line; of a key within a node of the user's own, with the nearest that is there."""
    plain = explain(error, _SCHEMAS[config_name])
    found = re.search(r"Could not override '([^']+)'", str(error))
    if found is None or not str(plain).endswith("--help lists them"):
        return plain
    key = found[1]
    words = [w for w in argv if "=" in w and not w.startswith(("-", f"{key}="))]
    folders = [argv[i + 1] for i, w in enumerate(argv[:-1]) if w in ("--config-dir", "-cd")]
    if folders:
        words.append(f"hydra.searchpath=[{','.join(Path(f).resolve().as_uri() for f in folders)}]")
    try:
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            cfg = compose(config_name, overrides=quoted(long_form(words)))
    except Exception:  # another mistake stands beside it
        return plain
    hint = nearest(key, _dotted(OmegaConf.to_container(cfg, resolve=False)))
    return ConfigError(f"unknown setting '{key}'{hint or '; --help lists them'}")


def _dotted(tree: Any, prefix: str = "") -> list[str]:
    """Every key of a tree, dotted."""
    if not isinstance(tree, dict):
        return []
    keys = [f"{prefix}{key}" for key in tree]
    return keys + [k for key, part in tree.items() for k in _dotted(part, f"{prefix}{key}.")]


class _Job:
    """Calls the task; what it raises in this process is kept, and raised when Hydra is done.

    Hydra would print a headline of its own over our one line. In another process, where a launcher
    called it, it is raised at once.
    """

    def __init__(self, task: Callable[[DictConfig], Any]) -> None:
        self.task = task
        self.process = os.getpid()
        self.failure: BaseException | None = None

    def __call__(self, cfg: DictConfig) -> Any:
        """Run one job; after one that failed no other is begun."""
        if os.getpid() != self.process:
            return self.task(cfg)
        if self.failure is not None:
            return None
        try:
            return self.task(cfg)
        except BaseException as error:
            self.failure = error
            return None


def plugins_in(argv: Sequence[str]) -> list[str]:
    """The packages that ``plugins=`` names on a command line: their configs are composed with."""
    for word in reversed(argv):
        key, equals, _ = word.partition("=")
        if equals and key.lstrip("+") == "plugins":
            found = value_of(word)
            return [str(name) for name in (found if isinstance(found, list) else [found])]
    return []


def option_node(group: str) -> dict[str, Any]:
    """A group as its chosen option alone makes it, unresolved; while Hydra runs a job.

    Options are chosen by the command line and by recipes.
    """
    choices = HydraConfig.get().runtime.choices
    choice = choices.get(group)
    if choice is None:
        return {}
    cfg = compose("train", overrides=[f"{group}={choice}"])
    return cast("dict[str, Any]", OmegaConf.to_container(cfg[group], resolve=False))


def said_keys() -> set[str]:
    """The keys that the command line sets, without ``+``; while Hydra runs a job."""
    words = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return {str(word).lstrip("+~").partition("=")[0] for word in cast("list[str]", words)}


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
    return {f"data.{key}" for key, value in now.items() if before.get(key) != value}
