"""Packages of the user's own: found, imported, and trusted for one command."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from osprey.errors import ConfigError, nearest
from osprey.system.trust import (
    PURE_PACKAGES,
    set_trusted,
    trust_packages,
    trusted_names,
    trusted_packages,
)

ENTRY_POINTS = "osprey.plugins"
CONFIGS = "configs"  # the folder of a plugin that joins Hydra's search path

_loaded: dict[str, ModuleType] = {}


@contextmanager
def command_scope() -> Iterator[None]:
    """One command's plugins and trust; afterwards all is as it was."""
    trusted, loaded, path = trusted_names(), dict(_loaded), list(sys.path)
    try:
        yield
    finally:
        set_trusted(trusted)
        _loaded.clear()
        _loaded.update(loaded)
        sys.path[:] = path


def see_current_folder() -> None:
    """Let modules of the current folder be imported, after everything that is installed."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
        importlib.invalidate_caches()


def load_plugins(names: Sequence[str], key: str = "plugins") -> list[ModuleType]:
    """Import packages of the user's own, and trust them for this command.

    Args:
        names: Importable names, installed or in the current folder.
        key: The setting or option that names them, for messages.

    Raises:
        ConfigError: One is not there, or raises while it is imported.
    """
    if names:
        see_current_folder()
    found = []
    for name in names:
        trust_packages([name.partition(".")[0]])
        found.append(_load(name, key))
    return found


def installed_plugins() -> list[str]:
    """Modules that installed packages name by the entry point ``osprey.plugins``."""
    from importlib.metadata import entry_points  # slow to import, and classify has no use for it

    return sorted(point.value for point in entry_points(group=ENTRY_POINTS))


def load_installed() -> list[ModuleType]:
    """Import the installed plugins; they are trusted, since they were installed.

    Raises:
        ConfigError: One raises while it is imported.
    """
    names = installed_plugins()
    trust_packages(name.partition(".")[0] for name in names)
    return [_load(name, "installed plugin") for name in names]


def loaded_plugins() -> dict[str, ModuleType]:
    """Every plugin of this command, by name."""
    return dict(_loaded)


def plugin_setting() -> list[str]:
    """What a later command must say to trust what this one does, as a word of it; or nothing."""
    installed = {name.partition(".")[0] for name in installed_plugins()}
    names = [n for n in trusted_packages() if n not in installed | PURE_PACKAGES | {"osprey"}]
    return [f"plugins=[{','.join(names)}]"] if names else []


def config_folders() -> list[Path]:
    """The ``configs`` folders of the plugins of this command."""
    places = [Path(p) for module in _loaded.values() for p in getattr(module, "__path__", [])]
    return [place / CONFIGS for place in places if (place / CONFIGS).is_dir()]


def _load(name: str, key: str) -> ModuleType:
    if name in _loaded:
        return _loaded[name]
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigError(f"{key}: '{name}' failed to import: {one_line(error)}") from None
        raise ConfigError(f"{key}: {no_module(name)}") from None
    except Exception as error:
        raise ConfigError(f"{key}: '{name}' failed to import: {one_line(error)}") from None
    _loaded[name] = module
    return module


def one_line(error: BaseException) -> str:
    """An exception's kind and its message in one line."""
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def no_module(name: str) -> str:
    """What to say of a module that is not there, with the nearest one that is."""
    root, _, _ = name.partition(".")
    here = Path.cwd()
    if importlib.util.find_spec(root) is not None:
        parent, _, last = name.rpartition(".")
        hint = nearest(last, children(parent))
        return f"there is no module '{name}'" + (hint or f" in '{parent}'")
    hint = nearest(root, (*_in_folder(here), *_installed_names()))
    places = f"(looked in the current folder '{here}' and the installed packages)"
    return f"there is no module '{root}'{hint} {places}"


def children(parent: str) -> list[str]:
    """Names of the modules in a package that is imported."""
    module = sys.modules.get(parent)
    return [n for place in getattr(module, "__path__", []) for n in _in_folder(Path(place))]


def _in_folder(folder: Path) -> list[str]:
    try:
        entries = list(folder.iterdir())
    except OSError:
        return []
    files = [p.stem for p in entries if p.suffix == ".py"]
    return files + [p.name for p in entries if p.is_dir() and p.name.isidentifier()]


def _installed_names() -> Iterable[str]:
    from importlib.metadata import packages_distributions

    return packages_distributions()
