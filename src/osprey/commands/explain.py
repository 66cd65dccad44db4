"""``osprey explain``: the arguments of what is chosen, with type, value and help."""

from __future__ import annotations

import shutil
import textwrap
from typing import Any

from omegaconf import DictConfig, OmegaConf

from osprey.config.adopt import RUN_TIME
from osprey.config.chosen import option_node, overrides_of_job
from osprey.config.compose import run_hydra
from osprey.config.explain import Row, argument_rows, first_sentence, settings_rows
from osprey.config.parse import FRAMEWORK, complete, is_foreign, typed
from osprey.config.schema import GROUPS
from osprey.errors import ConfigError, nearest
from osprey.system.console import say
from osprey.system.targets import import_target
from osprey.system.trust import trust_targets

_USAGE = """Show what may be set of what is chosen: type, value, limits, help.

  osprey explain model=resnet18
  osprey explain trainer
  osprey explain optimizer=lion scheduler=onecycle
  osprey explain model._target_=my_pkg.nets.ReefNet

Groups: {groups}. Settings follow as for 'osprey train'."""
_NAME, _KIND, _VALUE = 30, 22, 24  # columns at most this wide


def main(argv: list[str]) -> int:
    """Explain the groups that ``argv`` names."""
    if not argv or any(word in ("-h", "--help", "help") for word in argv):
        say(_USAGE.format(groups=", ".join(GROUPS)))
        return 0
    groups, words = [], []
    for word in argv:
        group = word.lstrip("+~").partition("=")[0].partition(".")[0]
        if "=" not in word and not word.startswith("-"):
            if group not in GROUPS:
                hint = nearest(group, GROUPS)
                raise ConfigError(f"there is no group '{group}'{hint} (one of {', '.join(GROUPS)})")
        else:
            words.append(word)
        if group in GROUPS and group not in groups:
            groups.append(group)
    if not groups:
        raise ConfigError(f"name a group to explain: {', '.join(GROUPS)}")

    def job(cfg: DictConfig) -> None:
        for group in groups:
            _explain(cfg, group)

    run_hydra("train", words, job, "osprey explain")
    return 0


def _explain(cfg: DictConfig, group: str) -> None:
    """Print one group: Osprey's own settings, then the arguments of its target."""
    complete(cfg)
    trust_targets(OmegaConf.to_container(cfg, resolve=False))
    for name in ("data.root", "model.name"):  # shown, not used
        part, _, key = name.partition(".")
        if OmegaConf.is_missing(cfg[part], key):
            cfg[part][key] = "(needed)"
    settings = getattr(typed(cfg), group)
    target = getattr(settings, "target", "")
    chosen = [word for word in overrides_of_job() if word.startswith(f"{group}=")]
    say(f"{chosen[0] if chosen else group}" + (f": {target}" if target else ""))
    rows = settings_rows(group, settings)
    node: Any = OmegaConf.to_container(cfg[group], resolve=False)
    foreign = is_foreign(group, node) or node.get("_target_") != option_node(group).get("_target_")
    if foreign and group in FRAMEWORK:
        kept = {f"{group}.{key}" for key in FRAMEWORK[group]}
        rows = [row for row in rows if row.name in kept]
    _print(rows)
    if target and (foreign or group in ("model", "trainer", "scheduler", "optimizer")):
        found = import_target(group, target)
        own = {row.name for row in rows}
        filled = RUN_TIME.get(group, ())
        given = {**getattr(settings, "args", {}), **(getattr(settings, "options", None) or {})}
        more = [row for row in argument_rows(group, found, given, filled) if row.name not in own]
        what = first_sentence(found)
        say(f"\narguments of {target}" + (f": {what}" if what else ""))
        _print(more)
    say()


def _print(rows: list[Row]) -> None:
    """A table as wide as the terminal; long help goes on below itself."""
    if not rows:
        say("  (none)")
        return
    columns = shutil.get_terminal_size((100, 24)).columns
    parts = [(row.name, row.kind, row.value) for row in rows]
    widths = [
        min(limit, max(len(part[i]) for part in parts))
        for i, limit in enumerate((_NAME, _KIND, _VALUE))
    ]
    indent = 2 + sum(widths) + 6
    for row, part in zip(rows, parts, strict=True):
        cells = [
            text if len(text) <= width else f"{text[: width - 1]}\N{HORIZONTAL ELLIPSIS}"
            for text, width in zip(part, (max(widths[0], len(row.name)), *widths[1:]), strict=True)
        ]
        head = "  " + "  ".join(f"{text:<{w}}" for text, w in zip(cells, widths, strict=True))
        lines = textwrap.wrap(row.help, max(20, columns - indent)) or [""]
        say(f"{head}  {lines[0]}".rstrip())
        for line in lines[1:]:
            say(" " * indent + line)
