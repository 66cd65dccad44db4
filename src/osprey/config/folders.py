"""Where config files lie: Osprey's own, a plugin's, and the user's, whose files win."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from osprey.config.optimizers import OPTIMIZERS
from osprey.config.parse import base_nodes, base_sweep
from osprey.errors import ConfigError
from osprey.system.plugins import config_folders

_HERE = Path(__file__).resolve().parent
# A wheel carries the config files inside the package; a checkout keeps them at the top level.
CONFIG_DIR = next(
    (path for path in (_HERE.parent / "configs", _HERE.parents[2] / "configs") if path.is_dir()),
    _HERE.parent / "configs",
)
_added: list[Path] = []  # what --config-dir names, while its command is composed


class PluginConfigs(SearchPathPlugin):
    """Lays the ``configs`` folders of the user's packages, and the user's own, over Osprey's."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra before it composes; what is prepended last is looked through first."""
        for folder in (*config_folders(), *_added):
            search_path.prepend(provider="osprey-plugin", path=f"file://{folder}")


@contextmanager
def laid_over(folder: Path | None) -> Iterator[None]:
    """Let the files of ``--config-dir`` win over Osprey's; Hydra looks through them last."""
    if folder is None:
        yield
        return
    _added.append(folder)
    try:
        yield
    finally:
        _added.remove(folder)


def register_configs() -> None:
    """Give Hydra the ``_base`` option of each group, the optimisers, and the plugins' folders."""
    store = ConfigStore.instance()
    for group, node in (*base_nodes().items(), ("sweep", base_sweep())):
        store.store(group=group, name="_base", node=node, provider="osprey")
    for name in (name for name in OPTIMIZERS if name not in _own_files("optimizer")):
        node = {"defaults": ["_base", "_self_"], "name": name}
        store.store(group="optimizer", name=name, node=node, provider="osprey")
    if PluginConfigs not in Plugins.instance().discover(SearchPathPlugin):
        Plugins.instance().register(PluginConfigs)


def _own_files(group: str) -> set[str]:
    return {file.stem for file in (CONFIG_DIR / group).glob("*.yaml")}


def options(group: str) -> list[str]:
    """The names of a group's options: files of Osprey's, of plugins' and of the user's."""
    found = _own_files(group)
    for folder in (*config_folders(), *_added):
        found |= {file.stem for file in (folder / group).glob("*.yaml")}
    return sorted(name for name in found if not name.startswith("_"))


def groups() -> list[str]:
    """The groups that have options."""
    names = {path.name for folder in (CONFIG_DIR, *_added) for path in _folders(folder)}
    return sorted(names - {"hydra"})


def _folders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if any(path.glob("*.yaml"))]
    except OSError:
        return []


def replaced(folder: Path) -> list[str]:
    """Files of a folder that are called as Osprey's own, such as ``model/resnet18.yaml``."""
    found = []
    for path in sorted((*folder.glob("*.yaml"), *folder.glob("*/*.yaml"))):
        group = "" if path.parent == folder else path.parent.name
        own = (CONFIG_DIR / group / path.name).is_file()
        stored = (group == "optimizer" and path.stem in OPTIMIZERS) or (
            path.stem == "_base" and group in base_nodes()
        )
        if own or stored:
            found.append(path.relative_to(folder).as_posix())
    return found


def notices(folder: Path | None) -> list[str]:
    """A line for each folder of the user's whose files take the place of Osprey's."""
    found = [
        (place, replaced(place)) for place in (*config_folders(), *([folder] if folder else []))
    ]
    return [
        f"configs {', '.join(names)} of '{place}' replace{'s' if len(names) == 1 else ''} Osprey's "
        "of the same name"
        for place, names in found
        if names
    ]


def refuse_hidden(searchpaths: Iterable[object]) -> None:
    """Refuse ``hydra.searchpath`` with files called as Osprey's own: Hydra would pass them over.

    Raises:
        ConfigError: There is one; the line names the flag whose files win.
    """
    for place in (p for found in searchpaths if isinstance(found, list) for p in found):
        folder = Path(str(place).removeprefix("file://"))
        names = replaced(folder)
        if names:
            raise ConfigError(
                f"hydra.searchpath: Osprey's own {names[0]} would be used in place of that of "
                f"'{folder}': use --config-dir {shlex.quote(str(folder))}"
            )


def foreign_groups(words: Sequence[str]) -> set[str]:
    """Groups whose target is the user's own, as far as words and config files say: untyped."""
    found = set()
    for word in words:
        key, _, value = word.lstrip("+").partition("=")
        if key.endswith("._target_") and not value.startswith("osprey."):
            found.add(key.partition(".")[0])
        for folder in (*config_folders(), *_added):
            file = folder / key / f"{value}.yaml"
            if "." not in key and value and _names_target(file):
                found.add(key)
    return found


def _names_target(file: Path) -> bool:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return re.search(r"^_target_:\s*(?!osprey\.)\S", text, re.MULTILINE) is not None


def undecodable() -> str:
    """The config file that is no UTF-8, which Python does not say."""
    for folder in (*_added, *config_folders()):
        for file in sorted(folder.rglob("*.yaml")):
            try:
                file.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                return f"'{file}'"
            except OSError:
                continue
    return "a config file"


def yaml_mistake(error: yaml.YAMLError) -> ConfigError:
    """What is wrong with a config file, and in which line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if isinstance(error, yaml.reader.ReaderError):
        place = "a value" if error.name.startswith("<") else f"'{error.name}'"
        return ConfigError(
            f"{place} has a character that YAML does not allow (#x{error.character:x})"
        )
    if mark is None:
        return ConfigError(f"a config file is malformed YAML: {' '.join(str(error).split())}")
    began = getattr(error, "context_mark", None)
    context = str(getattr(error, "context", "") or "")
    problem = str(getattr(error, "problem", "") or "")
    line = mark.line + 1
    if r"'\t'" in problem:
        why = "a tab: indent with spaces"
    elif began is not None and "flow" in context:
        sign, other = ("[", "]") if "sequence" in context else ("{", "}")
        line, why = began.line + 1, f"'{sign}' is not closed by '{other}'"
    elif began is not None and "quoted scalar" in context:
        line, why = began.line + 1, "a quote is not closed"
    elif "mapping values are not allowed" in problem:
        why = "a second ':' in one line: put the value in quotes"
    elif "could not find expected ':'" in problem:
        line, why = (began or mark).line + 1, "expected 'key: value'"
    else:
        why = f"malformed YAML ({', '.join(part for part in (context, problem) if part)})"
    return ConfigError(f"'{mark.name}' line {line}: {why}")


register_configs()
