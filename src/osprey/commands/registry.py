"""``osprey registry``: named, versioned bundles, and which of them is the champion."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from osprey.commands.command_line import Parser, fraction
from osprey.errors import BundleError, UserError
from osprey.imaging.decode_errors import one_line
from osprey.inference.card import CARD, Card, read_card
from osprey.inference.registry import CHAMPION, Registry
from osprey.system.console import say, warn

_MAX_DROP = 0.05


def main(argv: list[str]) -> int:
    """Do what the first word says."""
    arguments = _parser().parse_args(argv)
    registry = Registry(Path(arguments.registry))
    actions = {"add": _add, "list": _list, "show": _show, "promote": _promote}
    actions[arguments.action](arguments, registry)
    return 0


def _add(arguments: argparse.Namespace, registry: Registry) -> None:
    from osprey.runs.folder import find_run
    from osprey.runs.registering import add_version

    place = Path(arguments.bundle)
    if (place / CARD).is_file():
        bundle, run = place, None
    else:
        run = find_run(arguments.bundle, Path(arguments.runs))
        bundle = run.path / "bundle"
        if not (bundle / CARD).is_file():
            raise UserError(f"run '{run.path}' has no bundle: osprey export {run.path}")
    name = arguments.name or read_card(bundle).name
    version = add_version(registry, name, bundle, run)
    say(f"{name}@{version}  {registry.folder(name, version)}")
    if registry.find(name)[1] != version:
        say(f"next: osprey registry promote {name}@{version}")


def _list(arguments: argparse.Namespace, registry: Registry) -> None:
    names = registry.names()
    if not names:
        raise UserError(
            f"the registry '{registry.root}' has no bundles: osprey registry add RUN --name NAME"
        )
    for name in names:
        try:
            aliases = registry.aliases(name)
        except BundleError as error:  # the versions are there all the same
            warn(str(error))
            aliases = {}
        for version in registry.versions(name):
            called = ", ".join(alias for alias, number in aliases.items() if number == version)
            try:
                card = read_card(registry.folder(name, version))
            except BundleError as error:
                say(f"{name}@{version:<4} {error}")
                continue
            told = f"{_figures(card):<40} {card.created[:10]}"  # a stranger's words
            say(f"{name}@{version:<4} {one_line(told)}  {called}".rstrip())


def _figures(card: Card) -> str:
    """The main figure of a version."""
    key, value = str(card.check.get("metric", "")), "not tested"
    for split in ("val", "test"):
        figures = card.metrics.get(split)
        if isinstance(figures, dict) and isinstance(figures.get(key), int | float):
            value = f"{split} {key} {figures[key]:.3f}"
    return f"{card.model}, {len(card.classes)} classes, {value}"


def _show(arguments: argparse.Namespace, registry: Registry) -> None:
    name, version = registry.find(arguments.bundle)
    card = read_card(registry.folder(name, version))
    say(json.dumps({"version": f"{name}@{version}", **asdict(card)}, indent=2, ensure_ascii=False))


def _promote(arguments: argparse.Namespace, registry: Registry) -> None:
    from osprey.runs.registering import set_alias

    if "@" not in arguments.bundle:
        raise UserError(f"promote one version: NAME@VERSION, such as '{arguments.bundle}@2'")
    name, version = registry.find(arguments.bundle)
    alias = arguments.alias

    def check(before: int) -> None:
        if not arguments.force:
            _refuse_worse(registry, name, before, version, arguments.max_drop)

    before = set_alias(registry, name, alias, version, check)
    was = "" if before in (None, version) else f" (before: {name}@{before})"
    say(f"{name}@{alias} is {name}@{version}{was}")


def _refuse_worse(registry: Registry, name: str, before: int, version: int, most: float) -> None:
    from osprey.runs.registering import worse_classes

    cards = [read_card(registry.folder(name, number)) for number in (before, version)]
    worse = worse_classes(cards[0], cards[1], most)
    if worse:
        first = worse[0]
        after = "is not known" if first.after is None else f"{first.after:.3f}"
        more = f" (and {len(worse) - 1} more)" if worse[1:] else ""
        raise UserError(
            f"{name}@{version} is worse than {name}@{before} at '{first.label}': F1 "
            f"{first.before:.3f}, then {after}{more}; allow it with --max-drop, or all with "
            "--force"
        )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="osprey registry",
        description="Named, versioned bundles: fish@3, fish@champion.",
    )
    parts = parser.add_subparsers(dest="action", required=True, metavar="add|list|show|promote")
    add = parts.add_parser("add", help="a run's bundle as the next version of a name")
    add.add_argument("bundle", nargs="?", default="latest", metavar="RUN", help="or a bundle")
    add.add_argument("--name", help="default: the run's name")
    add.add_runs()
    parts.add_parser("list", help="every version, its figure, and what it is called")
    show = parts.add_parser("show", help="a version's card, as JSON")
    promote = parts.add_parser("promote", help="let a version be the champion")
    for part in (show, promote):
        part.add_argument("bundle", metavar="NAME[@VERSION]")
    promote.add_argument("--alias", default=CHAMPION, help=f"default: {CHAMPION}")
    promote.add_argument(
        "--max-drop",
        type=fraction,
        default=_MAX_DROP,
        metavar="D",
        help=f"what the F1 of a class may lose in the test (default: {_MAX_DROP})",
    )
    promote.add_argument("--force", action="store_true", help="whatever a class loses")
    for part in parts.choices.values():
        part.add_argument("--registry", default="registry", help="folder (default: registry)")
    return parser
