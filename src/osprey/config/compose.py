"""Hydra composes the configuration; its errors become one plain line each."""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from osprey.config import folders
from osprey.config.arguments import refuse_moved_folders_of
from osprey.config.call import Call, plugins_in, read_call
from osprey.config.errors import explain, first_line
from osprey.config.folders import CONFIG_DIR as CONFIG_DIR
from osprey.config.stamp import new_stamp
from osprey.errors import ConfigError, UserError, nearest
from osprey.system.console import say
from osprey.system.disk import system_failure
from osprey.system.installed import at_hand
from osprey.system.launcher import is_first
from osprey.system.plugins import load_installed, load_plugins

OmegaConf.register_new_resolver("osprey.stamp", new_stamp, use_cache=True, replace=True)
OmegaConf.register_new_resolver("osprey.at_hand", at_hand, replace=True)
OmegaConf.register_new_resolver("osprey.chosen", lambda usual: usual, replace=True)


_called: list[Call] = []


def current_call() -> Call:
    """What Hydra runs at the moment: a sweeper's workers call for the same."""
    return _called[-1]


def current_config_dir() -> Path | None:
    """What ``--config-dir`` names of the command that Hydra runs; None without one."""
    return _called[-1].line.folder if _called else None


def run_hydra(
    config_name: str,
    argv: Sequence[str],
    task: Callable[[DictConfig], Any],
    program: str,
) -> None:
    """Compose ``config_name`` with the overrides in ``argv`` and call ``task`` for every job.

    Args:
        config_name: As for `read_call`.
        argv: As for `read_call`.
        task: As for `run_call`.
        program: As for `read_call`.

    Raises:
        UserError: The overrides cannot be composed; the message is one line.
    """
    run_call(read_call(config_name, argv, program), task)


def run_call(call: Call, task: Callable[[DictConfig], Any]) -> None:
    """Compose what was called for and call ``task`` for every job.

    Args:
        call: What `read_call` gave.
        task: Called with the composed config; what it returns is the job's value for a sweeper. A
            launcher may call it in another process, so it must be a function of a module.

    Raises:
        UserError: The overrides cannot be composed; the message is one line.
    """
    if call.line.help:
        return  # commands answer it themselves
    if not call.line.shows and is_first():  # of a launcher's processes one line is enough
        for notice in folders.notices(call.line.folder):
            say(notice)
    job = _Job(task, call)
    before = sys.argv
    _called.append(call)
    sys.argv = [call.program, *call.line.flags, *(() if call.line.about_hydra else call.words)]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us instead of Hydra's own printer
    main = hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=call.config_name)
    try:
        with folders.laid_over(call.line.folder), explained(call), _package_there(call):
            main(job)()
    finally:
        _called.pop()
        sys.argv = before
    if job.failure is not None:
        known = isinstance(job.failure, HydraException | OmegaConfBaseException)
        raise explain(job.failure, call.schema) if known else job.failure


@contextmanager
def _package_there(call: Call) -> Iterator[None]:
    """``--package`` of what is not there: Hydra would print a line of its own and exit with 1."""
    if call.line.package is None:
        yield
        return
    with redirect_stderr(StringIO()) as said:
        try:
            yield
        except SystemExit as stop:
            if not stop.code:
                raise
            why = said.getvalue().strip() or "it cannot be shown"
            raise ConfigError(f"--package={call.line.package}: {why}") from None


def compose_call(call: Call, words: Sequence[str], *, with_hydra: bool = False) -> DictConfig:
    """Compose without running anything.

    Args:
        call: What `read_call` gave.
        words: The settings of one job, as Hydra reads them.
        with_hydra: Keep Hydra's own node.

    Raises:
        ConfigError: They cannot be composed; the message is one line.
    """
    with opened(call):
        return compose(call.config_name, overrides=list(words), return_hydra_config=with_hydra)


@contextmanager
def opened(call: Call) -> Iterator[None]:
    """Hydra, ready to compose what was called for; its errors as one line."""
    with (
        folders.laid_over(call.line.folder),
        explained(call),
        initialize_config_dir(str(CONFIG_DIR), version_base="1.3"),
    ):
        yield


@contextmanager
def explained(call: Call) -> Iterator[None]:
    """Errors of Hydra, OmegaConf and YAML as one line each."""
    try:
        yield
    except yaml.YAMLError as error:
        raise folders.yaml_mistake(error) from error
    except (HydraException, OmegaConfBaseException) as error:
        if isinstance(error.__cause__, yaml.YAMLError):
            raise folders.yaml_mistake(error.__cause__) from error
        raise _explained(error, call) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{folders.undecodable()} is not UTF-8: save it as such") from error
    except OSError as error:
        if system_failure(error) is not None:
            raise  # the command says what to do
        place = f"'{error.filename}'" if error.filename else "a file"
        raise UserError(f"{place} cannot be used: {error.strerror or error}") from error
    except RecursionError as error:
        raise ConfigError("a config file names itself in its defaults list") from error
    except (ValueError, TypeError, AssertionError) as error:
        if not _is_hydra_s(error):
            raise
        words = [word for word in call.words if word.lstrip("+").startswith(("hydra", "~"))]
        why = "" if isinstance(error, AssertionError) else first_line(str(error))
        why = why or "a value of another kind is wanted"
        raise ConfigError(f"Hydra cannot use '{' '.join(words or call.words)}': {why}") from error


def _is_hydra_s(error: BaseException) -> bool:
    """Whether Hydra or OmegaConf raised it, of settings they take unchecked; not a plugin."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    name = "" if frame is None else str(frame.tb_frame.f_globals["__name__"])
    return name.startswith(("hydra.", "omegaconf."))


def _explained(error: Exception, call: Call) -> UserError:
    """The one line; of a key within a node of the user's own, with the nearest that is there."""
    plain = explain(error, call.schema)
    found = re.search(r"Could not override '([^']+)'", str(error))
    if found is None or not str(plain).endswith("--help lists them"):
        return plain
    key = found[1]
    words = [w for w in call.words if "=" in w and not w.startswith(f"{key}=")]
    try:
        with (
            folders.laid_over(call.line.folder),
            initialize_config_dir(str(CONFIG_DIR), version_base="1.3"),
        ):
            cfg = compose(call.config_name, overrides=words)
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

    def __init__(self, task: Callable[[DictConfig], Any], call: Call) -> None:
        self.task = task
        self.call = call
        self.process = os.getpid()
        self.failure: BaseException | None = None

    def __call__(self, cfg: DictConfig) -> Any:
        """Run one job; after one that failed no other is begun."""
        if os.getpid() != self.process:
            return self._elsewhere(cfg)
        if self.failure is not None:
            return None
        try:
            refuse_moved_folders_of(HydraConfig.get())
            return self.task(cfg)
        except BaseException as error:
            self.failure = error
            return None

    def _elsewhere(self, cfg: DictConfig) -> Any:
        """Run one job in a launcher's process, which may know nothing of the command yet."""
        load_installed()
        load_plugins(plugins_in(self.call.line.settings))
        usual = multiprocessing.get_all_start_methods()
        if multiprocessing.get_start_method() not in usual:
            # Loader processes cannot be started in the way of joblib's.
            multiprocessing.set_start_method(usual[0], force=True)
        _called.append(self.call)
        try:
            with folders.laid_over(self.call.line.folder):
                return self.task(cfg)
        finally:
            _called.pop()
