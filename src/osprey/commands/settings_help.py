"""``--help`` of what composes a configuration: its groups, and a line for each setting."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from osprey.config import folders
from osprey.config.call import read_call
from osprey.config.compose import compose_call
from osprey.config.explain import first_sentence
from osprey.config.fields import Limits
from osprey.config.groups.sweep import Sweep
from osprey.config.optimizers import OPTIMIZERS
from osprey.config.parse import task_settings
from osprey.config.schema import GROUPS
from osprey.system.console import columns_of, say

_WIDEST, _NARROWEST = 80, 48
_INDENT = 31  # where values and help begin

_HEADERS = {
    "train": "Train a model on your photos, test it, keep it.",
    "eval": "Test a run's checkpoint and write the figures down.",
}
_EXAMPLES = {
    "train": """\
Change any setting:  osprey train data=folder data.root=PHOTOS model=resnet18
Sweep:               osprey train -m model=resnet18,vit_small seed=0,1
Go on with a run:    osprey train resume=latest trainer.max_epochs=30
Your own configs:    osprey train --config-dir MY_CONFIGS experiment=mine
What an option has:  osprey explain model=resnet18
As it is composed:   osprey train model=resnet18 --cfg job""",
    "eval": """\
Another split:       osprey eval run=latest data.split=val
Another data set:    osprey eval run=latest data.root=PHOTOS
As it is composed:   osprey eval --cfg job""",
}


def asks_help(argv: Sequence[str]) -> bool:
    """Whether a command line asks for help."""
    return any(word in ("-h", "--help") for word in argv)


def show_help(config_name: str, argv: Sequence[str], program: str) -> int:
    """Print what may be set, with the values that the rest of the command line gives.

    Args:
        config_name: As for `osprey.config.compose.read_call`.
        argv: The command line.
        program: How the command is called.

    Returns:
        The exit code.

    Raises:
        UserError: The rest of the command line has a mistake.
    """
    call = read_call(config_name, argv, program)
    cfg = compose_call(call, () if call.line.several else call.words)
    say(_HEADERS[config_name])
    if config_name == "train":
        say("\n== Groups: pick an option of each with group=option ==")
        with folders.laid_over(call.line.folder):
            for group in folders.groups():
                more = f"; {len(OPTIMIZERS)} more by name" if group == "optimizer" else ""
                _entry(group, ", ".join(folders.options(group)) + more, indent=16)
    say("\n== Settings, as they stand: change one with key=value ==")
    _settings(call.schema, cfg, "")
    if config_name == "train":
        _settings(Sweep, cfg, "")
    say(f"\n{_EXAMPLES[config_name]}")
    return 0


def _settings(schema: type[Any], cfg: DictConfig, prefix: str) -> None:
    """A line or two for each setting, those of a group after those of none."""
    hints = get_type_hints(schema)
    known = {field.name: field for field in fields(schema)}
    grouped = {name: _group(name, hint, cfg) for name, hint in hints.items()}
    for name in (name for name, group in grouped.items() if group is None):
        limits: Limits = known[name].metadata.get("limits", Limits())
        if name == "args" or (prefix and name == "name" and not limits.help):
            continue  # filled in while a group is read
        key = f"{prefix}{'_target_' if name == 'target' else name}"
        words = f"{limits.help} ({limits})" if limits.help and str(limits) else str(limits)
        _entry(f"{key}={_value(cfg, key, _default(known[name]))}", words or limits.help, _INDENT)
    for name, group in grouped.items():
        if group is not None:
            say(f"\n{textwrap.fill(first_sentence(group), _width())}")
            _settings(group, cfg, f"{prefix}{name}.")


def _default(field: Field[Any]) -> Any:
    factory = field.default_factory
    return field.default if factory is MISSING else factory()


def _group(name: str, hint: Any, cfg: DictConfig) -> type[Any] | None:
    """The dataclass of a setting that is a group."""
    if name == "task" and name in GROUPS:
        node = cfg.get("task")
        return task_settings(node if isinstance(node, DictConfig) else {})
    return hint if is_dataclass(hint) and isinstance(hint, type) else None


def _value(cfg: DictConfig, key: str, default: Any) -> str:
    """A setting's value in one short text."""
    try:
        found = OmegaConf.select(cfg, key, default=default, throw_on_missing=False)
    except OmegaConfBaseException:  # it refers to one that is not set
        return "..."
    if OmegaConf.is_config(found):
        found = OmegaConf.to_container(found, resolve=False)
    if isinstance(found, str):
        return "" if found == "???" else found
    return json.dumps(found, ensure_ascii=False, default=str).replace('"', "")


def _width() -> int:
    """Of a terminal, as far as it is narrower than what reads well."""
    return max(_NARROWEST, min(_WIDEST, columns_of(sys.stdout) or _WIDEST))


def _entry(name: str, words: str, indent: int) -> None:
    """A name, and what it means beside it, or below it where it is long."""
    width = _width()
    if len(name) > width - 4:
        name = f"{name[: width - 5]}\N{HORIZONTAL ELLIPSIS}"
    lines = textwrap.wrap(words, width - indent) or [""]
    beside = len(name) + 4 <= indent
    say(f"  {name:<{indent - 2}}{lines[0]}".rstrip() if beside else f"  {name}")
    for line in filter(None, lines[1 if beside else 0 :]):
        say(f"{' ' * indent}{line}")
