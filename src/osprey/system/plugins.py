"""Packages of the user's own, and which names of classes may be followed.

A command line may name any class. A file from elsewhere (checkpoint, run folder) may name only what
is Osprey's, what an installed plugin brings, and what this command line trusts.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from osprey.errors import CheckpointError, ConfigError, nearest

ENTRY_POINTS = "osprey.plugins"
CONFIGS = "configs"  # the folder of a plugin that joins Hydra's search path

# Classes defined below these compute and do nothing else.
_PURE = (
    *("torch.optim.", "torch.nn.", "torchmetrics.", "timm.optim.", "timm.scheduler.", "timm.loss."),
    *("pytorch_lightning.callbacks.", "pytorch_lightning.Trainer"),
)
# Of Osprey's own, what the options of its configuration name.
_OWN = (
    *("osprey.models.", "osprey.tasks.", "osprey.engine.loggers."),
    "osprey.data.datamodule.DataModule",
)
_trusted: set[str] = set()
_loaded: dict[str, ModuleType] = {}


@contextmanager
def command_scope() -> Iterator[None]:
    """One command's plugins and trust; afterwards all is as it was."""
    trusted, loaded, path = set(_trusted), dict(_loaded), list(sys.path)
    try:
        yield
    finally:
        _trusted.clear()
        _trusted.update(trusted)
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
        _trusted.add(name.partition(".")[0])
        found.append(_load(name, key))
    return found


def installed_plugins() -> list[str]:
    """Modules that installed packages name by the entry point ``osprey.plugins``."""
    return sorted(point.value for point in entry_points(group=ENTRY_POINTS))


def load_installed() -> list[ModuleType]:
    """Import the installed plugins; they are trusted, since they were installed.

    Raises:
        ConfigError: One raises while it is imported.
    """
    names = installed_plugins()
    _trusted.update(name.partition(".")[0] for name in names)
    return [_load(name, "installed plugin") for name in names]


def loaded_plugins() -> dict[str, ModuleType]:
    """Every plugin of this command, by name."""
    return dict(_loaded)


def plugin_setting() -> list[str]:
    """What a later command must say to trust what this one does, as a word of it; or nothing."""
    installed = {name.partition(".")[0] for name in installed_plugins()}
    pure = {name.partition(".")[0] for name in _PURE}
    names = [n for n in trusted_packages() if n not in installed | pure | {"osprey"}]
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


def is_trusted(target: str) -> bool:
    """Whether a file from elsewhere may name ``target``."""
    return target.partition(".")[0] in _trusted or target.startswith((*_OWN, *_PURE))


def refuse_detour(key: str, target: str, found: object) -> None:
    """Refuse a name that leads through a known package to something else, such as ``os.system``.

    Raises:
        ConfigError: Nobody vouches for it.
    """
    root = target.partition(".")[0]
    home = str(getattr(found, "__module__", "")).partition(".")[0]
    if root not in _trusted and home != root:
        raise ConfigError(f"{key}._target_: '{target}' is not defined in '{root}'")


def targets_in(node: Any) -> Iterator[str]:
    """Every ``_target_`` anywhere below ``node``, which is plain data."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "_target_":
                yield str(value)
            yield from targets_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from targets_in(value)


def trust_packages(names: Iterable[str]) -> None:
    """Trust packages for this command."""
    _trusted.update(names)


def trust_targets(node: Any) -> None:
    """Trust the packages that this command's own configuration names, for this command."""
    trust_packages(target.partition(".")[0] for target in targets_in(node))


def trusted_packages() -> list[str]:
    """Packages whose classes files may name, beside Osprey's own."""
    return sorted(_trusted)


def refuse_untrusted(where: str, targets: Iterable[str]) -> None:
    """Refuse a file that names classes which this command line does not trust.

    Args:
        where: What names them, such as ``checkpoint 'best.ckpt'``.
        targets: Dotted names.

    Raises:
        CheckpointError: One is neither Osprey's, a plugin's, nor trusted by the command.
    """
    for target in targets:
        if not is_trusted(target):
            package = target.partition(".")[0]
            raise CheckpointError(
                f"{where} names {target}, which is not Osprey's: add --plugin {package} "
                f"(or plugins=[{package}]) if you trust it"
            )
